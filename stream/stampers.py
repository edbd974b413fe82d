"""Where the timestamp of a new signature comes from: query files for later, or an authority that is asked at once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..codec.dicom.events import IMPLICIT
from ..codec.dicom.headers import element_header
from ..codec.dicom.meta import GENERIC_SOP_CLASS, meta_header
from ..codec.dicom.syntaxes import IMPLICIT_LE
from ..codec.dicom.tags import DIGITAL_SIGNATURE_UID
from ..codec.dicom.values import normal_uid
from ..codec.errors import BadPolicy, SigningError
from .io.threads import run_in_thread

if TYPE_CHECKING:
    from ..tsa.client import TimestampClient

log = logging.getLogger("dcmsign.stream.sign")


class Stamper(Protocol):
    """Gets the value and the UID of a new signature; gives a timestamp token (DER), None if there is none yet."""

    async def stamp(self, signature: bytes, uid: str, new_uid: Callable[[], str]) -> bytes | None:
        """See the class. Raises SigningError or TimestampError; then nothing is signed."""


@dataclass(frozen=True, slots=True)
class AuthorityStamper:
    """Asks a time-stamping authority, so that the output carries the timestamp."""

    client: TimestampClient

    async def stamp(self, signature: bytes, uid: str, new_uid: Callable[[], str]) -> bytes | None:
        """The authority's token, after all checks of the client."""
        reply = (await self.client.timestamp(signature)).reply
        assert reply.token is not None
        return reply.token.raw


@dataclass(frozen=True, slots=True)
class QueryFiles:
    """Writes a timestamp query, and a DICOM file that names the signature, for `insert_timestamp` later (RFC 3161 2.4.1).

    A file whose name is empty is left out, with a warning. `algorithm`: of the imprint, a key of MAC_ALGORITHMS. `policy`: object
    identifier or OpenSSL's name of one. `nonce`: 64 random bits. `certificate`: ask for the authority's certificate.
    """

    query_file: str
    uid_file: str
    algorithm: str = "SHA256"
    policy: str | None = None
    nonce: bool = True
    certificate: bool = True

    async def stamp(self, signature: bytes, uid: str, new_uid: Callable[[], str]) -> bytes | None:
        """Write the files; there is no timestamp yet."""
        await run_in_thread(self._write, signature, uid, new_uid)
        return None

    def _write(self, signature: bytes, uid: str, new_uid: Callable[[], str]) -> None:
        query = self._query(signature)
        if not self.query_file:
            log.warning("Name of timestamp query file not set, will not write file.")
        else:
            try:
                _write_file(self.query_file, query)
            except (OSError, ValueError):
                log.warning("Unable to create time stamp query file '%s'", self.query_file)
                raise SigningError("unable to write time stamp query file") from None
        if not self.uid_file:
            log.warning("Name of UID file for time stamp query not set, will not write file.")
            return
        try:
            _write_file(self.uid_file, _uid_file(uid, new_uid()))
        except (OSError, ValueError) as error:
            raise SigningError(getattr(error, "strerror", None) or str(error)) from None

    def _query(self, signature: bytes) -> bytes:
        from ..tsa.query import TimestampQuery, parse_policy  # brings asn1crypto

        try:
            policy = parse_policy(self.policy) if self.policy else None
        except BadPolicy:
            log.warning("Cannot convert %s to OID.", self.policy)
            raise
        nonce = int.from_bytes(os.urandom(8)) if self.nonce else None
        query = TimestampQuery.new(signature, algorithm=self.algorithm, policy=policy, nonce=nonce, certificate=self.certificate)
        return query.raw


def _write_file(name: str, content: bytes) -> None:
    with open(name, "wb") as file:
        file.write(content)


def _uid_file(uid: str, instance: str) -> bytes:
    value = normal_uid(uid.encode())
    head = meta_header(None, IMPLICIT_LE.uid, GENERIC_SOP_CLASS.encode(), instance.encode())
    return head + element_header(IMPLICIT, DIGITAL_SIGNATURE_UID, "UI", len(value)) + value
