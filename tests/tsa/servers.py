"""Servers on loopback for clients of time-stamping authorities: a good one on top of ``openssl ts``, and any number of bad ones.

    authority = OpenSSLAuthority(folder)
    with Server(authority.behave) as server:
        ... server.url ...

A server answers each request by calling a behaviour, a function of an `Exchange`. It runs in threads, and when it ends, all its
threads and sockets have ended.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.tsa.pki import TIME_STAMPING, CertificationAuthority

REPLY_TYPE = "application/timestamp-reply"
POLICY, OTHER_POLICY = "1.3.6.1.4.1.99999.1.1", "1.3.6.1.4.1.99999.1.2"
DIGESTS = ("sha1", "sha256", "sha384", "sha512", "ripemd160")
"""Those the authority accepts; another one is rejected as badAlg."""

_PATIENCE = 10.0
_LONGEST_HEAD = 1 << 16


@dataclass(frozen=True)
class Request:
    """What came in: names of header fields in small letters, the n-th request (from 0), the name in a client's certificate."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    number: int
    client: str | None


@dataclass
class Exchange:
    """A request and the connection it came from; the connection is closed afterwards unless `keep` is set."""

    request: Request
    connection: socket.socket
    ending: threading.Event
    """Set when the server ends: nothing should be waited for any longer."""
    keep: bool = False

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(
        self,
        body: bytes = b"",
        *,
        status: str = "200 OK",
        media_type: str | None = REPLY_TYPE,
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a whole answer; `length` is a Content-Length that differs from that of `body`, -1 for none."""
        fields = dict(headers or {})
        if media_type is not None:
            fields["Content-Type"] = media_type
        if length != -1:
            fields["Content-Length"] = str(len(body) if length is None else length)
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body)
        self.keep = length is None

    def hold(self) -> None:
        """Wait until the client goes away."""
        with contextlib.suppress(OSError):
            while self.connection.recv(4096):
                pass

    def reset(self) -> None:
        """Break the connection off, without a proper end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Behaviour = Callable[[Exchange], None]


@dataclass
class Server:
    """An HTTP server, in TLS if a context is given. Without `reading` the behaviour is called before anything has been read."""

    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    reading: bool = True
    path: str = "/tsa"
    requests: list[Request] = field(default_factory=list)
    accepted: int = 0

    def __enter__(self) -> Self:
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="acceptor")
        self._acceptor.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._ending.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(_PATIENCE)
        self._listener.close()
        with self._lock:
            left = dict(self._open)
        for connection in left.values():
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in left:
            thread.join(_PATIENCE)
        assert not self.open_connections

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    @property
    def url(self) -> str:
        return self.url_of("127.0.0.1")

    def url_of(self, host: str) -> str:
        """The URL with another name of this machine, which may have user and password in front."""
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), name="connection")
                with self._lock:
                    self._open[thread] = connection
                    self.accepted += 1
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(_PATIENCE)
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._open[threading.current_thread()] = connection
                assert isinstance(connection, ssl.SSLSocket)
                connection.do_handshake()
            while not self._ending.is_set():
                request = self._read(connection)
                if request is None:
                    break
                exchange = Exchange(request, connection, self._ending)
                self.behaviour(exchange)
                if not exchange.keep:
                    break
        except (OSError, ValueError):
            pass  # clients go away and do what they want
        finally:
            connection.close()
            with self._lock:
                del self._open[threading.current_thread()]

    def _read(self, connection: socket.socket) -> Request | None:
        data = b""
        while self.reading and b"\r\n\r\n" not in data:
            block = connection.recv(4096)
            if not block or len(data) > _LONGEST_HEAD:
                return None
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        while len(body) < int(headers.get("content-length", 0)):
            block = connection.recv(4096)
            if not block:
                return None
            body += block
        method, target, *_ = [*first.split(" "), "", ""]
        peer = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
        subject = dict(pair for part in (peer or {}).get("subject", ()) for pair in part)  # type: ignore[misc]
        with self._lock:
            request = Request(method, target, headers, body, len(self.requests), subject.get("commonName"))
            self.requests.append(request)
        return request


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """The URL of a port where nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}/tsa"


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The n-th request gets the n-th behaviour, all later ones the last."""
    return lambda exchange: behaviours[min(exchange.request.number, len(behaviours) - 1)](exchange)


def answering(body: bytes = b"", **options: object) -> Behaviour:
    """Always the same answer; options as for `Exchange.answer`."""
    return lambda exchange: exchange.answer(body, **options)  # type: ignore[arg-type]


def dripping(pause: float) -> Behaviour:
    """A good head, then one byte after the other."""

    def behave(exchange: Exchange) -> None:
        exchange.answer(length=1000)
        while not exchange.ending.wait(pause):
            exchange.send(b"0")

    return behave


def flooding(size: int) -> Behaviour:
    """A reply of that many bytes, without a Content-Length that would give it away."""

    def behave(exchange: Exchange) -> None:
        exchange.answer(length=-1)
        block = bytes(1 << 16)
        for _ in range(0, size, len(block)):
            exchange.send(block)

    return behave


def gzip_bomb(size: int) -> bytes:
    """Some bytes that unfold to `size` zero bytes."""
    return gzip.compress(bytes(size), 9)


@dataclass
class OpenSSLAuthority:
    """``openssl ts -reply`` with files in `folder`: an RSA key, and a certificate of an authority whose own one is `ca`.

    `openssl` is the program; without it tests that need it are skipped or fail as for other peers.
    """

    folder: Path
    name: str = "Example TSA"
    digests: Sequence[str] = DIGESTS
    openssl: str | None = None

    def __post_init__(self) -> None:
        if self.openssl is None:
            from tests.peers import require_peer

            self.openssl = require_peer("openssl")
        self._lock = threading.Lock()  # because of the file with the serial number
        issuer = CertificationAuthority(self.folder, f"{self.name} CA")
        self.ca = issuer.certificate
        self.identity = issuer.issue(self.name, TIME_STAMPING, key=rsa.generate_private_key(65537, 2048))
        (self.folder / "serial").write_text("01\n")
        (self.folder / "tsa.cnf").write_text(
            "[tsa]\n"
            "default_tsa = service\n"
            "[service]\n"
            "serial = serial\n"
            f"signer_cert = {self.identity.certificate.name}\n"
            f"signer_key = {self.identity.key.name}\n"
            f"certs = {self.ca.name}\n"
            "signer_digest = sha256\n"
            f"default_policy = {POLICY}\n"
            f"other_policies = {OTHER_POLICY}\n"
            f"digests = {', '.join(self.digests)}\n"
            "accuracy = secs:1\n"
            "ordering = yes\n"
            "tsa_name = yes\n"
            "ess_cert_id_alg = sha256\n"
        )

    def reply(self, query: bytes) -> bytes:
        """The reply to a query; to what is no query, a rejection."""
        with self._lock, tempfile.TemporaryDirectory(dir=self.folder) as folder:
            files = Path(folder, "query"), Path(folder, "reply")
            files[0].write_bytes(query)
            options = ["-config", "tsa.cnf", "-queryfile", str(files[0]), "-out", str(files[1])]
            command = [str(self.openssl), "ts", "-reply", *options]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return files[1].read_bytes()

    def behave(self, exchange: Exchange) -> None:
        """The behaviour of an authority as it should be."""
        if exchange.request.method != "POST" or exchange.request.headers.get("content-type") != "application/timestamp-query":
            exchange.answer(b"this is a time-stamping authority\n", status="400 Bad Request", media_type="text/plain")
        else:
            exchange.answer(self.reply(exchange.request.body))


def tagged(tag: int, *content: bytes) -> bytes:
    """A DER value."""
    body = b"".join(content)
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    return bytes((tag, len(body))) + body if len(body) < 0x80 else bytes((tag, 0x80 | len(octets))) + octets + body


def refusal(status: int, *texts: str, failures: Sequence[int] = ()) -> bytes:
    """A TimeStampResp without token (RFC 3161 2.4.2)."""
    parts = [tagged(0x02, bytes((status,)))]
    if texts:
        parts.append(tagged(0x30, *(tagged(0x0C, text.encode()) for text in texts)))
    if failures:
        size = max(failures) + 1
        bits = sum(1 << (size - 1 - failure) for failure in failures)
        unused = -size % 8
        parts.append(tagged(0x03, bytes((unused,)), (bits << unused).to_bytes((size + 7) // 8, "big")))
    return tagged(0x30, tagged(0x30, *parts))
