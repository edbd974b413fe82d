"""The block that dcmsign prints about a token."""

from __future__ import annotations

from dcmsign.tsa.token import Token


def block(token: Token) -> list[str]:
    """The lines up to the extensions, without their prefix."""
    fields = {
        "Policy OID": token.policy,
        "Imprint MAC algorithm": token.algorithm_text,
        "Serial number": token.serial_text,
        "Nonce": token.nonce_text,
        "TSA Name": token.tsa_text,
        "Ordering": str(token.ordering).lower(),
        "Accuracy": token.accuracy_text,
        "Timestamp": token.gen_time,
        "Extensions": "none",
    }
    lines = [f"  Certified timestamp         : CMS_TSP version {token.version}"]
    lines += [f"      {name:24}: {value}" for name, value in fields.items()]
    if token.extension_lines:
        lines[-1] = f"      {'Extensions':24}:"
    return [*lines, *token.extension_lines]
