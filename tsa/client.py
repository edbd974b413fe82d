"""Asks time-stamping authorities over HTTP (RFC 3161 3.4); the only part of the project that uses the network.

Nothing an authority sends is returned before it has been checked, and everything it can do is bounded: size, number of attempts,
redirects, and one deadline over all of it. Works on asyncio and on trio.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import logging
import os
import random
import re
import secrets
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import anyio
import anyio.to_thread

from ..codec.errors import (
    AuthorityError,
    AuthorityRefusal,
    AuthorityUnreachable,
    BadAuthorityReply,
    BadTimestampReply,
    TimestampError,
    TimestampMismatch,
    TimestampRejected,
)
from ..codec.hiding import Hidden, bare
from . import retries
from .bodies import Body
from .consistency import check_answer, check_reply
from .imprints import IMPRINTS
from .query import TimestampQuery, parse_policy
from .reply import FAILURE_NAMES, TimestampReply

if TYPE_CHECKING:
    import ssl

    import httpx

Check = Callable[[TimestampQuery, TimestampReply], None]
"""Looks at a query and its reply in a worker thread; raises an error of the library if the reply must not be used."""

log = logging.getLogger("dcmsign.tsa.client")

MAX_SIZE: Final = 1 << 20
"""Bytes of the longest reply that is read; those seen have 1 to 6 KiB."""

_QUERY_TYPE: Final = "application/timestamp-query"
_REPLY_TYPE: Final = "application/timestamp-reply"
_HEADERS: Final = {
    "Content-Type": _QUERY_TYPE,
    "Accept": _REPLY_TYPE,
    "Accept-Encoding": "identity",
    "User-Agent": "dcmsign",
}
_REPLY_TYPES: Final = frozenset({_REPLY_TYPE, "application/timestamp-response"})
"""The second stands in one sentence of RFC 3161 3.4."""
_VAGUE_TYPES: Final = frozenset({"", "application/octet-stream"})
"""Media types of replies that may be what they should be."""

_REDIRECTIONS: Final = frozenset({301, 302, 303, 307, 308})
_KEEPING_THE_METHOD: Final = frozenset({307, 308})
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_NONCE_BYTES: Final = 8
_LONGEST_PAUSE: Final = 30.0
_LONGEST_TEXT: Final = 1000
"""Characters of a text from outside that are shown."""


@dataclass(frozen=True, slots=True)
class Timestamped:
    """A query and the reply that grants it."""

    query: TimestampQuery
    reply: TimestampReply


class TimestampClient:
    """Asks one time-stamping authority or, in order, several.

    `url`: http or https; user and password in it are sent as basic authentication and never shown.
    `timeout`: seconds until the last attempt has ended, pauses included. An attempt gets an equal share of what is left of it.
    `attempts`: rounds over all authorities. Failed connections, time-outs, cut replies, the statuses in RETRIED_STATUSES and
    rejections for lack of time or a system failure are worth another round; any other answer is final, and only authorities that
    have not given one are asked again.
    `pause`: seconds between the first two rounds; doubled from round to round, or what Retry-After asks for, at most 30.
    `max_size`: bytes of the longest reply that is read, decoded; at most MAX_SIZE is understood.
    `auth`: user and password for all authorities whose URL has none. They go over https or to the machine itself;
    `insecure_auth` lets them go anywhere.
    `tls`: authorities and client certificate for https; default: what the operating system trusts, no client certificate.
    `client`, `transport`: used instead of a client of its own, and not closed; what they are set up with applies as well.
    `follow_redirects`: how many redirects (307 and 308) to follow, to https or with the same scheme; another host gets no
    credentials.
    `algorithm`, `policy`, `nonce`, `certificate`: of the queries `timestamp` makes; see TimestampQuery.new.
    `sleep`, `random_number`: how to wait for some seconds, and numbers from 0 to below 1.

    As an asynchronous context manager it keeps connections from call to call, otherwise each call has its own. Any number of
    tasks may use it at once.

    Raises AuthorityError for a URL that cannot be used, BadPolicy, KeyError for an unknown algorithm, ValueError.
    """

    _authorities: tuple[_Authority, ...] = ()  # also for the repr of a client that could not be made

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        timeout: float = 30.0,
        attempts: int = 3,
        pause: float = 0.5,
        max_size: int = MAX_SIZE,
        auth: tuple[str, str] | None = None,
        insecure_auth: bool = False,
        tls: ssl.SSLContext | None = None,
        client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        follow_redirects: int = 0,
        algorithm: str = "SHA256",
        policy: str | None = None,
        nonce: bool = True,
        certificate: bool = True,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        random_number: Callable[[], float] = random.random,
    ) -> None:
        import httpx

        if not timeout > 0 or attempts < 1 or max_size < 1 or not pause >= 0 or follow_redirects < 0:
            raise ValueError("timeout, attempts and max_size must be positive, pause and follow_redirects not negative")
        if (client is not None) + (transport is not None) + (tls is not None) > 1:
            raise ValueError("one of client, transport and tls")
        given = Hidden(_Given((url,) if isinstance(url, str) else tuple(url), auth))
        del url, auth  # tracebacks with local variables must not show them
        if not given().urls:
            raise ValueError("no URL")
        self._authorities = _authorities(given, insecure_auth)
        self._timeout, self._attempts, self._max_size, self._redirects = timeout, attempts, max_size, follow_redirects
        self._tls = tls
        self._http = httpx.AsyncClient(transport=transport) if transport is not None else client
        self._closing = contextlib.AsyncExitStack()
        self._new_query = functools.partial(
            TimestampQuery.new,
            algorithm=IMPRINTS[algorithm].name,
            policy=None if policy is None else parse_policy(policy),
            certificate=certificate,
        )
        self._nonce = nonce
        self._sleep = sleep
        self._backoff = retries.Backoff(pause, _LONGEST_PAUSE, random_number)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(authority.name for authority in self._authorities)})"

    async def __aenter__(self) -> Self:
        if self._http is None:
            self._http = await self._closing.enter_async_context(await self._open())
            self._closing.callback(setattr, self, "_http", None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections that were kept; the client can go on being used."""
        await self._closing.aclose()

    async def timestamp(self, signature: bytes, *, check: Check | None = None) -> Timestamped:
        """A timestamp of `signature`, a signature value without DICOM's pad byte (PS3.3 C.12.1.1.3.1.3).

        Every attempt is a new query with a nonce of its own, so that a late reply to another one cannot be taken. The reply has
        passed `check_reply` and then `check`, for example a verification of the token. Errors have the URL, without credentials,
        in `path` and, if they are AuthorityErrors, in `url`; of several authorities the last error is raised, with the others as
        notes. Raises AuthorityUnreachable, AuthorityRefusal, BadAuthorityReply, TimestampRejected, TimestampMismatch,
        AlgorithmUnavailable and what `check` raises; a TimestampError of `check` rules out that authority only.
        """

        def new_query() -> TimestampQuery:
            nonce = int.from_bytes(secrets.token_bytes(_NONCE_BYTES), "big") if self._nonce else None
            return self._new_query(signature, nonce=nonce)

        return await self._ask(new_query, functools.partial(check_reply, signature=signature), check)

    async def send(self, query: TimestampQuery, *, check: Check | None = None) -> TimestampReply:
        """The reply to exactly this query: the same bytes in every attempt. Errors are those of `timestamp`.

        The reply fits the query and has passed `check`; whether it is about a certain signature is for the caller to check
        (`check_reply`).
        """
        return (await self._ask(lambda: query, check_answer, check)).reply

    async def _ask(self, new_query: Callable[[], TimestampQuery], fits: Check, check: Check | None) -> Timestamped:
        left = list(self._authorities)
        errors: dict[str, TimestampError] = {}
        async with self._connections() as http:
            deadline = anyio.current_time() + self._timeout
            for number in range(1, self._attempts + 1):
                asked = 0.0
                asking = tuple(left)
                for position, authority in enumerate(asking):
                    chances = (self._attempts - number) * len(left) + len(asking) - position
                    share = max(0.0, deadline - anyio.current_time()) / chances
                    log.info("asking %s for a timestamp, attempt %d of %d", authority.name, number, self._attempts)
                    try:
                        return await self._attempt(http, authority, new_query(), share, fits, check)
                    except _Passing as passing:
                        asked = max(asked, passing.asked)
                        error = passing.error
                    except TimestampError as answer:
                        left.remove(authority)
                        error = answer
                    error.path = error.path or authority.name
                    errors.pop(authority.name, None)
                    errors[authority.name] = error
                    log.info("no timestamp from %s", error)
                pause = self._backoff.pause(number, asked)
                if not left or number == self._attempts or not await self._waited(pause, deadline):
                    break
        *others, last = errors.values()
        for other in others:
            last.add_note(f"before: {other}")
        raise last

    async def _waited(self, pause: float, deadline: float) -> bool:
        """Wait, unless that would take all the time that is left."""
        if pause >= deadline - anyio.current_time():
            log.info("no other attempt: it would have to wait for %.1f s, and the deadline comes first", pause)
            return False
        log.info("waiting for %.1f s", pause)
        await self._sleep(pause)
        return True

    async def _attempt(
        self,
        http: httpx.AsyncClient,
        authority: _Authority,
        query: TimestampQuery,
        seconds: float,
        fits: Check,
        check: Check | None,
    ) -> Timestamped:
        """Ask one authority once. Raises _Passing if asking again may help, else errors of the library."""
        body: bytes | None = None
        with anyio.move_on_after(seconds):
            body = await self._fetch(http, authority, query.raw, seconds)
        if body is None:
            raise _Passing(AuthorityUnreachable(f"no complete reply within {seconds:.3g} s", url=authority.name))
        log.debug("reply of %d bytes from %s", len(body), authority.name)
        # a reply may take some time to read and to verify
        reply = await anyio.to_thread.run_sync(_examine, authority, query, body, fits, check)
        log.info("timestamp granted by %s", authority.name)
        return Timestamped(query, reply)

    async def _fetch(self, http: httpx.AsyncClient, authority: _Authority, content: bytes, seconds: float) -> bytes:
        """The body of the answer to one POST, behind redirects if they are allowed. Raises as `_attempt`."""
        import httpx

        url, known, around = authority.url, True, sys.exception()
        for followed in range(self._redirects + 1):
            try:
                async with _exchange(http, url, authority.auth, content, known, seconds) as response:
                    if response.status_code not in _REDIRECTIONS or "location" not in response.headers:
                        return await self._read(response, authority)
                    target = _target(response, url, authority)
            except (httpx.TransportError, httpx.InvalidURL, OSError, UnicodeError) as error:
                raise _failure(error, authority, around) from None
            if followed == self._redirects:
                reason = f"more than {followed} redirects" if followed else f"redirect to {_public(target)} is not followed"
                raise AuthorityRefusal(reason, url=authority.name, status=response.status_code)
            log.info("redirected to %s", _public(target))
            known = known and _same_host(url, target)
            url = target
        raise AssertionError("unreachable")

    async def _read(self, response: httpx.Response, authority: _Authority) -> bytes:
        refusal = functools.partial(BadAuthorityReply, url=authority.name, status=response.status_code)
        _check_status(response, authority)
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type in _VAGUE_TYPES:
            log.warning("reply of %s has media type '%s' instead of %s", authority.name, media_type, _REPLY_TYPE)
        elif media_type not in _REPLY_TYPES:
            raise refusal(f"reply has media type '{_printable(media_type)}' instead of {_REPLY_TYPE}")
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in _GZIP and coding not in {"identity", ""}:
            raise refusal(f"reply has content coding '{_printable(coding)}', which was not asked for")
        body = Body(self._max_size, zipped=coding in _GZIP)
        length = response.headers.get("content-length", "")  # with one that is no number httpx has refused the answer
        if length.isdecimal() and int(length) > self._max_size:
            raise refusal(f"reply has more than {self._max_size} bytes")
        with anyio.CancelScope() as enough:
            async for block in response.aiter_raw():
                if not body.add(block):
                    enough.cancel()  # ends the iterators inside httpx, which leaving the loop would not
        if body.too_large:
            raise refusal(f"reply has more than {self._max_size} bytes")
        if body.broken:
            raise refusal("reply is not what its content coding gzip says")
        delimited = "content-length" in response.headers or "transfer-encoding" in response.headers
        if body.unfinished or (not delimited and body.ends_within_value):
            raise _Passing(AuthorityUnreachable("reply ends too early", url=authority.name, status=response.status_code))
        return bytes(body.content)

    @contextlib.asynccontextmanager
    async def _connections(self) -> AsyncGenerator[httpx.AsyncClient]:
        if self._http is not None:
            yield self._http
        else:
            async with await self._open() as http:
                yield http

    async def _open(self) -> httpx.AsyncClient:
        import ssl

        import httpx

        if self._tls is None and not self._redirects and all(authority.url.scheme == "http" for authority in self._authorities):
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nothing will need it, and nobody is trusted
        elif self._tls is None:
            self._tls = await anyio.to_thread.run_sync(ssl.create_default_context)  # reads files
        local = {f"all://{_host_in_url(authority.url)}": None for authority in self._authorities if _is_local(authority.url)}
        with contextlib.suppress(ValueError, httpx.InvalidURL):  # what they say may hold a password
            return httpx.AsyncClient(verify=self._tls, mounts=local, limits=httpx.Limits(max_keepalive_connections=20))
        raise _located(AuthorityError("the environment names a proxy that cannot be used", url=self._authorities[0].name))


@dataclass(frozen=True, slots=True)
class _Authority:
    """Where to ask: the URL without user and password, its form for the eyes of others, the credentials."""

    url: httpx.URL
    name: str
    auth: httpx.BasicAuth | None


class _Given(NamedTuple):
    """What a caller says about authorities: URLs, maybe with passwords, and user and password for the others."""

    urls: tuple[str, ...]
    auth: tuple[str, str] | None


class _Passing(Exception):
    """Something that may be different next time; `asked` is how many seconds the authority wants to be left alone."""

    def __init__(self, error: TimestampError, asked: float = 0.0) -> None:
        super().__init__(error)
        self.error = error
        self.asked = asked


def _authorities(given: Hidden[_Given], insecure_auth: bool) -> tuple[_Authority, ...]:
    """The authorities; errors have neither causes nor frames in which passwords stand."""
    try:
        return tuple(_authority(text, given().auth, insecure_auth) for text in given().urls)
    except UnicodeError:  # which holds the text it is about
        failure: Exception = ValueError("user and password must be text")
    except (AuthorityError, ValueError) as error:
        failure = bare(error)
    raise failure


def _authority(text: str, auth: tuple[str, str] | None, insecure_auth: bool) -> _Authority:
    import httpx

    shown = _printable(re.sub(r"\A((?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?.*@", r"\1", text, flags=re.DOTALL))
    if "@" in "".join(re.split("[/?#]", text.partition("//")[2], maxsplit=1)[1:]):
        raise _located(AuthorityError("behind the host of a URL, and in passwords before it, @ is written as %40", url=shown))
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        raise _located(AuthorityError("this is no URL", url=shown)) from None  # the cause may show a password
    if url.scheme not in {"http", "https"} or not url.host:
        raise _located(AuthorityError("the URL of an authority begins with http:// or https:// and a host", url=shown))
    credentials = (url.username, url.password) if url.userinfo else auth
    bare = _without_user(url)
    if credentials is None:
        return _Authority(bare, _public(bare), None)
    if ":" in credentials[0]:
        raise ValueError("a user name for basic authentication has no colon (RFC 7617 2)")
    if url.scheme != "https" and not _is_local(bare) and not insecure_auth:
        raise _located(AuthorityError("user and password are sent over https only", url=_public(bare)))
    return _Authority(bare, _public(bare), httpx.BasicAuth(*credentials))


@contextlib.asynccontextmanager
async def _exchange(
    http: httpx.AsyncClient, url: httpx.URL, auth: httpx.BasicAuth | None, content: bytes, known: bool, seconds: float
) -> AsyncGenerator[httpx.Response]:
    """POST and the head of the answer. An unknown host, one that was redirected to, gets nothing but the query."""
    import httpx

    streams: list[Any] = []

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            streams.append(info["return_value"])

    timeout, extensions = httpx.Timeout(seconds), {"trace": trace}
    if known:
        request = http.build_request("POST", url, content=content, headers=_HEADERS, timeout=timeout, extensions=extensions)
    else:
        extensions["timeout"] = timeout.as_dict()  # type: ignore[assignment]
        request = httpx.Request("POST", url, content=content, headers=_HEADERS, extensions=extensions)
    request.stream = _one_block()(content)
    authentication = None if not known else httpx.USE_CLIENT_DEFAULT if auth is None else auth
    try:
        response = await http.send(request, stream=True, auth=authentication, follow_redirects=False)
    except Exception:
        raise
    except BaseException:
        # cancelled during a TLS handshake httpx leaves the connection open
        with anyio.CancelScope(shield=True):
            for stream in streams:
                await stream.aclose()
        raise
    try:
        yield response
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()


@functools.cache
def _one_block() -> Callable[[bytes], httpx.AsyncByteStream]:
    """The body of a request. httpx's own is a generator, which is not ended when a connection breaks while it is sent."""
    import httpx

    class OneBlock(httpx.AsyncByteStream):
        def __init__(self, content: bytes) -> None:
            self._content = content

        def __aiter__(self) -> AsyncIterator[bytes]:
            return _Blocks([self._content])

    return OneBlock


class _Blocks:
    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for block in self._blocks:
            return block
        raise StopAsyncIteration


def _examine(authority: _Authority, query: TimestampQuery, body: bytes, fits: Check, check: Check | None) -> TimestampReply:
    try:
        reply = TimestampReply.from_der(body)
        fits(query, reply)
    except BadTimestampReply as error:
        raise BadAuthorityReply(_printable(error.message), url=authority.name, status=200) from error
    except TimestampRejected as error:
        rejection = _described(error)
        if retries.RETRIED_FAILURES.isdisjoint(error.failures):
            raise rejection from None
        raise _Passing(rejection) from None
    except TimestampMismatch as error:
        error.message = _printable(error.message)
        raise
    if check is not None:
        check(query, reply)
    return reply


def _check_status(response: httpx.Response, authority: _Authority) -> None:
    status = response.status_code
    if status == 200:
        return
    reason = _printable(f"HTTP status {status} {response.reason_phrase}".rstrip())
    if status in retries.RETRIED_STATUSES:
        asked = retries.retry_after(response.headers.get("retry-after", ""), retries.now())
        raise _Passing(AuthorityUnreachable(reason, url=authority.name, status=status), asked)
    raise AuthorityRefusal(reason, url=authority.name, status=status)


def _target(response: httpx.Response, url: httpx.URL, authority: _Authority) -> httpx.URL:
    """Where a redirect leads, if one may go there. Raises AuthorityRefusal."""
    target = _without_user(url.join(response.headers["location"]))
    status = response.status_code
    if status not in _KEEPING_THE_METHOD:
        raise AuthorityRefusal(f"redirect with HTTP status {status} to {_public(target)}", url=authority.name, status=status)
    if target.scheme != "https" and target.scheme != url.scheme:
        raise AuthorityRefusal(f"redirect from {url.scheme} to {_public(target)}", url=authority.name, status=status)
    return target


def _failure(error: Exception, authority: _Authority, around: BaseException | None) -> Exception:
    """What a failed exchange means: _Passing, or AuthorityUnreachable where another attempt would fail the same way.

    `around` is what the caller was handling before, which is no cause.
    """
    import ssl

    import httpx

    causes = _causes(error, around)
    # subclasses other than that for certificates say that a connection is at its end or not yet there
    tls = next((cause for cause in causes if type(cause) in (ssl.SSLError, ssl.SSLCertVerificationError)), None)
    system = next(
        (cause for cause in reversed(causes) if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError)), None
    )
    text = str(error) or "connection broken off"
    if isinstance(tls, ssl.SSLCertVerificationError):
        text = f"TLS: {tls.verify_message}"
    elif isinstance(tls, ssl.SSLError):
        text = f"TLS: {(tls.reason or str(tls)).replace('_', ' ').lower()}"
    elif system is not None and system.errno:
        text = os.strerror(system.errno) if system.errno > 0 else str(system.strerror)
    for cause in causes:
        cause.__traceback__ = None  # the local variables of httpx and h11 hold the header with the password
    unreachable = AuthorityUnreachable(_printable(text), url=authority.name)
    unreachable.__cause__ = error
    lasting = isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL | UnicodeError)
    return unreachable if lasting or tls is not None else _Passing(unreachable)


def _causes(error: BaseException, around: BaseException | None) -> list[BaseException]:
    """The error, what it was raised from or while, and so on. Not only what it was raised from: httpcore takes that away."""
    found: list[BaseException] = []
    following: list[BaseException | None] = [error]
    while following:
        current = following.pop(0)
        if current is not None and current is not around and current not in found:
            found.append(current)
            following.append(current.__cause__ or current.__context__)
            following += current.exceptions if isinstance(current, BaseExceptionGroup) else ()
    return found


def _described(error: TimestampRejected) -> TimestampRejected:
    """A rejection that says why, in its message too, and that can be shown."""
    texts = tuple(map(_printable, error.texts))
    names = [FAILURE_NAMES.get(bit, f"failure {bit}") for bit in error.failures]
    reasons = "; ".join([*texts, *names])
    message = f"{error.message} ({reasons})" if reasons else error.message
    return TimestampRejected(message, status=error.status, texts=texts, failures=error.failures)


def _located(error: AuthorityError) -> AuthorityError:
    error.path = error.url
    return error


def _printable(text: str) -> str:
    """Text from outside without characters that could forge lines or hide something."""
    shown = text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
    return "".join(character if character.isprintable() else f"\\x{ord(character):02X}" for character in shown)


def _without_user(url: httpx.URL) -> httpx.URL:
    return url.copy_with(username=None, password=None, fragment=None)


def _public(url: httpx.URL) -> str:
    """A URL for messages: a query may hold a key."""
    return _printable(str(url.copy_with(username=None, password=None, query=None, fragment=None)))


def _host_in_url(url: httpx.URL) -> str:
    return f"[{url.host}]" if ":" in url.host else url.host


def _is_local(url: httpx.URL) -> bool:
    """Does a URL stand for this machine?"""
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return url.host.lower().rstrip(".") == "localhost"


def _same_host(one: httpx.URL, other: httpx.URL) -> bool:
    """The same scheme, host and port, or the same host with https on its own port instead of http on its own."""
    ports = {"http": 80, "https": 443}
    same_port = (one.port or ports[one.scheme]) == (other.port or ports[other.scheme])
    default_ports = one.port is None and other.port is None
    return one.host == other.host and (default_ports or (same_port and one.scheme == other.scheme))
