"""The files that command lines of the peer comparison name: objects in every encoding, odd signatures, keys, texts."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

from tests.interop.build import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    JPEG_BASELINE,
    SOP_CLASS,
    SOP_INSTANCE,
    Writer,
    even,
    meta,
)

VECTORS = Path(__file__).parent.parent / "vectors" / "mac"
COPIES = {
    "in.dcm": "explicit-short.dcm",
    "signed.dcm": "explicit-short.signed.dcm",
    "two.dcm": "item-then-main.signed.dcm",
    "second.dcm": "second-signature.signed.dcm",
    "item.dcm": "item-signature.signed.dcm",
    "tags-signed.dcm": "tag-list.signed.dcm",
    "purpose.dcm": "purpose.signed.dcm",
    "ele-signed.dcm": "sq-defined.signed.dcm",
    "ili-signed.dcm": "implicit.signed.dcm",
    "ebe-signed.dcm": "sq-big-endian.signed.dcm",
    "dfl-signed.dcm": "deflated.signed.dcm",
    "jpeg.dcm": "jpeg-fragments.dcm",
    "jpeg-signed.dcm": "jpeg-fragments.signed.dcm",
    "jpeg-old.dcm": "jpeg-old-format.signed.dcm",
    "rle.dcm": "rle-empty-offset-table.dcm",
    "icon.dcm": "icon-encapsulated-in-jpeg.dcm",
    "icon-native.dcm": "icon-native-in-jpeg.dcm",
    "un.dcm": "un-converted.dcm",
    "un-signed.dcm": "un-converted.signed.dcm",
    "un-undefined.dcm": "un-undefined.dcm",
    "not-signable.dcm": "not-signable.dcm",
    "private.dcm": "private-explicit.dcm",
    "ge.dcm": "ge-big-endian-pixels.dcm",
    "key.pem": "key-rsa.pem",
    "cert.pem": "cert-rsa.pem",
    "dsa-key.pem": "key-dsa.pem",
    "dsa-cert.pem": "cert-dsa.pem",
    "ec-key.pem": "key-ec.pem",
    "ec-cert.pem": "cert-ec.pem",
}
TEXTS = {
    "empty": "",
    "blanks.txt": " \t\r\n ",
    "text.txt": "hello world\n",
    "one.txt": "--arguments\tin.dcm\r\n -ll off",
    "quotes.txt": "'mi''ni.dcm' -v",
    "joined.txt": '--arguments a"b c"d"e" \'\' ""',
    "inner-quotes.txt": """--arguments "it's" 'a "b"'""",
    "open.txt": "--arguments in.dcm 'un closed",
    "nested.txt": "--arguments @one.txt x",
    "value.txt": "key.pem cert.pem",
    "bogus.txt": "in.dcm --bogus",
    "lone.txt": "in.dcm 'a\\'b' -v",
    "lines.txt": "\n\n-v\n\nin.dcm\n",
    "formfeed.txt": "in.dcm\f-v\v",
    "sign.txt": "+m2 +s \"key.pem\" 'cert.pem'\n-v -t PatientName\nin.dcm out.dcm\n",
    "tags.txt": "PatientName (0008,0060)\n",
    "bad-tags.txt": "PatientName 0008,0060\n",
    "absent-tags.txt": "PatientName IssuerOfPatientID StudyID\n",
    "sq-tags.txt": "(0008,1115)ReferencedImageSequence\r\n",
    "settings.cfg": "log4cplus.rootLogger = INFO\n",
}

# sequences of the objects
SERIES, IMAGES, INSTANCES, CONTENT = 0x00081115, 0x00081140, 0x0008114A, 0x0040A730
PARAMETERS, SIGNATURES, ORIGINAL = 0x4FFE0001, 0xFFFAFFFA, 0x04000561
DATE = b"20200102030405.678901+0000"


@cache
def _certificate() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate((VECTORS / COPIES["cert.pem"]).read_bytes()).public_bytes(Encoding.DER)


class Form(Writer):
    """An encoding, and whether sequences and items have undefined length."""

    def __init__(self, syntax: str, *, undefined: bool = False) -> None:
        super().__init__(explicit=syntax != IMPLICIT_LE, big=syntax == EXPLICIT_BE)
        self.syntax = syntax
        self.undefined = undefined

    def of(self, tag: int, *items: bytes) -> bytes:
        """A sequence of items, which are given by their elements."""
        return self.sequence(tag, [self.item(item, undefined=self.undefined) for item in items], undefined=self.undefined)

    def file(self, *elements: bytes) -> bytes:
        """A file with these elements."""
        content = b"".join(elements)
        if self.syntax == DEFLATED:
            packer = zlib.compressobj(wbits=-15)
            content = packer.compress(content) + packer.flush()
        return meta(self.syntax) + content

    def short(self, tag: int, value: int) -> bytes:
        """An element of VR US."""
        return self.element(tag, "US", self.number(value, 2))

    def reference(self, number: int) -> bytes:
        """The elements that refer to an instance."""
        uid = even(b"1.2.3.%d" % number)
        return self.element(0x00081150, "UI", SOP_CLASS) + self.element(0x00081155, "UI", uid)

    # ------------------------------------------------------------ signatures that only look like some

    def parameters(self, *mac_ids: int | None) -> bytes:
        """MAC Parameters Sequence with one item for each ID; None for an item without."""
        return self.of(
            PARAMETERS,
            *(
                (b"" if number is None else self.short(0x04000005, number))
                + self.element(0x04000010, "UI", EXPLICIT_LE.encode() + b"\0")
                + self.element(0x04000015, "CS", b"SHA256")
                + self.element(0x04000020, "AT", self.tag(0x00080060))
                for number in mac_ids
            ),
        )

    def signature(self, uid: str | None, mac_id: int | None, certificate: bytes | None = None) -> bytes:
        """The elements of a signature item."""
        certificate = even(_certificate()) if certificate is None else certificate
        return b"".join(
            (
                b"" if mac_id is None else self.short(0x04000005, mac_id),
                b"" if uid is None else self.element(0x04000100, "UI", even(uid.encode())),
                self.element(0x04000105, "DT", DATE),
                self.element(0x04000110, "CS", b"X509_1993_SIG "),
                self.element(0x04000115, "OB", certificate),
                self.element(0x04000120, "OB", b"\1\2\3\4"),
            )
        )

    def signatures(self, *uids_and_ids: tuple[str | None, int | None]) -> bytes:
        """Digital Signatures Sequence."""
        return self.of(SIGNATURES, *(self.signature(*pair) for pair in uids_and_ids))


def study(form: Form, *, signed: bool = False) -> bytes:
    """An image with sequences; `signed`: with five signatures, two of them below.

    Referenced Image Sequence has a full item, one without elements, and one with nothing that can be signed. Pixel Data have
    VR OW. Group lengths stand at the top and in an item.
    """

    def below(*pairs: tuple[str, int]) -> tuple[bytes, bytes]:
        return (form.parameters(*(mac_id for _, mac_id in pairs)), form.signatures(*pairs)) if signed and pairs else (b"", b"")

    inner = (below(), below(("1.2.30", 0)))
    instances = (form.reference(7 + number) + b"".join(inner[number]) for number in (0, 1))
    series = (
        form.element(0x00080000, "UL", form.number(4, 4)),
        form.of(INSTANCES, *instances),
        form.element(0x0020000E, "UI", b"1.2.3.6\0"),
        *below(("1.2.20", 1), ("1.2.21", 0)),
    )
    unsignable = form.element(0x00091001, "UN", b"\1\2\3\4")
    return form.file(
        form.element(0x00080000, "UL", form.number(4, 4)),
        form.element(0x00080016, "UI", SOP_CLASS),
        form.element(0x00080018, "UI", SOP_INSTANCE),
        form.element(0x00080060, "CS", b"OT"),
        form.of(SERIES, b"".join(series)),
        form.of(IMAGES, form.reference(5), b"", unsignable),
        form.element(0x00090010, "LO", b"SOMEBODY"),
        unsignable,
        form.element(0x00100010, "PN", b"Doe^Jane"),
        form.element(0x00100020, "LO", b"4711"),
        form.short(0x00280010, 2),
        form.short(0x00280011, 2),
        form.short(0x00280100, 8),
        form.of(0x00400275),
        *below(("1.2.10", 0), ("1.2.11", 2))[:1],
        form.element(0x7FE00010, "OW", b"\1\2\3\4"),
        *below(("1.2.10", 0), ("1.2.11", 2))[1:],
    )


FORMS = {
    "ele": Form(EXPLICIT_LE),
    "ili": Form(IMPLICIT_LE),
    "ebe": Form(EXPLICIT_BE),
    "dfl": Form(DEFLATED),
    "ele-u": Form(EXPLICIT_LE, undefined=True),
    "ili-u": Form(IMPLICIT_LE, undefined=True),
    "ebe-u": Form(EXPLICIT_BE, undefined=True),
    "dfl-u": Form(DEFLATED, undefined=True),
}


def _odd_signatures(form: Form) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """Name, and what stands where the MAC parameters and behind Pixel Data; then whatever else is to stand in front."""
    first, second = ("1.2.10", 0), ("1.2.11", 1)
    image = form.of(IMAGES, form.reference(5) + form.parameters(0) + form.signatures(first))
    modified = form.of(
        0x04000550, form.element(0x00100010, "PN", b"Old^Name") + form.parameters(4) + form.signatures(("1.2.40", 4))
    )
    yield "one", (form.parameters(0), form.signatures(first))
    yield "shared", (form.parameters(0), form.signatures(first, ("1.2.11", 0)))
    yield "orphans", (form.parameters(7, 0, 3), form.signatures(first))
    yield "orphan-only", (form.parameters(7), b"")
    yield "twice-parameters", (form.parameters(0, 1, 0), form.signatures(first, second))
    yield "without-id-parameters", (form.parameters(None, 0), form.signatures(first))
    yield "same-uid", (form.parameters(0, 1), form.signatures(first, ("1.2.10", 1)))
    yield "same-uid-below", (form.parameters(0), form.signatures(first), image)
    yield "no-mac-id", (form.parameters(0), form.signatures(("1.2.10", None)))
    yield "second-no-mac-id", (form.parameters(0), form.signatures(first, ("1.2.11", None)))
    yield "no-uid", (form.parameters(0, 1), form.signatures((None, 0), second))
    yield "no-parameters", (b"", form.signatures(first))
    yield "other-parameters", (form.parameters(5), form.signatures(first))
    yield "original", (form.parameters(0), form.signatures(first), b"", form.of(ORIGINAL, modified))
    yield "original-only", (b"", b"", b"", form.of(ORIGINAL, modified))
    yield "no-items", (form.parameters(0), form.of(SIGNATURES))
    yield "no-items-below", (form.parameters(0), form.signatures(first), form.of(IMAGES, form.of(SIGNATURES), image))
    yield "no-sequence", (form.parameters(0), form.element(SIGNATURES, "OB", b"\1\2"))
    yield "no-parameters-sequence", (form.element(PARAMETERS, "OB", b"\1\2"), form.signatures(first))
    yield "empty-parameters", (form.of(PARAMETERS), form.signatures(first))
    yield "no-certificate", (form.parameters(0), form.of(SIGNATURES, form.signature("1.2.10", 0, b"\x30\x02\5\0")))
    yield "item-only-signature", (b"", b"", form.of(IMAGES, form.parameters(0) + form.signatures(first)))


def _with_odd_signatures(form: Form) -> Iterator[tuple[str, bytes]]:
    for name, (parameters, signatures, *others) in _odd_signatures(form):
        images, original = (*others, b"", b"")[:2]
        yield (
            f"{name}.dcm",
            form.file(
                form.element(0x00080016, "UI", SOP_CLASS),
                form.element(0x00080018, "UI", SOP_INSTANCE),
                form.element(0x00080060, "CS", b"OT"),
                images,
                original,
                parameters,
                form.element(0x7FE00010, "OW", b"\1\2\3\4"),
                signatures,
            ),
        )


def _others() -> Iterator[tuple[str, bytes]]:
    form = FORMS["ele"]
    start = form.element(0x00080016, "UI", SOP_CLASS) + form.element(0x00080018, "UI", SOP_INSTANCE)
    yield "ob.dcm", form.file(start, form.element(0x7FE00010, "OB", b"\1\2\3\4"))
    yield "un-pixels.dcm", form.file(start, form.element(0x7FE00010, "UN", b"\1\2\3\4"))
    yield "jpeg-no-pixels.dcm", Form(JPEG_BASELINE).file(start, form.of(IMAGES, form.reference(5)))
    yield "jpeg-defined.dcm", Form(JPEG_BASELINE).file(start, form.element(0x7FE00010, "OB", b"\1\2\3\4"))
    yield "unknown-syntax.dcm", Form("1.2.3.4.5").file(start)
    yield "nothing.dcm", form.file()
    yield "only-unsignable.dcm", form.file(form.element(0x00091001, "UN", b"\1\2"))
    deep = form.of(CONTENT, form.element(0x0040A040, "CS", b"TEXT"))
    for _ in range(4):
        deep = form.of(CONTENT, form.element(0x0040A040, "CS", b"TEXT") + deep)
    yield "deep.dcm", form.file(start, deep)
    private = form.element(0x00090010, "LO", b"SOMEBODY") + form.of(0x00091010, form.reference(1), form.reference(2))
    yield "private-sequence.dcm", form.file(start, private)
    yield "un-name.dcm", form.file(start, form.element(0x00100010, "UN", b"DOE^JOHN"))
    inner = Form(IMPLICIT_LE)
    un_sequence = inner.item(inner.element(0x00081155, "UI", b"1.2.3\0"))
    yield "un-sequence.dcm", form.file(start, form.element(IMAGES, "UN", un_sequence))
    yield "wrong-vr.dcm", form.file(start, form.element(0x00100010, "LO", b"DOE^JOHN"))
    overlay = form.element(0x60000010, "US", b"\1\0") + form.element(0x60020010, "US", b"\2\0")
    yield "overlays.dcm", form.file(start, form.element(0x50000005, "US", b"\1\0"), overlay)


@cache
def stock() -> dict[str, bytes]:
    """Name and contents of every file."""
    found = {name: (VECTORS / vector).read_bytes() for name, vector in COPIES.items()}
    found |= {name: text.encode() for name, text in TEXTS.items()}
    for name, form in FORMS.items():
        found[f"{name}.dcm"] = study(form)
        found[f"{name}-nested.dcm"] = study(form, signed=True)
        if form.syntax != DEFLATED:
            found[f"bare-{name}.bin"] = _bare(found[f"{name}.dcm"])
            found[f"bare-{name}-nested.bin"] = _bare(found[f"{name}-nested.dcm"])
    found["bare.bin"] = _bare(found["in.dcm"])
    found["bare-signed.bin"] = _bare(found["signed.dcm"])
    found |= dict(_with_odd_signatures(FORMS["ele"])) | dict(_others())
    found["ili-same-uid.dcm"] = dict(_with_odd_signatures(FORMS["ili"]))["same-uid.dcm"]
    found["tampered.dcm"] = found["signed.dcm"].replace(b"DOE^JOHN", b"DOE^JANE")
    found["cut.dcm"] = found["in.dcm"][:0x114]
    found["no-prefix.dcm"] = found["in.dcm"][132:]
    found["wrong-syntax.dcm"] = found["in.dcm"].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", 1)
    return found | dict(_keys(found)) | dict(_damaged(found["signed.dcm"]))


def _bare(file: bytes) -> bytes:
    return file[144 + int.from_bytes(file[140:144], "little") :]


# name, sequence, what is removed from its item, what gets another value
DAMAGES: tuple[tuple[str, int, tuple[int, ...], dict[int, str | bytes]], ...] = (
    ("mac-id", SIGNATURES, (0x04000005,), {}),
    ("certificate", SIGNATURES, (0x04000115, 0x04000105, 0x04000100), {}),
    ("certificate-type", SIGNATURES, (), {0x04000110: "X509"}),
    ("values", SIGNATURES, (), {0x04000105: "", 0x04000115: b"", 0x04000100: ""}),
    ("signature", SIGNATURES, (0x04000120,), {}),
    ("empty-signature", SIGNATURES, (), {0x04000120: b""}),
    ("date", SIGNATURES, (), {0x04000105: "20"}),
    ("parameters", PARAMETERS, (0x04000020, 0x04000015, 0x04000010), {}),
    ("syntax", PARAMETERS, (), {0x04000010: "1.2.3", 0x04000015: "FOO"}),
    ("algorithm", PARAMETERS, (), {0x04000015: "FOO"}),
    ("elements", PARAMETERS, (0x04000020,), {}),
)


def _damaged(signed: bytes) -> Iterator[tuple[str, bytes]]:
    import pydicom

    for name, sequence, removed, changed in DAMAGES:
        data_set = pydicom.dcmread(BytesIO(signed))
        item = data_set[sequence].value[0]
        for tag in removed:
            del item[tag]
        for tag, value in changed.items():
            with warnings.catch_warnings(action="ignore"):  # the values are meant to be wrong
                item[tag].value = value
        buffer = BytesIO()
        data_set.save_as(buffer)
        yield f"damaged-{name}.dcm", buffer.getvalue()


def _keys(found: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(found["key.pem"], None)
    yield "encrypted.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    yield "key.der", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    yield "cert.der", _certificate()
