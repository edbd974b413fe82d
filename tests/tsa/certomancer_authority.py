"""certomancer, a second implementation of a time-stamping authority, behind werkzeug's HTTP server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers import REQUIRED

POLICY = "1.3.6.1.4.1.4146.2.3"
"""The only one it has, whatever is asked for."""

FAKE_TIME = "X-Certomancer-Fake-Time"
"""A request header with the time it shall believe it is: ``2025-01-01T00:00:00+00:00``."""

_VALIDITY = {"valid-from": "2020-01-01T00:00:00+0000", "valid-to": "2060-01-01T00:00:00+0000"}


def _extension(name: str, value: object) -> dict[str, object]:
    return {"id": name, "critical": True, "value": value}


_CONFIGURATION = {
    "external-url-prefix": "http://127.0.0.1",
    "keysets": {"keys": {"path-prefix": ".", "keys": {"root": {"path": "root.key.pem"}, "tsa": {"path": "tsa.key.pem"}}}},
    "pki-architectures": {
        "demo": {
            "keyset": "keys",
            "entity-defaults": {"country-name": "DE", "organization-name": "Example"},
            "entities": {"root": {"common-name": "Demo Root"}, "tsa": {"common-name": "Demo TSA"}},
            "certs": {
                "root": {
                    "subject": "root",
                    "issuer": "root",
                    "validity": _VALIDITY,
                    "extensions": [_extension("basic_constraints", {"ca": True})],
                },
                "tsa": {
                    "subject": "tsa",
                    "issuer": "root",
                    "validity": _VALIDITY,
                    "extensions": [_extension("extended_key_usage", ["time_stamping"])],
                },
            },
            "services": {"time-stamping": {"tsa": {"signing-cert": "tsa"}}},
        }
    },
}


@dataclass(frozen=True)
class Certomancer:
    """A running authority: where to ask, and the certificate (DER) of the authority that vouches for it."""

    url: str
    ca: bytes


@contextlib.contextmanager
def certomancer(folder: Path) -> Iterator[Certomancer]:
    """Run certomancer with keys in `folder`; skips the calling test if it is not installed, or fails where peers are required."""
    try:
        from certomancer.integrations.animator import Animator, AnimatorArchStore
        from certomancer.registry import CertLabel, CertomancerConfig
        from werkzeug.serving import WSGIRequestHandler, make_server
    except ImportError:
        if REQUIRED:
            raise
        pytest.skip("certomancer is not installed")

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            pass

    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    for name in ("root", "tsa"):
        key = rsa.generate_private_key(65537, 2048)
        (folder / f"{name}.key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    configuration = CertomancerConfig(_CONFIGURATION, key_search_dir=str(folder))
    application = Animator(AnimatorArchStore(configuration.pki_archs), with_web_ui=False)
    architecture = next(iter(configuration.pki_archs.values()))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, name="certomancer")
    thread.start()
    try:
        ca = architecture.get_cert(CertLabel("root")).dump()
        yield Certomancer(f"http://127.0.0.1:{server.port}/demo/tsa/tsa", ca)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
