"""Authorities, what they issue and revoke, and DICOM objects signed with one of their certificates."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from dcmsign.stream.trust.certificates import Certificate
from dcmsign.stream.trust.revocation import RevocationList
from dcmsign.stream.trust.signers import _sign
from OpenSSL import crypto

from tests.peers import require_peer
from tests.trust import forge
from tests.trust.objects import listing, signed_object, verdict

PAST, FUTURE = forge.utc("250601000000Z"), forge.utc("390101000000Z")
EARLIER, LATER = forge.utc("240101000000Z"), forge.utc("260101000000Z")
REVOKED_AT = forge.utc("260201000000Z")
SERIAL = 7
"""That of every signer's certificate; authorities have 3."""

FAILED = "signature is OK but certificate verification failed: "


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of an authority; that of "signer" and "alone" signs objects."""
    return forge.signing_key() if name in {"signer", "alone"} else ec.generate_private_key(ec.SECP256R1())


def issue(subject: str, issuer: str, *, subject_key: str = "", issuer_key: str = "", **options: bytes) -> bytes:
    """A certificate; all but those of "signer" and "alone" are authorities."""
    signer = subject in {"signer", "alone"}
    fields = {"serial": forge.integer(SERIAL if signer else 3), "rest": b"" if signer else forge.authority()}
    return forge.certificate(
        subject=forge.common_name(subject),
        issuer=forge.common_name(issuer),
        key=forge.key_info(key(subject_key or subject).public_key()),
        signed_by=key(issuer_key or issuer),
        **(fields | options),  # type: ignore[arg-type]
    )


def revoke(issuer: str, *serials: int | forge.Revoked, name: str = "", issuer_key: str = "", **options: object) -> bytes:
    """A revocation list of an authority, in DER; `name` is its name as the list has it."""
    entries = [(serial, REVOKED_AT) if isinstance(serial, int) else serial for serial in serials]
    signed_by = key(issuer_key or issuer)
    return forge.revocation_list(forge.common_name(name or issuer), signed_by, *entries, **options)  # type: ignore[arg-type]


@cache
def certificates() -> dict[str, bytes]:
    """root - middle - signer, root - direct, and alone, which is self-signed."""
    return {
        "root": issue("root", "root"),
        "old root": issue("root", "root", subject_key="old root", issuer_key="old root"),
        "middle": issue("middle", "root"),
        "signer": issue("signer", "middle"),
        "direct": issue("signer", "root"),
        "no lists": issue(
            "no lists", "no lists", rest=forge.extensions(("2.5.29.19", b"0\3\1\1\xff"), ("2.5.29.15", b"\3\2\2\4"))
        ),
        "of no lists": issue("signer", "no lists"),
        "alone": issue("alone", "alone"),
        "alone, expired": issue("alone", "alone", not_after=LATER),
        "other": issue("other", "other"),
    }


def hash_of(name: str) -> str:
    """OpenSSL's hash of the subject of a certificate, as files in directories are called."""
    return f"{crypto.load_certificate(crypto.FILETYPE_ASN1, certificates()[name]).subject_name_hash():08x}"


ROOT, MIDDLE = hash_of("root"), hash_of("middle")


def loaded(names: Sequence[str]) -> tuple[Certificate, ...]:
    return tuple(Certificate.from_der(certificates()[name]) for name in names)


def lists_of(*encodings: bytes) -> tuple[RevocationList, ...]:
    return tuple(map(RevocationList.from_der, encodings))


def list_pem(*encodings: bytes) -> bytes:
    return b"".join(forge.pem(encoding, "X509 CRL") for encoding in encodings)


@cache
def object_signed_with(certificate: str) -> bytes:
    """A file signed on 2025-12-01 with the certificate of this name."""
    encoding = certificates()[certificate]
    return signed_object(encoding, lambda digest: _sign(forge.signing_key(), digest, "SHA256"), date=b"20251201120000")


def dcmsign_says(folder: Path, certificate: str, *options: str | Path) -> str | None:
    """The reason for which dcmsign does not trust an object signed with the certificate, None if it does."""
    path = folder / "signed.dcm"
    path.write_bytes(object_signed_with(certificate))
    said = verdict(listing(require_peer("dcmsign"), path, *options))
    assert said == "OK" or said.startswith(FAILED), said
    return None if said == "OK" else said.removeprefix(FAILED)


def openssl_says(folder: Path, certificate: str, *options: str | Path) -> str | None:
    """The first error of ``openssl verify``, None if there is none."""
    path = folder / "certificate.pem"
    path.write_bytes(forge.pem(certificates()[certificate]))
    command = [require_peer("openssl"), "verify", "-no-CAfile", "-no-CApath", *options, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    errors = [line.partition("lookup: ")[2] for line in done.stderr.splitlines() if "lookup: " in line]
    assert bool(errors) == bool(done.returncode), done
    return errors[0] if errors else None
