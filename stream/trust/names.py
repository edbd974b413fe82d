"""Distinguished names: OpenSSL's one-line form (``/C=DE/O=Example/CN=Alice``), its canonical form, and the hash of that."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from . import der

_ARCS: Final = {
    "2.5.4": """
        3 CN 4 SN 5 serialNumber 6 C 7 L 8 ST 9 street 10 O 11 OU 12 title 13 description 14 searchGuide 15
        businessCategory 16 postalAddress 17 postalCode 18 postOfficeBox 19 physicalDeliveryOfficeName 20
        telephoneNumber 21 telexNumber 22 teletexTerminalIdentifier 23 facsimileTelephoneNumber 24 x121Address 25
        internationaliSDNNumber 26 registeredAddress 27 destinationIndicator 28 preferredDeliveryMethod 29
        presentationAddress 30 supportedApplicationContext 31 member 32 owner 33 roleOccupant 34 seeAlso 35
        userPassword 36 userCertificate 37 cACertificate 38 authorityRevocationList 39 certificateRevocationList 40
        crossCertificatePair 41 name 42 GN 43 initials 44 generationQualifier 45 x500UniqueIdentifier 46 dnQualifier
        47 enhancedSearchGuide 48 protocolInformation 49 distinguishedName 50 uniqueMember 51 houseIdentifier 52
        supportedAlgorithms
        53 deltaRevocationList 54 dmdName 65 pseudonym 72 role 97 organizationIdentifier 98 c3 99 n3 100 dnsName""",
    "0.9.2342.19200300.100.1": """
        1 UID 2 textEncodedORAddress 3 mail 4 info 5 favouriteDrink 6 roomNumber 7 photo 8 userClass 9 host 10 manager
        11 documentIdentifier 12 documentTitle 13 documentVersion 14 documentAuthor 15 documentLocation 20
        homeTelephoneNumber 21 secretary 22 otherMailbox 23 lastModifiedTime 24 lastModifiedBy 25 DC 26 aRecord 27
        pilotAttributeType27 28 mXRecord 29 nSRecord 30 sOARecord 31 cNAMERecord 37 associatedDomain 38 associatedName
        39 homePostalAddress 40 personalTitle 41 mobileTelephoneNumber 42 pagerTelephoneNumber 43 friendlyCountryName
        44 uid 45 organizationalStatus 46 janetMailbox 47 mailPreferenceOption 48 buildingName 49 dSAQuality 50
        singleLevelQuality 51 subtreeMinimumQuality 52 subtreeMaximumQuality 53 personalSignature 54 dITRedirect
        55 audio 56 documentPublisher""",
    "1.2.840.113549.1.9": """
        1 emailAddress 2 unstructuredName 3 contentType 4 messageDigest 5 signingTime 6 countersignature
        7 challengePassword 8 unstructuredAddress 9 extendedCertificateAttributes 14 extReq 15 SMIME-CAPS 16 SMIME
        20 friendlyName 21 localKeyID""",
    "1.3.6.1.5.5.7.9": """
        1 id-pda-dateOfBirth 2 id-pda-placeOfBirth 3 id-pda-gender 4 id-pda-countryOfCitizenship
        5 id-pda-countryOfResidence""",
    "1.3.6.1.4.1.311.20.2": "2 msSmartcardLogin 3 msUPN",
    "1.3.6.1.4.1.311.60.2.1": "1 jurisdictionL 2 jurisdictionST 3 jurisdictionC",
    "1.2.643.3.131.1": "1 INN",
    "1.2.643.100": "1 OGRN 3 SNILS 5 OGRNIP 111 subjectSignTool 112 issuerSignTool 113 classSignTool",
}


def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for arc, text in _ARCS.items():
        words = text.split()
        table |= {f"{arc}.{number}": name for number, name in zip(words[::2], words[1::2], strict=True)}
    return table


SHORT_NAMES: Final = _table()
"""OpenSSL's short names of attribute types, by object identifier; types without one are shown in dotted form."""

_STRINGS: Final = {
    der.BIT_STRING: 1,
    der.UTF8_STRING: 1,
    der.NUMERIC_STRING: 1,
    der.PRINTABLE_STRING: 1,
    der.T61_STRING: 1,
    der.IA5_STRING: 1,
    der.UNIVERSAL_STRING: 4,
    der.BMP_STRING: 2,
    der.SEQUENCE: 1,
}
"""What OpenSSL takes as the value of an attribute, with the octets per character."""

_CHARACTERS: Final = [
    f"\\{chr(byte)}" if byte in b"/+" else chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02X}" for byte in range(256)
]
"""What each byte of a value looks like; slash and plus separate attributes."""

_CODECS: Final = {
    der.UTF8_STRING: "utf-8",
    der.PRINTABLE_STRING: "latin-1",
    der.T61_STRING: "latin-1",
    der.IA5_STRING: "latin-1",
    der.UNIVERSAL_STRING: "utf-32-be",
    der.BMP_STRING: "utf-16-be",
}
"""The strings that are compared as text, whatever their type."""

_BLANKS: Final = re.compile(rb"[ \t\n\v\f\r]+")

_OID_ROOM: Final = 79
"""Characters of a dotted type that OpenSSL shows."""


def one_line(name: der.Node) -> str:
    """Text of an X.501 Name. Raises DerError, or ValueError for text that is not UTF-8.

    Values appear as the bytes they are encoded with, whatever their string type: bytes outside printable ASCII as ``\\xC3``, a
    slash as ``\\/``, a plus as ``\\+``. Attributes of one multi-valued relative name are joined by ``+``.
    """
    parts: list[str] = []
    for relative in der.children(name):
        if relative.tag != der.SET:
            raise der.DerError("relative distinguished name is no set")
        separator = "/"
        for attribute in der.children(relative):
            pair = list(der.children(attribute)) if attribute.tag == der.SEQUENCE else []
            if len(pair) != 2 or pair[0].tag != der.OBJECT_IDENTIFIER:
                raise der.DerError("attribute is no pair of type and value")
            parts.append(f"{separator}{_type_text(pair[0])}={_value_text(pair[1])}")
            separator = "+"
    return "".join(parts)


def canonical(name: der.Node) -> bytes:
    """The form in which OpenSSL compares names: equal for names that differ in case, blanks or string types only.

    `name` is one that `one_line` takes. Text that cannot be decoded is replaced: OpenSSL refuses such names.
    """
    return b"".join(_tlv(der.SET, *sorted(map(_canonical_attribute, der.children(relative)))) for relative in der.children(name))


def name_hash(canonical_name: bytes) -> int:
    """OpenSSL's X509_NAME_hash, which directories of certificates are ordered by."""
    return int.from_bytes(hashlib.sha1(canonical_name, usedforsecurity=False).digest()[:4], "little")


def _canonical_attribute(attribute: der.Node) -> bytes:
    kind, value = der.children(attribute)
    codec = _CODECS.get(value.tag)
    if codec is None:
        return _tlv(der.SEQUENCE, bytes(kind.encoding), bytes(value.encoding))
    text = _BLANKS.sub(b" ", bytes(value.content).decode(codec, "replace").encode()).strip(b" ").lower()  # ASCII letters only
    return _tlv(der.SEQUENCE, bytes(kind.encoding), _tlv(der.UTF8_STRING, text))


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _type_text(kind: der.Node) -> str:
    dotted = der.dotted(kind)
    return SHORT_NAMES.get(dotted, dotted[:_OID_ROOM])


def _value_text(value: der.Node) -> str:
    content = bytes(value.content)
    width = _STRINGS.get(value.tag)
    if width is None or len(content) % width:
        raise der.DerError("attribute value is no string")
    if value.tag == der.UTF8_STRING:
        content.decode()  # OpenSSL refuses names that are not valid UTF-8
    elif value.tag == der.BIT_STRING:
        if not content:
            raise der.DerError("empty bit string")
        content = content[1:]  # the number of unused bits
    elif value.tag == der.SEQUENCE:
        content = bytes(value.encoding)
    return "".join(map(_CHARACTERS.__getitem__, content))
