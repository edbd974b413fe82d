"""The certificates a caller trusts, those that may help to reach them, and the lists of those that were revoked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...codec.errors import BadCertificateFile, BadRevocationListFile
from ..io.files import read_whole
from .certificates import Certificate, Encoding, load_certificates
from .revocation import RevocationCheck, RevocationList, load_revocation_lists, read_revocation_list

if TYPE_CHECKING:
    from .directories import CertificateDirectory


@dataclass(frozen=True, slots=True)
class Trust:
    """Trust anchors, chain helpers and revocation lists; nothing else is ever trusted, neither the system's nor a file's.

    `trusted`: self-signed certificates among them are anchors, the others serve as links of chains only.
    `untrusted`: links of chains, never anchors.
    `revocation_lists`: who has been revoked.
    `directories`: where more trusted certificates and revocation lists are looked for, at every check.
    `revocation`: which certificates must have a revocation list of their issuer and be absent from it; None: every one
    of the chain if there are `revocation_lists`, else none (`Trust.load` looks into the directories as well).
    `partial_chain`: every trusted certificate is an anchor, self-signed or not.
    """

    NONE: ClassVar[Trust]
    """Trusts nobody."""

    trusted: tuple[Certificate, ...] = ()
    untrusted: tuple[Certificate, ...] = ()
    revocation_lists: tuple[RevocationList, ...] = ()
    directories: tuple[CertificateDirectory, ...] = ()
    revocation: RevocationCheck | None = None
    partial_chain: bool = False

    @classmethod
    def load(
        cls,
        *,
        trusted: Iterable[str | os.PathLike[str]] = (),
        untrusted: Iterable[str | os.PathLike[str]] = (),
        revocation_lists: Iterable[str | os.PathLike[str]] = (),
        directories: Iterable[str | os.PathLike[str]] = (),
        revocation: RevocationCheck | None = None,
        partial_chain: bool = False,
        encoding: Encoding = Encoding.PEM,
    ) -> Trust:
        """Read certificate and revocation list files: in PEM all certificates of each, in DER the one.

        A trusted PEM file must hold at least one certificate or revocation list, which counts too; an untrusted one
        may hold none, and lists in it do not count. Of a file in `revocation_lists` the first list counts. In
        `directories` (see CertificateDirectory) is looked when a chain is checked. `revocation` None: every certificate
        of the chain is checked if there is any list, also one in a directory, else none.

        Raises BadCertificateFile or BadRevocationListFile with the `path` of the first file or directory that cannot
        be read or decoded; whoever wants to go on without bad files loads them one by one and adds the results:
        ``trust + Trust.load(trusted=[path])``.
        """
        anchors: list[Certificate] = []
        lists: list[RevocationList] = []
        for path in trusted:
            certificates, contained = _read(path, encoding)
            if not certificates and not contained:
                raise BadCertificateFile("no certificate in this file", path=os.fspath(path))
            anchors += certificates
            lists += contained
        helpers = tuple(certificate for path in untrusted for certificate in _read(path, encoding)[0])
        lists += [read_revocation_list(path, encoding) for path in revocation_lists]
        folders = tuple(_directory(path, encoding) for path in directories)
        with_lists = [_holds_revocation_lists(folder) for folder in folders]
        if revocation is None and any(with_lists):
            revocation = RevocationCheck.CHAIN
        return cls(tuple(anchors), helpers, tuple(lists), folders, revocation, partial_chain)

    @property
    def has_anchors(self) -> bool:
        """Whether anybody may be trusted."""
        return bool(self.trusted or self.directories)

    @property
    def revocation_check(self) -> RevocationCheck:
        """Which certificates are checked against revocation lists, also where `revocation` does not say so."""
        if self.revocation is not None:
            return self.revocation
        return RevocationCheck.CHAIN if self.revocation_lists else RevocationCheck.NONE

    def __add__(self, other: Trust) -> Trust:
        """Everything of both; of two revocation checks the one that asks for more, and partial chains only if both allow them.

        Adding ``Trust.NONE`` on either side changes nothing.
        """
        if not isinstance(other, Trust):
            return NotImplemented
        if Trust.NONE in (self, other):
            return other if self == Trust.NONE else self
        asked = self.revocation is not None or other.revocation is not None
        return Trust(
            self.trusted + other.trusted,
            self.untrusted + other.untrusted,
            self.revocation_lists + other.revocation_lists,
            self.directories + other.directories,
            max(self.revocation_check, other.revocation_check) if asked else None,
            self.partial_chain and other.partial_chain,
        )


Trust.NONE = Trust()


def _read(path: str | os.PathLike[str], encoding: Encoding) -> tuple[tuple[Certificate, ...], tuple[RevocationList, ...]]:
    """The certificates of a file and, in PEM, its revocation lists: one that is broken spoils the file, as for OpenSSL."""
    name = os.fspath(path)
    try:
        data = read_whole(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadCertificateFile(getattr(error, "strerror", None) or "cannot be read", path=name) from error
    try:
        lists = load_revocation_lists(data, encoding, name=name) if encoding is Encoding.PEM else ()
    except BadRevocationListFile as error:
        raise BadCertificateFile(error.message, path=name) from None
    return load_certificates(data, encoding, name=name), lists


def _directory(path: str | os.PathLike[str], encoding: Encoding) -> CertificateDirectory:
    from .directories import CertificateDirectory  # few have any

    return CertificateDirectory(os.fspath(path), encoding)


def _holds_revocation_lists(folder: CertificateDirectory) -> bool:
    try:
        return folder.holds_revocation_lists()
    except (OSError, ValueError) as error:
        raise BadCertificateFile(getattr(error, "strerror", None) or "cannot be read", path=folder.path) from error
