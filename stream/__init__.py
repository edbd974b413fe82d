"""Sign and verify DICOM objects of any size, on asyncio and trio.

    report = await verify("image.dcm", trust=Trust.load(trusted=["ca.pem"]))
    receipt = await sign("image.dcm", "signed.dcm", signer=KeySigner.load("key.pem", "cert.pem"))

Everything a service needs is exported here; see `docs/` for recipes.
"""

from __future__ import annotations

from ..codec import errors
from ..codec.dicom.parser import ReadOptions
from ..codec.signature.algorithms import MAC_ALGORITHMS, register_digest
from . import ripemd160
from .formats import StreamFormat
from .io.sinks import stdout
from .io.sources import stdin
from .reports import Coverage, Purpose, Remark, SignatureReport, SigningReceipt, Verdict, VerificationReport
from .sign import SigningStream, open_signer, sign
from .trust.anchors import Trust
from .trust.certificates import Certificate, Encoding, load_certificate, load_certificates
from .trust.signers import KeySigner, Signer
from .verify import VerifyingStream, open_verifier, verify

register_digest("RIPEMD160", ripemd160.new)

__all__ = [
    "MAC_ALGORITHMS",
    "Certificate",
    "Coverage",
    "Encoding",
    "KeySigner",
    "Purpose",
    "ReadOptions",
    "Remark",
    "SignatureReport",
    "Signer",
    "SigningReceipt",
    "SigningStream",
    "StreamFormat",
    "Trust",
    "Verdict",
    "VerificationReport",
    "VerifyingStream",
    "errors",
    "load_certificate",
    "load_certificates",
    "open_signer",
    "open_verifier",
    "sign",
    "stdin",
    "stdout",
    "verify",
]
