"""Timestamp tokens: TimeStampToken, a CMS SignedData over a TSTInfo (RFC 3161 2.4.2, RFC 5652)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from ..codec.errors import BadTimestampToken
from . import ber, imprints
from .dump import dump
from .names import canonical, check_general_name, general_name_text
from .times import parse_time

UNREADABLE_TOKEN: Final = "unable to read certified timestamp in dataset"
"""dcmsign's words for what is no CMS SignedData with signers known by issuer and serial number."""

UNREADABLE_CONTENT: Final = "unable to read certified timestamp ticket in dataset"
"""dcmsign's words for a SignedData without a TSTInfo in it."""

_OCTET_STRING: Final = 0x04
_SET: Final = 0x31


class Accuracy(NamedTuple):
    """How far genTime may be off; seconds, thousandths and millionths of a second."""

    seconds: int
    millis: int
    micros: int


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """Who signed a token, and how.

    `issuer` (a DER Name) and `serial` say whose certificate to use; `digest_oid` and `signature_oid` are dotted.
    `signed_bytes` is what the signature covers: the SET OF signed attributes with tag 31, None if there are none.
    `attributes` are those attributes: identifier and values (DER) of each.
    """

    issuer: bytes
    serial: int
    digest_oid: str
    signature_oid: str
    signature: bytes = field(repr=False)
    signed_bytes: bytes | None = field(repr=False)
    attributes: tuple[tuple[str, tuple[bytes, ...]], ...] = field(repr=False)

    def attribute(self, oid: str) -> tuple[bytes, ...]:
        """The values (DER) of the first signed attribute of this type; empty without one."""
        return next((values for kind, values in self.attributes if kind == oid), ())


@dataclass(frozen=True, slots=True)
class Token:
    """A timestamp token.

    `raw` is what is stored in Certified Timestamp (0400,0310): the bytes of the authority, indefinite lengths made definite.
    `version`, `policy` (dotted), `algorithm` (a key of IMPRINTS, else a dotted identifier), `imprint`, `serial`, `nonce`,
    `ordering`, `accuracy` are the fields of the TSTInfo. `gen_time` is the text of its time, `time` the moment in UTC, with
    fractions of a second dropped: None if the text is no time. `tsa` is the GeneralName (DER), `content` the TSTInfo as signed.
    `extensions` are identifiers and values. `certificates` (DER) are embedded and nothing more: trusted by nobody.
    """

    raw: bytes = field(repr=False)
    version: int
    policy: str
    algorithm: str
    imprint: bytes
    serial: int
    gen_time: str
    time: datetime | None
    accuracy: Accuracy | None
    ordering: bool
    nonce: int | None
    tsa: bytes | None = field(repr=False)
    extensions: tuple[tuple[str, bytes], ...] = field(repr=False)
    content: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(repr=False)
    digest_oids: tuple[str, ...]
    signers: tuple[SignerInfo, ...]

    @classmethod
    def from_der(cls, data: bytes) -> Self:
        """The token at the beginning of `data`, in DER or BER; bytes behind it (DICOM's padding) are ignored.

        Raises BadTimestampToken with the message UNREADABLE_TOKEN or UNREADABLE_CONTENT; `__cause__` has the details.
        """
        from . import structures

        try:
            raw = ber.read(data).definite
            fields, content = _signed_data(raw)
        except structures.MALFORMED as error:
            raise BadTimestampToken(UNREADABLE_TOKEN) from error
        try:
            return cls(raw=raw, **fields, **_tst_info(content))
        except structures.MALFORMED as error:
            raise BadTimestampToken(UNREADABLE_CONTENT) from error

    @property
    def algorithm_text(self) -> str:
        """Imprint algorithm as dcmsign prints it: OpenSSL's long name (``sha256``), dotted if there is none."""
        return imprints.long_name(self.algorithm) or self.algorithm

    @property
    def serial_text(self) -> str:
        """Serial number as dcmsign prints it: ``0x4D``."""
        return _hexadecimal(self.serial)

    @property
    def nonce_text(self) -> str:
        """Nonce as dcmsign prints it: ``0x3DA262AE3C01DF53`` or ``none``."""
        return "none" if self.nonce is None else _hexadecimal(self.nonce)

    @property
    def tsa_text(self) -> str:
        """Name of the authority as dcmsign prints it: ``DirName:C = DE, CN = Example TSA``, ``DNS:tsa.example``, ``none``."""
        return "none" if self.tsa is None else general_name_text(self.tsa)

    @property
    def accuracy_text(self) -> str:
        """Accuracy as dcmsign prints it: ``1.500100s``, ``1.000s``, ``not specified``."""
        if self.accuracy is None or self.accuracy.seconds < 0:
            return "not specified"
        seconds, millis, micros = self.accuracy
        return f"{seconds}.{millis:03}{f'{micros:03}' if micros > 0 else ''}s"

    @property
    def extension_lines(self) -> tuple[str, ...]:
        """The lines dcmsign prints below ``Extensions``, none without extensions.

        Extension by extension OpenSSL's dump of the ASN.1, the first line behind a dash, and an empty line.
        """
        lines: list[str] = []
        for _, value in self.extensions:
            first, *others = (*dump(value), "")
            lines += (f"        - {first}", *others)
        return tuple(lines)


def _signed_data(raw: bytes) -> tuple[dict[str, Any], bytes | None]:
    """Fields of the SignedData, and its content: None if there is none, or not a TSTInfo."""
    from . import structures

    outer = structures.ContentInfo.load(raw, strict=True)
    if structures.dotted(outer["type"]) != structures.SIGNED_DATA:
        raise ValueError("no SignedData")
    signed = structures.SignedData.load(structures.inner(outer["content"]), strict=True)
    structures.integer(signed["version"])
    fields = {
        "digest_oids": tuple(structures.dotted(algorithm["algorithm"]) for algorithm in signed["digest_algorithms"]),
        "certificates": tuple(_certificate(value.dump()) for value in signed["certificates"]),
        "signers": tuple(_signer(value) for value in signed["signers"]),
    }
    inner = signed["content"]
    if structures.dotted(inner["type"]) != structures.TST_INFO or not structures.present(inner["content"]):
        return fields, None
    content = ber.node(structures.inner(inner["content"]))
    return fields, content.content if content.tag == _OCTET_STRING else None


def _certificate(encoding: bytes) -> bytes:
    """`encoding` if it is a certificate with names that can be read."""
    from . import structures

    body = structures.Certificate.load(encoding, strict=True)["body"]
    canonical(body["issuer"].dump())
    canonical(body["subject"].dump())
    return encoding


def _signer(signer: Any) -> SignerInfo:
    from . import structures

    structures.integer(signer["version"])
    attributes = signer["signed_attributes"]
    issuer = signer["identifier"]["issuer"].dump()
    canonical(issuer)
    return SignerInfo(
        issuer=issuer,
        serial=structures.integer(signer["identifier"]["serial"]),
        digest_oid=structures.dotted(signer["digest_algorithm"]["algorithm"]),
        signature_oid=structures.dotted(signer["signature_algorithm"]["algorithm"]),
        signature=signer["signature"].contents,
        # RFC 5652 5.4: the signature covers a SET OF, whatever the tag in the structure; the order is the authority's
        signed_bytes=ber.tagged(_SET, attributes.contents) if structures.present(attributes) else None,
        attributes=tuple(
            (structures.dotted(attribute["type"]), tuple(value.dump() for value in attribute["values"]))
            for attribute in attributes
        ),
    )


def _tst_info(content: bytes | None) -> dict[str, Any]:
    """Fields of the TSTInfo in the content of a SignedData."""
    from . import structures

    if content is None:
        raise ValueError("content is no TSTInfo")
    info = structures.TstInfo.load(ber.read(content).definite, strict=True)
    imprint, accuracy = info["message_imprint"], info["accuracy"]
    parts = [accuracy[part] for part in Accuracy._fields] if structures.present(accuracy) else []
    numbers = [structures.c_long(part) if structures.present(part) else 0 for part in parts]
    gen_time = info["gen_time"].contents
    return {
        "content": content,
        "version": structures.c_long(info["version"]),
        "policy": structures.dotted(info["policy"]),
        "algorithm": imprints.algorithm_name(structures.dotted(imprint["hash_algorithm"]["algorithm"])),
        "imprint": imprint["hashed_message"].contents,
        "serial": structures.integer(info["serial"]),
        "gen_time": gen_time.decode("latin-1"),
        "time": parse_time(gen_time),
        "accuracy": Accuracy(*numbers) if parts else None,
        "ordering": bool(info["ordering"].native),
        "nonce": structures.integer(info["nonce"]) if structures.present(info["nonce"]) else None,
        "tsa": check_general_name(structures.inner(info["tsa"])) if structures.present(info["tsa"]) else None,
        "extensions": tuple((entry.oid, entry.value) for entry in structures.extension_list(info["extensions"])),
    }


def _hexadecimal(number: int) -> str:
    return f"0x{'-' if number < 0 else ''}{abs(number):X}"
