"""Attacks on signed objects: what somebody without a key the verifier trusts can do to one."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, Final

import anyio
import pydicom
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from dcmsign.stream import sign
from dcmsign.stream.trust.signers import _sign
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from tests.interop import build, dcmtk
from tests.stream.crafted import SIGNED as LISTED
from tests.stream.crafted import even
from tests.stream.material import element
from tests.trust import forge
from tests.trust.objects import signed_object as object_signed_by
from tests.tsa.stamped import read

NAME, COMMENTS, REFERENCES, SERIES = 0x00100010, 0x00104000, 0x00081140, 0x00081115
MAC_PARAMETERS, SIGNATURES = 0x4FFE0001, 0xFFFAFFFA
MAC_ID, ALGORITHM, TYPE, CERTIFICATE, SIGNATURE = 0x04000005, 0x04000015, 0x04000110, 0x04000115, 0x04000120
STAMP_TYPE, STAMP = 0x04000305, 0x04000310
PATIENT: Final = element(NAME, "PN", b"Doe^Jane")
OTHER_PATIENT: Final = element(NAME, "PN", b"Roe^Joe ")
REFERENCE: Final = element(0x00081155, "UI", b"1.2.3.5\0")


def signed(data: bytes, *, key: str = "ec", **options: Any) -> bytes:
    """Signed with one of the keys of the tests."""
    target = io.BytesIO()
    anyio.run(partial(sign, data, target, signer=dcmtk.signer(key), **options))
    return target.getvalue()


def image(uid: bytes = build.SOP_INSTANCE) -> bytes:
    """An unsigned object with two sequences."""
    writer = build.Writer()
    references = [writer.item(REFERENCE), writer.item(REFERENCE)]
    series = [writer.item(writer.element(0x0020000E, "UI", b"1.2\0"))]
    parts = (
        build.meta(build.EXPLICIT_LE),
        build.common(writer).replace(build.SOP_INSTANCE, uid),
        writer.sequence(SERIES, series),
        writer.sequence(REFERENCES, references),
        PATIENT,
        writer.element(0x00280010, "US", b"\2\0"),
        writer.element(0x7FE00010, "OW", b"\1\2\3\4"),
    )
    return b"".join(parts)


@cache
def whole() -> bytes:
    """Everything is signed."""
    return signed(image())


@cache
def partly() -> bytes:
    """The name and one of the sequences are signed."""
    return signed(image(), tags=[NAME, REFERENCES])


@cache
def twice() -> bytes:
    """Two signatures over the whole."""
    return signed(signed(image(), tags=[0x00080018]), key="rsa", tags=[NAME])


@cache
def by_rsa() -> bytes:
    """Everything is signed, with RSA."""
    return signed(image(), key="rsa")


@cache
def stamped() -> bytes:
    """With a certified timestamp."""
    return read("stamped/granted-sha256.dcm")


def opened(data: bytes) -> Dataset:
    """As pydicom reads it."""
    return pydicom.dcmread(io.BytesIO(data), force=True)


def written(dataset: Dataset, **options: Any) -> bytes:
    """As pydicom writes it."""
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(target, **options)
    return target.getvalue()


def edited(edit: Callable[[Dataset], object], source: Callable[[], bytes] = whole) -> Callable[[], bytes]:
    """An attack that changes what pydicom has read."""

    def make() -> bytes:
        dataset = opened(source())
        edit(dataset)
        return written(dataset)

    return make


def in_bytes(old: bytes, new: bytes, source: Callable[[], bytes] = whole) -> Callable[[], bytes]:
    """An attack that replaces bytes, which have to be there."""

    def make() -> bytes:
        data = source()
        assert old in data
        return data.replace(old, new, 1)

    return make


def signature_item(dataset: Dataset, number: int = 0) -> Dataset:
    """A signature."""
    item: Dataset = dataset[SIGNATURES].value[number]
    return item


def parameters(dataset: Dataset, number: int = 0) -> Dataset:
    """The MAC parameters of a signature."""
    item: Dataset = dataset[MAC_PARAMETERS].value[number]
    return item


def put(tag: int, vr: str, value: Any, *path: int) -> Callable[[Dataset], None]:
    """Adds a data element to the main data set, or to the first item of the sequence that `path` names."""

    def edit(dataset: Dataset) -> None:
        for step in path:
            dataset = dataset[step].value[0]
        dataset.add_new(tag, vr, value)

    return edit


def take(tag: int, *path: int) -> Callable[[Dataset], None]:
    """Removes a data element."""

    def edit(dataset: Dataset) -> None:
        for step in path:
            dataset = dataset[step].value[0]
        del dataset[tag]

    return edit


def moved(into: int) -> Callable[[Dataset], None]:
    """Moves the patient's name into the first item of a sequence."""

    def edit(dataset: Dataset) -> None:
        dataset[into].value[0].add(dataset[NAME])
        del dataset[NAME]

    return edit


def lengths(undefined: bool) -> Callable[[Dataset], None]:
    """Changes the form of all lengths."""

    def edit(dataset: Dataset) -> None:
        for found in dataset:
            if found.VR == "SQ":
                found.is_undefined_length = undefined
                for item in found.value:
                    item.is_undefined_length_sequence_item = undefined
                    edit(item)

    return edit


def implicit() -> bytes:
    """In implicit VR."""
    dataset = opened(whole())
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return written(dataset, little_endian=True, implicit_vr=True)


def deflated() -> bytes:
    """The data set deflated."""
    data = whole()
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(wbits=-15)
    return build.meta(build.DEFLATED) + packer.compress(data[start:]) + packer.flush()


# ---------------------------------------------------------------- certificates and signature values


@cache
def own_key() -> ec.EllipticCurvePrivateKey:
    """Of the attacker."""
    return ec.generate_private_key(ec.SECP256R1())


def same_name() -> bytes:
    """A certificate with the subject of the signer's, and the attacker's key."""
    subject = x509.load_der_x509_certificate(dcmtk.signer("ec").certificate.der).subject.public_bytes()
    return forge.certificate(
        subject=subject, issuer=subject, key=forge.key_info(own_key().public_key()), signed_by=own_key(), rest=forge.authority()
    )


def other_key(dataset: Dataset) -> None:
    """The certificate is replaced, the signature value is not."""
    signature_item(dataset)[CERTIFICATE].value = even(same_name())


def signed_anew() -> bytes:
    """Signed by the attacker, under the name of the signer."""
    return object_signed_by(same_name(), lambda digest: _sign(own_key(), digest, "SHA256"))


def other_name(dataset: Dataset) -> None:
    """A certificate with other names for the signer's key: what any authority would issue to the owner, or by mistake."""
    pem = (dcmtk.VECTORS / "key-ec.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    other = forge.certificate(
        subject=forge.common_name("somebody else"), key=forge.key_info(key.public_key()), signed_by=own_key()
    )
    signature_item(dataset)[CERTIFICATE].value = even(other)


def value(change: Callable[[bytes], bytes]) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        found = signature_item(dataset)[SIGNATURE]
        found.value = even(change(found.value))

    return edit


def der_of(value: bytes) -> bytes:
    return value[: 2 + value[1]]


def mirrored(value: bytes) -> bytes:
    """The other s that ECDSA accepts: order - s."""
    key = dcmtk.signer("ec").certificate
    public = x509.load_der_x509_certificate(key.der).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    r, s = decode_dss_signature(der_of(value))
    return encode_dss_signature(r, ORDERS[public.curve.name] - s)


ORDERS: Final = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
"""SEC 2 2.4.2, 2.5.1."""


def long_form(value: bytes) -> bytes:
    """A length of the signature's DER in more bytes than needed."""
    short = der_of(value)
    return short[:1] + b"\x81" + short[1:]


# ---------------------------------------------------------------- signatures


def appended(data: bytes, source: Callable[[], bytes] = whole) -> Callable[[], bytes]:
    """Bytes behind the object."""
    return lambda: source() + data


def inside(data: bytes) -> Callable[[], bytes]:
    """Data elements put into the first item of the signed sequence: its lengths are corrected."""

    def make() -> bytes:
        writer = build.Writer()
        before = [writer.item(REFERENCE), writer.item(REFERENCE)]
        after = [writer.item(data), writer.item(REFERENCE)]
        return in_bytes(writer.sequence(REFERENCES, before), writer.sequence(REFERENCES, after))()

    return make


def copied(source: Callable[[], bytes]) -> Callable[[], bytes]:
    """The signatures of an object in another one of the same patient."""

    def make() -> bytes:
        target = opened(image(b"6.6.6.6\0"))
        found = opened(source())
        target.file_meta.MediaStorageSOPInstanceUID = target.SOPInstanceUID
        target.add(found[MAC_PARAMETERS])
        target.add(found[SIGNATURES])
        return written(target)

    return make


def swapped_ids(dataset: Dataset) -> None:
    """Each signature gets the MAC parameters of the other one."""
    first, second = (parameters(dataset, number)[MAC_ID].value for number in range(2))
    parameters(dataset, 0)[MAC_ID].value, parameters(dataset, 1)[MAC_ID].value = second, first


def listing(change: Callable[[list[Any]], Iterable[Any]]) -> Callable[[Dataset], None]:
    """Changes Data Elements Signed."""

    def edit(dataset: Dataset) -> None:
        found = parameters(dataset)[LISTED]
        found.value = list(change(list(found.value)))

    return edit


def other_token() -> bytes:
    """The timestamp of another signature."""
    target, source = opened(stamped()), opened(read("stamped/granted-sha384.dcm"))
    item = signature_item(target)
    item[STAMP].value = signature_item(source)[STAMP].value
    return written(target)


def without_token(dataset: Dataset) -> None:
    """The timestamp is taken away."""
    del signature_item(dataset)[STAMP_TYPE]
    del signature_item(dataset)[STAMP]


def purpose(dataset: Dataset) -> None:
    """A purpose is put into the signature."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "5", "ASTM-sigpurpose", "Verification Signature"
    signature_item(dataset).add_new(0x04000401, "SQ", Sequence([code]))


def unsigned(dataset: Dataset) -> None:
    """No signature is left, nor a trace of one."""
    del dataset[MAC_PARAMETERS]
    del dataset[SIGNATURES]


PROGRAM: Final = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(60)
"""The beginning of a program for Windows, 128 bytes."""
