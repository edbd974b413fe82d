"""Signing the main data set: exit code, every line, the object, and each program on the signatures of the other."""

from __future__ import annotations

import pytest

from tests.cli.peer import Invocation, Peers

SIGNING = """
-v +m2 +s key.pem cert.pem in.dcm out.dcm
-v +m2 -e +s key.pem cert.pem signed.dcm out.dcm
-v +m2 +s key.pem cert.pem ele.dcm out.dcm
-v +m2 +s key.pem cert.pem ili.dcm out.dcm
-v +m2 +s key.pem cert.pem ebe.dcm out.dcm
-v +m2 +s key.pem cert.pem dfl.dcm out.dcm
-v +m2 +s key.pem cert.pem ele-u.dcm out.dcm
-v +m2 +s key.pem cert.pem ili-u.dcm out.dcm
-v +m2 +s key.pem cert.pem ebe-u.dcm out.dcm
-v +m2 +s key.pem cert.pem dfl-u.dcm out.dcm
+m2 +s key.pem cert.pem ele-nested.dcm out.dcm
+m2 +s key.pem cert.pem ili-nested.dcm out.dcm
+m2 +s key.pem cert.pem ebe-u-nested.dcm out.dcm
+m2 +s key.pem cert.pem dfl-u-nested.dcm out.dcm
-e +m2 +s key.pem cert.pem ele.dcm out.dcm
-e +m2 +s key.pem cert.pem ili.dcm out.dcm
-e +m2 +s key.pem cert.pem ebe.dcm out.dcm
-e +m2 +s key.pem cert.pem dfl.dcm out.dcm
-e +m2 +s key.pem cert.pem ele-u-nested.dcm out.dcm
+e +m2 +s key.pem cert.pem ele-u-nested.dcm out.dcm
-e +e +m2 +s key.pem cert.pem ele-u.dcm out.dcm
+e -e +m2 +s key.pem cert.pem ele-u.dcm out.dcm
--length-undefined +m2 +s key.pem cert.pem ele.dcm out.dcm
--length-explicit +m2 +s key.pem cert.pem ele-u.dcm out.dcm
+m2 +s key.pem cert.pem jpeg.dcm out.dcm
-fo +m2 +s key.pem cert.pem jpeg.dcm out.dcm
--format-old +m2 +s key.pem cert.pem rle.dcm out.dcm
+m2 +s key.pem cert.pem rle.dcm out.dcm
+m2 +s key.pem cert.pem icon.dcm out.dcm
+m2 +s key.pem cert.pem icon-native.dcm out.dcm
+m2 +s key.pem cert.pem private.dcm out.dcm
+m2 +s key.pem cert.pem ge.dcm out.dcm
+m2 +s key.pem cert.pem not-signable.dcm out.dcm
+m2 +s key.pem cert.pem un.dcm out.dcm
+uc +m2 +s key.pem cert.pem un.dcm out.dcm
+m2 +s key.pem cert.pem un-undefined.dcm out.dcm
+m2 +s key.pem cert.pem ob.dcm out.dcm
+m2 +s key.pem cert.pem un-name.dcm out.dcm
+uc +m2 +s key.pem cert.pem un-name.dcm out.dcm
+m2 +s key.pem cert.pem bare-ele.bin out.dcm
+m2 +s key.pem cert.pem bare-ili.bin out.dcm
+m2 +s key.pem cert.pem bare-ebe.bin out.dcm
-f +m2 +s key.pem cert.pem bare-ele.bin out.dcm
-f -ti +m2 +s key.pem cert.pem bare-ili.bin out.dcm
-f -tb +m2 +s key.pem cert.pem bare-ebe.bin out.dcm
+m2 +s key.pem cert.pem original.dcm out.dcm
+m2 +s key.pem cert.pem signed.dcm signed.dcm
+m2 +s key.pem cert.pem two.dcm out.dcm
+m2 +s ec-key.pem ec-cert.pem ele.dcm out.dcm
+m2 +s dsa-key.pem dsa-cert.pem ele.dcm out.dcm
+m5 +s ec-key.pem ec-cert.pem signed.dcm out.dcm
+s key.pem cert.pem ele.dcm out.dcm
--mac-ripemd160 +s key.pem cert.pem ele.dcm out.dcm
--mac-sha1 +s key.pem cert.pem ele.dcm out.dcm
--mac-md5 +s key.pem cert.pem ele.dcm out.dcm
--mac-sha256 +s key.pem cert.pem ele.dcm out.dcm
--mac-sha384 +s key.pem cert.pem ele.dcm out.dcm
--mac-sha512 --sign key.pem cert.pem ele.dcm out.dcm
+m2 +m5 +s key.pem cert.pem ele.dcm out.dcm
+m5 +m2 +s key.pem cert.pem ele.dcm out.dcm
+m2 --sig-purpose 7 +s key.pem cert.pem ele.dcm out.dcm
+m2 --no-sig-purpose +s key.pem cert.pem ele.dcm out.dcm
+m2 -t PatientName +s key.pem cert.pem ele.dcm out.dcm
+m2 --tag 0010,0010 --tag PixelData +s key.pem cert.pem ele.dcm out.dcm
+m2 -tf tags.txt +s key.pem cert.pem ele.dcm out.dcm
+m2 -tf missing -tf tags.txt +s key.pem cert.pem ele.dcm out.dcm
+m2 -tf empty -t PatientName +s key.pem cert.pem ele.dcm out.dcm
-der +m2 +s key.der cert.der ele.dcm out.dcm
--der-keys -pem +m2 +s key.pem cert.pem ele.dcm out.dcm
-der +m2 +s key.der cert.der in.dcm out.dcm
""".strip().splitlines()

# the same objects say enough: selections, purposes, passwords, dumps, odd structures
ALIKE = """
+m2 +d /dev/full +s key.pem cert.pem ele.dcm out.dcm
+m2 +s key.pem cert.pem jpeg-no-pixels.dcm out.dcm
+m2 +s key.pem cert.pem unknown-syntax.dcm out.dcm
+m2 +s key.pem cert.pem deep.dcm out.dcm
+m2 +s key.pem cert.pem private-sequence.dcm out.dcm
+m2 +s key.pem cert.pem un-sequence.dcm out.dcm
+uc +m2 +s key.pem cert.pem un-sequence.dcm out.dcm
+m2 +s key.pem cert.pem wrong-vr.dcm out.dcm
+m2 +s key.pem cert.pem overlays.dcm out.dcm
+m2 +s key.pem cert.pem no-prefix.dcm out.dcm
+m2 +s key.pem cert.pem one.dcm out.dcm
+m2 +s key.pem cert.pem shared.dcm out.dcm
+m2 +s key.pem cert.pem orphans.dcm out.dcm
+m2 +s key.pem cert.pem orphan-only.dcm out.dcm
+m2 +s key.pem cert.pem no-mac-id.dcm out.dcm
+m2 +s key.pem cert.pem no-parameters.dcm out.dcm
+m2 +s key.pem cert.pem no-items.dcm out.dcm
+m2 +s key.pem cert.pem no-sequence.dcm out.dcm
+m2 +s key.pem cert.pem no-parameters-sequence.dcm out.dcm
+m2 +s key.pem cert.pem empty-parameters.dcm out.dcm
+m2 +s key.pem cert.pem item-only-signature.dcm out.dcm
+m2 +s key.pem cert.pem in.dcm out.dcm
+m2 -t PatientName +s key.pem cert.pem in.dcm out.dcm
+m2 +pw secret +s encrypted.pem cert.pem in.dcm out.dcm
+m2 +pw unused +s key.pem cert.pem in.dcm out.dcm
-v +m2 +sp 3 +s key.pem cert.pem in.dcm in.dcm
-td +m2 +s key.pem cert.pem wrong-syntax.dcm out.dcm
+m2 +sp 5x +s key.pem cert.pem ele.dcm out.dcm
+m2 +sp " 18" +s key.pem cert.pem ele.dcm out.dcm
+m2 +sp 3 -sp +s key.pem cert.pem ele.dcm out.dcm
+m2 -sp +sp 3 +s key.pem cert.pem ele.dcm out.dcm
+m2 +sp 99 -sp +s key.pem cert.pem ele.dcm out.dcm
+m2 +sp 2 +sp 3 +s key.pem cert.pem ele.dcm out.dcm
+m2 -t "0010, 0010" -t " 0008,0060" +s key.pem cert.pem ele.dcm out.dcm
+m2 -t 110010,0010zzz -t 0x8,0X60 +s key.pem cert.pem ele.dcm out.dcm
+m2 -t OverlayRows +s key.pem cert.pem overlays.dcm out.dcm
+m2 -t RETIRED_CurveDimensions +s key.pem cert.pem overlays.dcm out.dcm
+m2 -t 6002,0010 +s key.pem cert.pem overlays.dcm out.dcm
+m2 -t PatientName -t PatientName -t 10,10 +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -t ReferencedSeriesSequence +s key.pem cert.pem ele-nested.dcm out.dcm
+m2 --tag-file tags.txt -t PatientID +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -tf empty +s key.pem cert.pem ele.dcm out.dcm
+m2 +d dump -t PatientName +s key.pem cert.pem ele.dcm out.dcm
+m2 +d dump +d dump2 -t PatientName +s key.pem cert.pem ele.dcm out.dcm
+m2 +d - +s key.pem cert.pem ele.dcm out.dcm
+m2 --use-passwd secret +s encrypted.pem cert.pem ele.dcm out.dcm
+m2 +pw wrong +pw secret +s encrypted.pem cert.pem ele.dcm out.dcm
+m2 --null-passwd --use-passwd secret +s encrypted.pem cert.pem ele.dcm out.dcm
+m2 -pw +s key.pem cert.pem in.dcm out.dcm
-v +m2 -tf empty +s key.pem cert.pem in.dcm out.dcm
""".strip().splitlines()

# nothing is written, or what was asked for is something else
NOT_SIGNING = """
-v +m2 -t StudyID -t PatientName -t StudyID -t StudyDate +s key.pem cert.pem ele.dcm out.dcm
+m2 +pw secret -pw +s encrypted.pem cert.pem ele.dcm out.dcm
+s key.pem cert.pem missing.dcm out.dcm
+s key.pem cert.pem empty out.dcm
+s missing cert.pem missing.dcm out.dcm
+s missing cert.pem in.dcm out.dcm
+s key.pem missing in.dcm out.dcm
+s missing missing in.dcm out.dcm
-v +s missing missing in.dcm out.dcm
+s cert.pem cert.pem in.dcm out.dcm
+s key.pem key.pem in.dcm out.dcm
-der +s key.pem cert.pem in.dcm out.dcm
+s key.der cert.pem in.dcm out.dcm
+s "" "" in.dcm out.dcm
+s dsa-key.pem cert.pem in.dcm out.dcm
-v +s dsa-key.pem cert.pem in.dcm out.dcm
+m2 +pw wrong +s encrypted.pem cert.pem in.dcm out.dcm
+m2 -pw +s encrypted.pem cert.pem in.dcm out.dcm
+m2 +pw "" +s encrypted.pem cert.pem in.dcm out.dcm
+m2 +s key.pem cert.pem +d missing/dump in.dcm out.dcm
+m2 +s key.pem cert.pem +d missing/dump missing.dcm out.dcm
+m2 +s key.pem cert.pem in.dcm missing/out.dcm
-v +m2 +s key.pem cert.pem in.dcm missing/out.dcm
+m2 +s key.pem cert.pem in.dcm .
+m2 +s key.pem cert.pem in.dcm ""
+m2 +s missing cert.pem in.dcm ""
+m2 +s key.pem cert.pem missing.dcm ""
-v +m2 -t 0010,0020 -t 0008,0016 -t 0010,0030 +s key.pem cert.pem in.dcm out.dcm
-v +m2 -t 0002,0010 -t 0008,0000 +s key.pem cert.pem in.dcm out.dcm
+m2 -t PatientName -t PatientID +s key.pem cert.pem in.dcm out.dcm
-v +m2 -t MACParametersSequence -t PatientName +s key.pem cert.pem signed.dcm out.dcm
+m2 -t 4ffe,0001 -t PatientID +s key.pem cert.pem signed.dcm out.dcm
+m2 +s key.pem cert.pem nothing.dcm out.dcm
+fo +m2 +s key.pem cert.pem bare-ele.bin out.dcm
+m2 +s key.pem cert.pem wrong-syntax.dcm out.dcm
+m2 +s key.pem cert.pem cut.dcm out.dcm
-v +m2 -t StudyID -t 0009,1001 +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -t 0009,1001 -t PatientName +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -t ReferencedImageSequence -t PatientName +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -t DigitalSignaturesSequence +s key.pem cert.pem ele-nested.dcm out.dcm
-v +m2 -t fffe,e00d -t fffc,fffc +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -t 0008,0000 +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -t 0008,0001 +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -t 0002,0010 +s key.pem cert.pem ele.dcm out.dcm
+m2 -tf bad-tags.txt +s key.pem cert.pem ele.dcm out.dcm
-v +m2 -tf absent-tags.txt -t PatientID +s key.pem cert.pem ele.dcm out.dcm
+m2 -tf sq-tags.txt +s key.pem cert.pem ele.dcm out.dcm
@sign.txt
-v +m2 --dump dump +s key.pem dsa-cert.pem ele.dcm out.dcm
+m2 +d dump -t StudyID +s key.pem cert.pem ele.dcm out.dcm
+m2 +d dump +s key.pem cert.pem missing.dcm out.dcm
+m2 +d dump +s key.pem cert.pem ele.dcm missing/out.dcm
+m2 +d . +s key.pem cert.pem ele.dcm out.dcm
+m2 +s key.pem cert.pem --verify ele.dcm
+s missing missing --verify ele.dcm
--pem-keys +m2 +s key.der cert.der ele.dcm out.dcm
-pem --der-keys +m2 +s key.pem cert.pem ele.dcm out.dcm
+m2 +s key.pem cert.pem +d "" in.dcm out.dcm
""".strip().splitlines()

STANDARD_STREAMS = [
    Invocation(line, stdin=name)
    for line, name in (
        ("+m2 +s key.pem cert.pem ele.dcm -", ""),
        ("+m2 +s key.pem cert.pem - out.dcm", "ele.dcm"),
        ("-v +m2 +s key.pem cert.pem - -", "ele.dcm"),
        ("+m2 +s key.pem cert.pem - -", "dfl-u.dcm"),
        ("-q +m2 +s key.pem cert.pem - -", "empty"),
        ("+m2 +s - cert.pem ele.dcm out.dcm", "key.pem"),
        ("+m2 +s key.pem - ele.dcm out.dcm", "cert.pem"),
        ("+m2 -tf - +s key.pem cert.pem ele.dcm out.dcm", "tags.txt"),
    )
]

MACS = ("+mr", "+ms", "+mm", "+m2", "+m3", "+m5")
NOTHING_SIGNED = "DataElementsSigned missing or incorrect"


@pytest.mark.parametrize("line", SIGNING)
def test_signing(peers: Peers, line: str) -> None:
    options = [option for option in ("-fo", "--format-old", "-der") if option in line.split() and "-pem" not in line]
    found = peers.signed(line, options=" ".join(options), target=line.split()[-1])
    assert found[-1].endswith(NOTHING_SIGNED) if "-tf empty +s" in line else "OK" in found


@pytest.mark.parametrize("line", ALIKE)
def test_same_object(peers: Peers, line: str) -> None:
    assert peers.same(line).theirs.code == 0


@pytest.mark.parametrize("line", NOT_SIGNING)
def test_not_signing(peers: Peers, line: str) -> None:
    peers.same(line)


@pytest.mark.parametrize("invocation", STANDARD_STREAMS, ids=str)
def test_standard_streams(peers: Peers, invocation: Invocation) -> None:
    peers.same(invocation)


@pytest.mark.parametrize("mac", MACS)
@pytest.mark.parametrize("kind", ["", "dsa-", "ec-"])
def test_algorithms(peers: Peers, mac: str, kind: str) -> None:
    assert peers.signed(f"{mac} +sp 2 +s {kind}key.pem {kind}cert.pem ele-u.dcm out.dcm") == ("OK",)


@pytest.mark.parametrize("code", range(1, 19))
def test_purposes(peers: Peers, code: int) -> None:
    pair = peers.same(f"+m2 +sp {code} -t Modality +s key.pem cert.pem ele.dcm out.dcm")
    assert pair.theirs.code == 0


@pytest.mark.parametrize(
    "invocation",
    [
        Invocation("-v +m2 +s key.pem cert.pem ele.dcm out.dcm", process=True),
        Invocation("@sign.txt", process=True),
        Invocation("+m2 +s key.pem cert.pem - -", stdin="dfl-u.dcm", process=True),
        Invocation("-v +m2 -e +s key.pem cert.pem - out.dcm", stdin="ebe.dcm", process=True),
        Invocation("+m2 +s key.pem cert.pem ele.dcm missing/out.dcm", process=True),
        Invocation("+m2 +s encrypted.pem cert.pem ele.dcm out.dcm", process=True),
    ],
    ids=str,
)
def test_as_a_process(peers: Peers, invocation: Invocation) -> None:
    peers.same(invocation)
