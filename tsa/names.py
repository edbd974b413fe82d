"""X.501 names and GeneralNames (RFC 5280 4.1.2.4 and 4.2.1.6), printed and compared as OpenSSL does it."""

from __future__ import annotations

import re
from typing import Final

from . import ber
from .objects import dotted, long_name, short_name

_SET: Final = 0x31
_SEQUENCE: Final = 0x30
_OBJECT_IDENTIFIER: Final = 0x06
_UTF8_STRING: Final = 0x0C
_DIRECTORY_NAME: Final = 0xA4

_TEXT_FORMS: Final = {0x81: "email", 0x82: "DNS", 0x86: "URI"}
_UNSUPPORTED_FORMS: Final = {0xA0: "othername", 0xA3: "X400Name", 0xA5: "EdiPartyName"}
_IP_ADDRESS: Final = 0x87
_REGISTERED_ID: Final = 0x88

_COMPARED: Final = {
    _UTF8_STRING: "utf-8",
    0x13: "latin-1",
    0x14: "latin-1",
    0x16: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""Codecs of the strings that are compared as text, whatever their type: UTF8, Printable, T61, IA5, Universal, BMP."""

_NUMERIC_STRING: Final = 0x12
_OTHERS: Final = frozenset({0x03, _NUMERIC_STRING, _SEQUENCE})
"""What else OpenSSL takes as the value of an attribute: bit strings, numeric strings, sequences."""

_BLANKS: Final = re.compile(rb"[ \t\n\v\f\r]+")
_QUOTED: Final = frozenset(b"+,;<>")
_ESCAPED: Final = frozenset(b'"\\')


def canonical(name: bytes) -> bytes:
    """The form in which OpenSSL compares Names (DER): equal if they differ in case, blanks or string types only.

    Raises BerError, or UnicodeDecodeError for invalid UTF-8 (both are ValueErrors), if it is no Name.
    """
    relatives = ber.nodes(_expect(ber.node(name), _SEQUENCE).content)
    return b"".join(
        ber.tagged(_SET, b"".join(sorted(_canonical_attribute(*pair) for pair in _attributes(relative))))
        for relative in relatives
    )


def same_general_name(one: bytes, other: bytes) -> bool:
    """Whether two GeneralNames (DER) are equal: directory names in canonical form, the others byte for byte."""
    if one[:1] == other[:1] == bytes((_DIRECTORY_NAME,)):
        return canonical(ber.node(one).content) == canonical(ber.node(other).content)
    return one == other


def directory_name(name: bytes) -> bytes:
    """The GeneralName (DER) that holds a Name (DER)."""
    return ber.tagged(_DIRECTORY_NAME, name)


def check_general_name(encoding: bytes) -> bytes:
    """`encoding` if it is a GeneralName. Raises BerError."""
    found = ber.node(encoding)
    if found.tag == _DIRECTORY_NAME:
        canonical(found.content)
    elif found.tag == _REGISTERED_ID:
        dotted(found.content)
    elif found.tag != _IP_ADDRESS and found.tag not in _TEXT_FORMS and found.tag not in _UNSUPPORTED_FORMS:
        raise ber.BerError("no GeneralName")
    return encoding


def general_name_text(encoding: bytes) -> str:
    """A GeneralName (DER) as OpenSSL's GENERAL_NAME_print writes it: ``DNS:tsa.example``, ``DirName:C = DE, CN = TSA``."""
    tag, content, _ = ber.node(encoding)
    if tag == _DIRECTORY_NAME:
        return f"DirName:{name_text(content)}"
    if tag in _TEXT_FORMS:
        return f"{_TEXT_FORMS[tag]}:{''.join(chr(byte) if 0x20 <= byte <= 0x7E else '.' for byte in content)}"
    if tag == _IP_ADDRESS:
        return f"IP Address:{_address(content)}"
    if tag == _REGISTERED_ID:
        identifier = dotted(content)
        return f"Registered ID:{long_name(identifier) or identifier}"
    return f"{_UNSUPPORTED_FORMS[tag]}:<unsupported>"


def name_text(name: bytes) -> str:
    """A Name (DER) in OpenSSL's format `oneline`: ``C = DE, O = Example``, attributes of one relative name joined by `` + ``."""
    relatives = ber.nodes(ber.node(name).content)
    return ", ".join(" + ".join(_attribute_text(*pair) for pair in _attributes(relative)) for relative in relatives)


def _attributes(relative: ber.Node) -> list[tuple[ber.Node, ber.Node]]:
    """Type and value of each attribute of a relative distinguished name."""
    pairs = []
    for attribute in ber.nodes(_expect(relative, _SET).content):
        kind, value = _pair(attribute)
        dotted(_expect(kind, _OBJECT_IDENTIFIER).content)
        pairs.append((kind, value))
    return pairs


def _pair(attribute: ber.Node) -> tuple[ber.Node, ber.Node]:
    members = list(ber.nodes(_expect(attribute, _SEQUENCE).content))
    if len(members) != 2:
        raise ber.BerError("attribute is no pair of type and value")
    return members[0], members[1]


def _expect(found: ber.Node, tag: int) -> ber.Node:
    if found.tag != tag:
        raise ber.BerError(f"tag {found.tag:02x} where {tag:02x} belongs")
    return found


def _canonical_attribute(kind: ber.Node, value: ber.Node) -> bytes:
    codec = _COMPARED.get(value.tag)
    if codec is None:
        if value.tag not in _OTHERS:
            raise ber.BerError("attribute value is no string")
        return ber.tagged(_SEQUENCE, kind.encoding + value.encoding)
    if codec == "utf-8":
        value.content.decode()  # OpenSSL refuses names that are not valid UTF-8
    text = _BLANKS.sub(b" ", value.content.decode(codec, "replace").encode()).strip(b" ").lower()  # ASCII letters only
    return ber.tagged(_SEQUENCE, kind.encoding + ber.tagged(_UTF8_STRING, text))


def _attribute_text(kind: ber.Node, value: ber.Node) -> str:
    identifier = dotted(kind.content)
    return f"{short_name(identifier) or identifier} = {_value_text(value)}"


def _value_text(value: ber.Node) -> str:
    """ASN1_STRING_print_ex with the flags of `oneline`: RFC 2253 escapes, quotation marks instead of most backslashes."""
    codec = "latin-1" if value.tag == _NUMERIC_STRING else _COMPARED.get(value.tag)
    if codec is None:
        return f"#{value.encoding.hex().upper()}"
    text = value.content if codec == "utf-8" else value.content.decode(codec, "replace").encode()
    characters = [f"\\{byte:02X}" if not 0x20 <= byte <= 0x7E else chr(byte) for byte in text]
    characters = [
        f"\\{character}" if len(character) == 1 and ord(character) in _ESCAPED else character for character in characters
    ]
    quoted = text[:1] in (b" ", b"#") or text[-1:] == b" " or not _QUOTED.isdisjoint(text)
    return f'"{"".join(characters)}"' if quoted else "".join(characters)


def _address(content: bytes) -> str:
    if len(content) == 4:
        return ".".join(map(str, content))
    if len(content) == 16:
        return ":".join(f"{int.from_bytes(content[at : at + 2], 'big'):X}" for at in range(0, 16, 2))
    return f"<invalid length={len(content)}>"
