"""git over HTTP, and the one question that git's hook asks. Owns the paths, statuses and the reading of request bodies; who may
do what is `services/git_access.py`, what a push means `services/pushes.py`, git itself the injected `smart`.

The path and method choose the rule, the `service` query never does. Errors before the first byte are text/plain: git shows
their body as `remote:` lines when it looks for refs."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from orchestrator import failpoints
from orchestrator.api.problems import moved_to, status_of
from orchestrator.domain.push import amount
from orchestrator.domain.repo import RepoKind
from orchestrator.errors import CallerError, Invalid, Moved, PodiumError, TooLarge, TooMany, Unauthorized
from orchestrator.services.git_access import GitAccess
from orchestrator.services.pushes import Pushes

log = logging.getLogger(__name__)
FETCH_LIMIT = 32 * 1024**2  #: bytes of one fetch request after inflation
_SERVICES = ("git-upload-pack", "git-receive-pack")
_UNCACHED = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Pragma": "no-cache", "Expires": "0"}
_KEEPALIVE = 3.0  #: seconds between signs of life to a waiting hook
_HOOK_LIMIT = 1024**2


def router(access: GitAccess, pushes: Pushes, smart: Any) -> APIRouter:
    """Smart HTTP where each kind of repo lives, with and without `.git`. `smart` is a repos.smart.Smart."""
    routes = APIRouter(include_in_schema=False)
    git = _Git(access, pushes, smart)
    for kind in RepoKind:
        at = f"/{kind.prefix}{{owner}}/{{name}}"
        routes.add_api_route(f"{at}/info/refs", _told(git.refs, kind), methods=["GET"])
        routes.add_api_route(f"{at}/git-upload-pack", _told(git.fetch, kind), methods=["POST"])
        routes.add_api_route(f"{at}/git-receive-pack", _told(git.push, kind), methods=["POST"])
    return routes


def hook_router(pushes: Pushes) -> APIRouter:
    """What the pre-receive hook asks, on the control plane's own socket; the one-time secret of a push opens it."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/internal/hooks/pre-receive")
    async def pre_receive(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _HOOK_LIMIT:
                raise TooLarge("GIT_PROTOCOL", "too many refs in one push")
        secret = (request.headers.get("authorization") or "").removeprefix("Bearer ")
        quarantine, _, updates = body.decode("utf-8", "surrogateescape").partition("\n")
        asked = asyncio.create_task(asyncio.to_thread(pushes.check, secret, updates, quarantine))
        return StreamingResponse(_verdict(asked), media_type="text/plain")

    return routes


async def _verdict(asked: asyncio.Task) -> AsyncIterator[bytes]:
    while not (await asyncio.wait({asked}, timeout=_KEEPALIVE))[0]:
        yield b"\n"
    verdict = asked.result()
    lines = [f"say {line}\n" for text in verdict.lines for line in text.splitlines()]
    yield ("".join(lines) + ("ok\n" if verdict.accepted else "no\n")).encode("utf-8", "replace")
    if verdict.accepted:
        failpoints.hit("before_ref")


class _Git:
    def __init__(self, access: GitAccess, pushes: Pushes, smart: Any) -> None:
        self.access, self.pushes, self.smart = access, pushes, smart

    async def refs(self, request: Request, kind: RepoKind, owner: str, name: str) -> Response:
        service = request.query_params.get("service", "")
        caller = await self._caller(request)
        if service not in _SERVICES:
            raise Invalid("GIT_DUMB", "this server speaks git's smart HTTP protocol only; use a newer git")
        ask = self.access.push if service == "git-receive-pack" else self.access.fetch
        space = await run_in_threadpool(ask, caller, kind, owner, name)
        async with self.smart.slots.take(_who(caller)):
            shown = await run_in_threadpool(
                self.smart.advertise, space.id if space else None, service, request.headers.get("git-protocol", "")
            )
        return Response(shown, media_type=f"application/x-{service}-advertisement", headers=_UNCACHED)

    async def fetch(self, request: Request, kind: RepoKind, owner: str, name: str) -> Response:
        caller = await self._caller(request)
        space = await run_in_threadpool(self.access.fetch, caller, kind, owner, name)
        body = Body(request, FETCH_LIMIT, "request")
        chunks = self.smart.upload(space.id, body, request.headers.get("git-protocol", ""))
        return GitStream("git-upload-pack", body, self._counted(caller, chunks))

    async def push(self, request: Request, kind: RepoKind, owner: str, name: str) -> Response:
        caller = await self._caller(request)
        space = await run_in_threadpool(self.access.push, caller, kind, owner, name)
        body = Body(request, self.smart.push_limit, "push")
        commands = await self.smart.read_commands(body)
        if not commands.updates:  # git asks with an empty request whether its credentials are good
            return Response(b"", media_type="application/x-git-receive-pack-result", headers=_UNCACHED)
        if space is None:
            space = await run_in_threadpool(self.access.create, caller, owner, name)
        return GitStream("git-receive-pack", body, self._counted(caller, self._pushed(caller, space, commands, body)))

    async def _pushed(self, caller: Any, space: Any, commands: Any, body: "Body") -> AsyncIterator[bytes]:
        ticket = await run_in_threadpool(self.pushes.begin, space, caller)
        chunks = self.smart.receive(space.id, commands, body, ticket.secret, lambda: self.pushes.finish(ticket))
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _counted(self, caller: Any, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async with aclosing(chunks), self.smart.slots.take(_who(caller)):
            async for chunk in chunks:
                yield chunk

    async def _caller(self, request: Request) -> Any:
        address = request.client.host if request.client else ""
        return await run_in_threadpool(self.access.caller, request.headers.get("authorization"), address)


def _who(caller: Any) -> str:
    return caller.user.id if caller.user else f"address {caller.address}"


def _told(handler: Callable, kind: RepoKind) -> Callable:
    """A route of a handler, its errors as texts that git can show."""

    async def route(request: Request, owner: str, name: str) -> Response:
        try:
            return await handler(request, kind, owner, name.removesuffix(".git"))
        except Moved as error:
            return RedirectResponse(moved_to(request, error), 307, _UNCACHED)
        except PodiumError as error:
            return refusal(error)

    return route


def refusal(error: PodiumError) -> Response:
    """An error before anything was sent."""
    if not isinstance(error, CallerError):
        log.warning("git: %s", error)
        text = "podium: temporarily unavailable, nothing was changed; try again in a minute\n"
        return PlainTextResponse(text, 503, {**_UNCACHED, "Retry-After": "5"})
    headers = dict(_UNCACHED) | {"X-Error-Code": error.code}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Basic realm="Podium"'
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(round(error.retry_after))
    text = error.message if error.code == "RepoNotFound" else f"{error.code}: {error.message}"
    return PlainTextResponse(f"podium: {text}\n", status_of(error), headers)


class Gone(Exception):
    """The client left."""


class Body:
    """A request's body, inflated, counted, chunk by chunk. Raises TooLarge `PUSH_TOO_LARGE`, Invalid `GIT_PROTOCOL`, Gone."""

    def __init__(self, request: Request, limit: int, what: str) -> None:
        coding = request.headers.get("content-encoding", "identity").lower()
        if coding not in ("identity", "gzip", "x-gzip"):
            raise Invalid("GIT_PROTOCOL", "the request is compressed in a way that is not known here; use gzip")
        self._receive = request.receive
        self._limit, self._what = limit, what
        self._zip = zlib.decompressobj(31) if coding != "identity" else None
        self._seen = 0
        self._more = True
        self.done = asyncio.Event()
        self._source = self._chunks()

    def __aiter__(self) -> "Body":
        """Itself: whoever stops reading leaves the rest to the next one."""
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._source)

    async def _chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self.rest():
            if self._zip is None:
                self._count(chunk)
                yield chunk
                continue
            try:
                while chunk:
                    plain = self._zip.decompress(chunk, 64 * 1024)
                    self._count(plain)
                    if plain:
                        yield plain
                    chunk = self._zip.unconsumed_tail
            except zlib.error:
                raise Invalid("GIT_PROTOCOL", "the request is not valid gzip") from None

    async def rest(self) -> AsyncIterator[bytes]:
        """What is still to come, as it is, uncounted."""
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._more = False
                raise Gone
            self._more = message.get("more_body", False)
            if not self._more:
                self.done.set()
            if chunk := message.get("body", b""):
                yield chunk

    def _count(self, chunk: bytes) -> None:
        self._seen += len(chunk)
        if self._seen > self._limit:
            text = f"the {self._what} is larger than {amount(self._limit)}; push the history in parts"
            raise TooLarge("PUSH_TOO_LARGE", text)


class GitStream(Response):
    """Sends chunks as they come; an error before the first one becomes a status. A client that leaves ends the source."""

    def __init__(self, service: str, body: Body, chunks: AsyncIterator[bytes]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({**_UNCACHED, "Content-Type": f"application/x-{service}-result"})
        self._body, self._chunks = body, chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(scope, receive, send))
        watching = asyncio.create_task(self._watch(receive))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                sending.cancel()
            await asyncio.wait({sending})
        finally:
            watching.cancel()
            sending.cancel()
            await self._chunks.aclose()
        if not sending.cancelled() and (error := sending.exception()) and not isinstance(error, Gone):
            raise error

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await anext(self._chunks, b"")
        except PodiumError as error:
            await refusal(error)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive) -> None:
        await self._body.done.wait()
        while (await receive())["type"] != "http.disconnect":
            pass
