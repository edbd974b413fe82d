"""RIPEMD-160 for platforms whose OpenSSL has no legacy provider.

It is the default MAC algorithm of the dcmsign command, and existing files carry signatures made with it.
"""

from __future__ import annotations

from ..codec.signature.algorithms import Digest, register_digest


def new() -> Digest:
    """A new digest of PyCryptodome, the optional dependency `dcmsign[ripemd160]`; raises ImportError without it."""
    from Crypto.Hash import RIPEMD160  # needed on few platforms only

    return RIPEMD160.new()


register_digest("RIPEMD160", new)
