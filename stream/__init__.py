"""Sign and verify DICOM objects of any size, on asyncio and trio.

    report = await verify("image.dcm", trust=Trust.load(trusted=["ca.pem"]))
    receipt = await sign("image.dcm", "signed.dcm", signer=KeySigner.load("key.pem", "cert.pem"))

Everything a service needs is exported here and loaded when it is first used; see `docs/` for recipes.
"""

from __future__ import annotations

TYPE_CHECKING = False  # that of typing, which takes long to load
if TYPE_CHECKING:
    from typing import Any

    from ..codec import errors
    from ..codec.dicom.dictionary import Dictionary
    from ..codec.dicom.options import Limits, ReadOptions
    from ..codec.manifest.comparison import InstanceStatus
    from ..codec.manifest.document import ManifestTitle
    from ..codec.signature.algorithms import MAC_ALGORITHMS
    from ..codec.signature.profiles import Profile
    from ..codec.signature.removal import RemovedSignature
    from ..tsa.client import TimestampClient
    from ..tsa.query import TimestampQuery
    from ..tsa.reply import TimestampReply
    from ..tsa.token import Token
    from .dictionaries import DictionaryProblem, LoadedDictionary, load_dictionaries
    from .formats import StreamFormat
    from .io.sinks import is_unfinished, stdout
    from .io.sources import stdin
    from .io.threads import is_special, run_inline, run_operation
    from .levels import Level, Levels
    from .manifest_reports import InstanceReport, ManifestLevels, ManifestReceipt, ManifestReport
    from .manifest_verification import ManifestVerification, open_manifest, verify_manifest
    from .manifests import make_manifest
    from .many import sign_many, verify_many
    from .many_jobs import FileResult, KeyFiles
    from .originals import EarlierState, OriginalsReport, verify_originals
    from .policies import Policy, Strength
    from .policy_checks import PolicyOutcome, Violation
    from .receipts import RemovalReport, SigningReceipt
    from .removing import RemovalStream, open_remover, remove, remove_all
    from .report_files import write_report
    from .reports import (
        Coverage,
        Purpose,
        Remark,
        RevocationSource,
        SignatureReport,
        TimestampPolicy,
        TimestampReport,
        Verdict,
        VerificationReport,
    )
    from .signing import SigningStream, open_signer, sign
    from .stampers import AuthorityStamper, QueryFiles, Stamp, Stampable, Stamper
    from .stamping import insert_timestamp, read_signature_uid, rejection_reasons, timestamp
    from .timestamp_rules import TimestampRules
    from .trust.anchors import Trust
    from .trust.certificates import Certificate, Encoding, load_certificate, load_certificates
    from .trust.directories import CertificateDirectory
    from .trust.revocation import RevocationCheck, RevocationList, load_revocation_list, load_revocation_lists
    from .trust.signers import KeySigner, Signer
    from .verification import VerifyingStream, open_verifier, verify

__all__ = [
    "MAC_ALGORITHMS",
    "AuthorityStamper",
    "Certificate",
    "CertificateDirectory",
    "Coverage",
    "Dictionary",
    "DictionaryProblem",
    "EarlierState",
    "Encoding",
    "FileResult",
    "InstanceReport",
    "InstanceStatus",
    "KeyFiles",
    "KeySigner",
    "Level",
    "Levels",
    "Limits",
    "LoadedDictionary",
    "ManifestLevels",
    "ManifestReceipt",
    "ManifestReport",
    "ManifestTitle",
    "ManifestVerification",
    "OriginalsReport",
    "Policy",
    "PolicyOutcome",
    "Profile",
    "Purpose",
    "QueryFiles",
    "ReadOptions",
    "Remark",
    "RemovalReport",
    "RemovalStream",
    "RemovedSignature",
    "RevocationCheck",
    "RevocationList",
    "RevocationSource",
    "SignatureReport",
    "Signer",
    "SigningReceipt",
    "SigningStream",
    "Stamp",
    "Stampable",
    "Stamper",
    "StreamFormat",
    "Strength",
    "TimestampClient",
    "TimestampPolicy",
    "TimestampQuery",
    "TimestampReply",
    "TimestampReport",
    "TimestampRules",
    "Token",
    "Trust",
    "Verdict",
    "VerificationReport",
    "VerifyingStream",
    "Violation",
    "errors",
    "insert_timestamp",
    "is_special",
    "is_unfinished",
    "load_certificate",
    "load_certificates",
    "load_dictionaries",
    "load_revocation_list",
    "load_revocation_lists",
    "make_manifest",
    "open_manifest",
    "open_remover",
    "open_signer",
    "open_verifier",
    "read_signature_uid",
    "rejection_reasons",
    "remove",
    "remove_all",
    "run_inline",
    "run_operation",
    "sign",
    "sign_many",
    "stdin",
    "stdout",
    "timestamp",
    "verify",
    "verify_manifest",
    "verify_many",
    "verify_originals",
    "write_report",
]

_HOMES = {
    "MAC_ALGORITHMS": "..codec.signature.algorithms",
    "Dictionary": "..codec.dicom.dictionary",
    **dict.fromkeys(("Limits", "ReadOptions"), "..codec.dicom.options"),
    **dict.fromkeys(("DictionaryProblem", "LoadedDictionary", "load_dictionaries"), ".dictionaries"),
    "StreamFormat": ".formats",
    **dict.fromkeys(("is_unfinished", "stdout"), ".io.sinks"),
    "stdin": ".io.sources",
    **dict.fromkeys(("is_special", "run_inline", "run_operation"), ".io.threads"),
    **dict.fromkeys(("Level", "Levels"), ".levels"),
    "InstanceStatus": "..codec.manifest.comparison",
    "ManifestTitle": "..codec.manifest.document",
    **dict.fromkeys(("InstanceReport", "ManifestLevels", "ManifestReceipt", "ManifestReport"), ".manifest_reports"),
    **dict.fromkeys(("ManifestVerification", "open_manifest", "verify_manifest"), ".manifest_verification"),
    "make_manifest": ".manifests",
    **dict.fromkeys(("sign_many", "verify_many"), ".many"),
    **dict.fromkeys(("FileResult", "KeyFiles"), ".many_jobs"),
    **dict.fromkeys(("EarlierState", "OriginalsReport", "verify_originals"), ".originals"),
    **dict.fromkeys(("Policy", "Strength"), ".policies"),
    **dict.fromkeys(("PolicyOutcome", "Violation"), ".policy_checks"),
    **dict.fromkeys(("RemovalReport", "SigningReceipt"), ".receipts"),
    **dict.fromkeys(
        (
            "Coverage",
            "Purpose",
            "Remark",
            "RevocationSource",
            "SignatureReport",
            "TimestampPolicy",
            "TimestampReport",
            "Verdict",
            "VerificationReport",
        ),
        ".reports",
    ),
    "Profile": "..codec.signature.profiles",
    "RemovedSignature": "..codec.signature.removal",
    **dict.fromkeys(("RemovalStream", "open_remover", "remove", "remove_all"), ".removing"),
    "write_report": ".report_files",
    **dict.fromkeys(("SigningStream", "open_signer", "sign"), ".signing"),
    **dict.fromkeys(("insert_timestamp", "read_signature_uid", "rejection_reasons", "timestamp"), ".stamping"),
    **dict.fromkeys(("AuthorityStamper", "QueryFiles", "Stamp", "Stampable", "Stamper"), ".stampers"),
    "TimestampClient": "..tsa.client",
    "TimestampQuery": "..tsa.query",
    "TimestampReply": "..tsa.reply",
    "Token": "..tsa.token",
    "TimestampRules": ".timestamp_rules",
    "Trust": ".trust.anchors",
    **dict.fromkeys(("Certificate", "Encoding", "load_certificate", "load_certificates"), ".trust.certificates"),
    "CertificateDirectory": ".trust.directories",
    **dict.fromkeys(("RevocationCheck", "RevocationList", "load_revocation_list", "load_revocation_lists"), ".trust.revocation"),
    **dict.fromkeys(("KeySigner", "Signer"), ".trust.signers"),
    **dict.fromkeys(("VerifyingStream", "open_verifier", "verify"), ".verification"),
}
"""Where each name lives; importing the package itself costs next to nothing."""


def __getattr__(name: str) -> Any:
    import importlib

    if name == "errors":
        return importlib.import_module("..codec.errors", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
