"""Throw-away certificates for time-stamping authorities, HTTPS servers and their clients."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER, TIME_STAMPING = (
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.TIME_STAMPING,
)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Identity:
    """Files with a certificate and its key in PEM."""

    certificate: Path
    key: Path


@dataclass
class CertificationAuthority:
    """A self-signed authority whose certificate, `certificate`, and whatever it issues are files in `folder`; good for a day."""

    folder: Path
    name: str = "Example CA"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self.name, self.key, ca=True).add_extension(usage, critical=True)
        self.certificate = self.folder / f"{self.name}.pem"
        self.certificate.write_bytes(self._signed(builder))

    def _builder(self, subject: str, key: Key, *, ca: bool) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder(
                subject_name=_name(subject),
                issuer_name=_name(self.name),
                public_key=key.public_key(),
                serial_number=x509.random_serial_number(),
                not_valid_before=now - timedelta(hours=1),
                not_valid_after=now + timedelta(days=1),
            )
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(identifier, critical=False)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, subject: str, purpose: x509.ObjectIdentifier, *hosts: str, key: Key | None = None) -> Identity:
        """A certificate for one purpose and, for servers, these host names or addresses; the default key is on P-256."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = self._builder(subject, key, ca=False).add_extension(usage, critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        identity = Identity(self.folder / f"{subject}.pem", self.folder / f"{subject}.key")
        identity.certificate.write_bytes(self._signed(builder))
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        identity.key.touch(mode=0o600)
        identity.key.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
        return identity
