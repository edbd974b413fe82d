"""A service that verifies and signs DICOM objects while they are uploaded.

    python -m examples.service KEY CERTIFICATE [--port PORT] [--threads N] [--switch SECONDS] [--grace SECONDS]

    POST /verify                      the verdicts, as JSON
    POST /sign                        the signed object, once the upload has ended: works with any client
    POST /sign?tags=00100010,7FE00010 the signed object while it is being uploaded, for clients that read and write at once
    GET  /health                      whether the event loop goes round

No object is ever whole in memory. Without `tags` the upload is kept in an unnamed temporary file meanwhile; with them nothing is
kept, and a client that reads slowly slows its own upload down. The URL is printed once connections are accepted.

Two settings keep the event loop quick under load: no more threads at work than there are processors, and a short switch interval.
The loop then waits for few others, and never long, when it wants to run. Both are for the whole process, so no library sets them.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio.to_thread
import uvicorn
from dcmsign.codec import errors
from dcmsign.stream import KeySigner, Signer, SigningStream, Trust, open_signer, open_verifier
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

DICOM = "application/dicom"


def problem(error: errors.Error) -> Response:
    """What is wrong with the upload; the connection is closed, since the rest of the upload has not been read."""
    return JSONResponse({"error": str(error)}, 422, {"connection": "close"})


async def health(_request: Request) -> Response:
    """Answers whenever the event loop has a turn to give."""
    return JSONResponse({"status": "ok"})


class SigningResponse(Response):
    """The signed object, block by block, inside the context of `open_signer`.

    Starlette's StreamingResponse would lose parts of the upload: with servers that speak ASGI 2.3, as uvicorn does, it takes
    the messages that come meanwhile, looking for the end of the connection.
    """

    media_type = DICOM

    def __init__(self, request: Request, signer: Signer, tags: list[int] | None) -> None:
        super().__init__(headers={"connection": "close"})
        del self.headers["content-length"]  # nobody knows it yet
        self._request = request
        self._signer = signer
        self._tags = tags

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        try:
            async with self._opened() as signing:
                async for block in signing:
                    if not begun:
                        begun = True
                        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                    if await self._has_gone():
                        return
            await send({"type": "http.response.body", "body": b""})
        except ClientDisconnect:
            return  # nobody is there to be told
        except errors.Error as error:
            if begun:
                raise  # the server cuts the connection, so that the client sees that the object is not whole
            await problem(error)(scope, receive, send)

    def _opened(self) -> AbstractAsyncContextManager[SigningStream]:
        return open_signer(self._request.stream(), signer=self._signer, tags=self._tags)

    async def _has_gone(self) -> bool:
        """Whether the client has; while it uploads, the upload tells, and must not be looked into."""
        return self._tags is None and await self._request.is_disconnected()


class Service:
    """The endpoints, with what they need."""

    def __init__(self, signer: Signer, trust: Trust, threads: int | None = None) -> None:
        self._signer = signer
        self._trust = trust
        self._threads = threads

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/health", health),
            Route("/verify", self.verify, methods=["POST"]),
            Route("/sign", self.sign, methods=["POST"]),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        if self._threads is not None:
            anyio.to_thread.current_default_thread_limiter().total_tokens = self._threads
        yield

    async def verify(self, request: Request) -> Response:
        """The verdicts on all signatures of the upload."""
        try:
            async with open_verifier(request.stream(), trust=self._trust) as run:
                async for _block in run:
                    pass  # to be stored somewhere, under a name that does not count yet
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to be told
        except errors.Error as error:
            return problem(error)
        return JSONResponse(run.report.to_dict())

    async def sign(self, request: Request) -> Response:
        """The upload with a signature, in one pass if the tags to sign are named."""
        tags = request.query_params.get("tags")
        try:
            chosen = None if tags is None else [int(tag, 16) for tag in tags.split(",")]
        except ValueError:
            return JSONResponse({"error": "tags: eight hexadecimal digits each, with commas between them"}, 400)
        return SigningResponse(request, self._signer, chosen)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("key", type=Path)
    parser.add_argument("certificate", type=Path, help="the signer's, and the only one that is trusted")
    parser.add_argument("--port", type=int, default=0, help="any free one by default")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="at work at the same time; by default the processors")
    parser.add_argument("--switch", type=float, default=0.0005, help="seconds after which a thread lets others have a turn")
    parser.add_argument("--grace", type=int, default=10, help="seconds that requests may still take at the end")
    options = parser.parse_args()
    sys.setswitchinterval(options.switch)
    signer = KeySigner.load(options.key, options.certificate)
    service = Service(signer, Trust.load(trusted=[options.certificate]), options.threads)
    config = uvicorn.Config(service.app(), log_level="warning", timeout_graceful_shutdown=options.grace)
    # With the protocol named, asyncio turns Nagle's algorithm off; small answers would take 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", options.port))
        listener.listen(1024)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
