"""Git LFS: the batch API of a repo, and the signed addresses at which objects come and go (git-lfs, docs/api/batch.md and
basic-transfers.md; the Hub's `multipart` and `xet` are in hub-api reference 2.19). Owns paths, JSON and statuses; what a
repo owns is `services/large_files.py`."""

import asyncio
import json
import math
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from orchestrator.api.bodies import announced, pour, small
from orchestrator.api.heavy import heavy
from orchestrator.api.identity import base_url
from orchestrator.api.parts import Parts
from orchestrator.api.problems import moved_to, status_of
from orchestrator.api.ranges import span
from orchestrator.api.xet import TOKEN_SECONDS, given
from orchestrator.domain.caller import role_on
from orchestrator.domain.large import check_oid, check_size
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role
from orchestrator.errors import CallerError, Invalid, Moved, NotFound, TooLarge, TooMany, Unauthorized
from orchestrator.services.git_access import GitAccess

MEDIA = "application/vnd.git-lfs+json"
BATCH = 1000  #: objects in one question
_BODY = 1024**2
LINK_SECONDS = 3600.0  #: an address is used within this time; a transfer that has begun goes on
#: Bytes of one part of the Hub's multipart transfer; smaller objects come in one piece. Clients' own tests see that 18 MB do not.
CHUNK = 16 * 1024**2
_PARTS = 1000  #: parts of one object at most; of larger ones the parts are larger


def router(access: GitAccess, parts: Parts) -> APIRouter:
    """What git-lfs and the Hub's clients ask of each kind of repo, with and without `.git`."""
    routes = APIRouter(include_in_schema=False)
    lfs = _Lfs(access, parts)
    for kind in RepoKind:
        at = f"/{kind.prefix}{{owner}}/{{name}}/info/lfs"
        routes.add_api_route(f"{at}/objects/batch", _told(lfs.batch, kind), methods=["POST"])
        routes.add_api_route(f"{at}/objects/verify", _told(lfs.verify, kind), methods=["POST"])
        for path in ("locks", "locks/verify", "locks/{lock}/unlock"):
            routes.add_api_route(f"{at}/{path}", _no_locks, methods=["GET", "POST"])
    routes.add_api_route("/api/lfs/{oid}/verify", _told(lfs.verify_signed), methods=["POST"])
    routes.add_api_route("/api/lfs/{oid}", _told(lfs.put), methods=["PUT"])
    routes.add_api_route("/api/lfs/{oid}", _told(lfs.join), methods=["POST"])
    routes.add_api_route("/api/lfs/{oid}", _told(lfs.get), methods=["GET", "HEAD"])
    return routes


async def _no_locks() -> Response:
    """git-lfs then stops asking for this repo."""
    return JSONResponse({"message": "This server has no file locking."}, 501, media_type=MEDIA)


class _Lfs:
    def __init__(self, access: GitAccess, parts: Parts) -> None:
        self._access, self._parts, self._large, self._links = access, parts, parts.large, parts.links

    # ------------------------------------------------------------------------------------------------ questions

    async def batch(self, request: Request, kind: RepoKind, owner: str, name: str) -> Response:
        told = _object(await small(request, _BODY, "a batch"))
        wanted = told.get("objects")
        if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
            raise Invalid("LFS_BATCH", '"objects" must be a list of {"oid": …, "size": …}')
        if len(wanted) > BATCH:
            raise TooLarge("LFS_BATCH", f"{len(wanted)} objects in one question, at most {BATCH}; ask in parts")
        if told.get("hash_algo", "sha256") not in ("sha256", "sha_256"):  # the second is JavaScript's
            raise Invalid("LFS_BATCH", 'the only "hash_algo" is sha256')
        operation = told.get("operation")
        if operation not in ("upload", "download"):
            raise Invalid("LFS_BATCH", '"operation" must be upload or download')
        objects = [(check_oid(one.get("oid")), check_size(one.get("size"))) for one in wanted]
        repo, guest = await self._repo(request, kind, owner, name, operation == "upload")
        have = await run_in_threadpool(self._large.owned, repo.id, [oid for oid, _ in objects])
        base = base_url(request)
        transfers = told.get("transfers") if isinstance(told.get("transfers"), list) else []
        if operation == "download":
            answers = [self._download(base, repo, have, oid, size) for oid, size in objects]
            return _answer({"transfer": "basic", "objects": answers, "hash_algo": "sha256"})
        if have:
            await run_in_threadpool(self._large.stay, repo.id, have)
        transfer, action = "basic", self._whole
        if "xet" in transfers:
            told = await run_in_threadpool(given, self._parts, base, repo.id, "xet-write", guest)
            transfer, action = "xet", lambda base, repo, *_: _by_xet(base, repo, told)
        elif "multipart" in transfers and any(size > CHUNK for oid, size in objects if oid not in have):
            transfer, action = "multipart", self._in_parts
        upload = lambda oid, size: self._upload(base, repo, have, oid, size, action, guest)  # noqa: E731
        answers = [await run_in_threadpool(upload, oid, size) for oid, size in objects]
        return _answer({"transfer": transfer, "objects": answers, "hash_algo": "sha256"})

    async def verify(self, request: Request, kind: RepoKind, owner: str, name: str) -> Response:
        told = _object(await small(request, _BODY, "a question"))
        oid, size = check_oid(told.get("oid")), check_size(told.get("size"))
        repo, _ = await self._repo(request, kind, owner, name, True)
        return await self._verified(repo.id, oid, size)

    async def verify_signed(self, request: Request, oid: str) -> Response:
        """The same, for the one object that an upload was signed for."""
        told = self._signed(request, "lfs-put", oid)
        return await self._verified(told["repo"], oid, told["size"])

    async def _verified(self, repo_id: str, oid: str, size: int) -> Response:
        found = (await run_in_threadpool(self._large.owned, repo_id, [oid])).get(oid)
        if found is None or found.size != size:
            raise NotFound("LFS_OBJECT", f"there is no object {oid} with {size} bytes here; upload it")
        return _answer({})

    async def _repo(self, request: Request, kind: RepoKind, owner: str, name: str, write: bool) -> tuple[AnyRepo, bool]:
        """The repo, and whether the caller is one who may only propose changes to it."""
        address = request.client.host if request.client else ""
        caller = await run_in_threadpool(self._access.caller, request.headers.get("authorization"), address)
        if not write:
            return await run_in_threadpool(self._access.fetch, caller, kind, owner, name), False
        repo = await run_in_threadpool(self._access.upload, caller, kind, owner, name)
        # git-lfs uploads before git pushes, and the first push to a name of one's own makes the repo.
        repo = repo or await run_in_threadpool(self._access.create, caller, owner, name)
        return repo, role_on(caller, repo, code=True) < Role.WRITE

    def _download(self, base: str, repo: Any, have: dict, oid: str, size: int) -> dict:
        found = have.get(oid)
        if found is None or found.size != size:
            return {"oid": oid, "size": size, "error": {"code": 404, "message": "this repository has no such object"}}
        ticket = self._links.sign("lfs-get", LINK_SECONDS, repo=repo.id, oid=oid, size=size)
        action = {"href": f"{base}/api/lfs/{oid}?sign={ticket}", "expires_in": int(LINK_SECONDS)}
        return {"oid": oid, "size": size, "authenticated": True, "actions": {"download": action}}

    def _upload(self, base: str, repo: Any, have: dict, oid: str, size: int, action: Callable, guest: bool) -> dict:
        answer: dict[str, Any] = {"oid": oid, "size": size}
        if oid in have:
            if have[oid].size == size:
                return answer
            return answer | {
                "error": {"code": 422, "message": f"the object with this SHA-256 has {have[oid].size} bytes"}
            }
        try:
            self._large.check_room(repo.id, size, guest)
        except TooLarge as error:
            return answer | {"error": {"code": 422, "message": f"{error.code}: {error.message}"}}
        href = self._href(base, repo, oid, size, "/verify")
        verify = {"href": href, "expires_in": int(LINK_SECONDS)}
        upload = action(base, repo, oid, size)
        return answer | {"authenticated": True, "actions": {"upload": upload, "verify": verify}}

    def _href(self, base: str, repo: Any, oid: str, size: int, path: str = "", **more: int) -> str:
        ticket = self._links.sign("lfs-put", LINK_SECONDS, repo=repo.id, oid=oid, size=size, **more)
        return f"{base}/api/lfs/{oid}{path}?sign={ticket}"

    def _whole(self, base: str, repo: Any, oid: str, size: int) -> dict[str, Any]:
        return {"href": self._href(base, repo, oid, size), "expires_in": int(LINK_SECONDS)}

    def _in_parts(self, base: str, repo: Any, oid: str, size: int) -> dict[str, Any]:
        """The Hub's `multipart`: an address for each part; the smaller objects of such an answer come whole."""
        upload = self._whole(base, repo, oid, size)
        if size <= CHUNK:
            return upload
        chunk = max(CHUNK, math.ceil(size / _PARTS))
        numbers = range(1, math.ceil(size / chunk) + 1)
        parts = {str(n): self._href(base, repo, oid, size, part=n, chunk=chunk) for n in numbers}
        return upload | {"header": {"chunk_size": str(chunk), **parts}}

    # ------------------------------------------------------------------------------------------------ objects

    async def put(self, request: Request, oid: str) -> Response:
        """One object, or one part of it."""
        told = self._signed(request, "lfs-put", oid)
        if "part" in told:
            return await self._part(request, told)
        announced(request, told["size"])
        incoming = await run_in_threadpool(self._large.receive)
        try:
            await pour(request, incoming.write, told["size"], "this object")
            await asyncio.shield(run_in_threadpool(self._large.take, told["repo"], incoming, oid, told["size"]))
        finally:
            incoming.close()
        return Response(status_code=200, headers={"ETag": f'"{oid}"'})

    async def _part(self, request: Request, told: dict) -> Response:
        number, chunk, size = told["part"], told["chunk"], told["size"]
        start = (number - 1) * chunk
        length = min(chunk, size - start)
        announced(request, length)
        incoming = await run_in_threadpool(self._large.receive, _parts(told))
        at = start

        def write(data: bytes) -> None:
            nonlocal at
            incoming.write_at(at, data)
            at += len(data)

        try:
            await pour(request, write, length, "this part")
        finally:
            incoming.close()
        if at != start + length:
            raise Invalid("LFS_SIZE", f"part {number} has {length} bytes, received were {at - start}; send it again")
        return Response(status_code=200, headers={"ETag": f'"{told["oid"][:32]}-{number}"'})

    async def join(self, request: Request, oid: str) -> Response:
        """All parts are here. What they are together is checked, so the list of the client needs none."""
        told = self._signed(request, "lfs-put", oid)
        _object(await small(request, _BODY, "the list of parts"))
        if oid in await run_in_threadpool(self._large.owned, told["repo"], [oid]):
            return _answer({})  # the client did not hear our first answer
        incoming = await run_in_threadpool(self._large.receive, _parts(told))
        try:
            await asyncio.shield(heavy(request, self._large.take, told["repo"], incoming, oid, told["size"]))
        finally:
            incoming.close()
        return _answer({})

    async def get(self, request: Request, oid: str) -> Response:
        told = self._signed(request, "lfs-get", oid)
        headers = {"ETag": f'"{oid}"', "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        headers["Cache-Control"] = "private, no-cache"  # the address is the credential
        start, end, status = span(request, told["size"], headers)
        headers["Content-Length"] = str(end - start)
        if request.method == "HEAD" or start == end:
            return Response(status_code=status, headers=headers)
        chunks = await run_in_threadpool(self._large.read, told["repo"], oid, start, end)
        return StreamingResponse(chunks, status, headers)

    def _signed(self, request: Request, act: str, oid: str) -> dict:
        told = self._links.read(request.query_params.get("sign", ""), act)
        if told.get("oid") != oid:
            raise NotFound("LFS_OBJECT", "this address was signed for another object; ask for a new one")
        return told


def _by_xet(base: str, repo: Any, told: dict[str, str]) -> dict[str, Any]:
    """Where xorbs go, as git-xet and the JavaScript client read it; the address itself gives them a new token. The Python
    client needs only the name of the transfer."""
    href = f"{base}/api/{repo.kind.plural}/{repo.full_name}/xet-write-token/main"
    return {"href": href, "header": told | {"X-Xet-Session-Id": secrets.token_hex(8)}, "expires_in": int(TOKEN_SECONDS)}


def _parts(told: dict) -> str:
    """The name under which the parts of one object for one repo gather."""
    return f"{told['repo']}-{told['oid']}"


def _object(body: bytes) -> dict:
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Invalid("LFS_BODY", "the body must be a JSON object")
    return told


def _answer(told: dict, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(told, status, headers, media_type=MEDIA)


def _told(handler: Callable, kind: RepoKind | None = None) -> Callable:
    """A route of a handler, its errors as git-lfs shows them: `message` is what the user reads."""

    async def of_repo(request: Request, owner: str, name: str) -> Response:
        try:
            return await handler(request, kind, owner, name.removesuffix(".git"))
        except Moved as error:
            return RedirectResponse(moved_to(request, error), 307)
        except CallerError as error:
            return refusal(error)

    async def of_object(request: Request, oid: str) -> Response:
        try:
            return await handler(request, check_oid(oid))
        except CallerError as error:
            return refusal(error)

    return of_repo if kind else of_object


def refusal(error: CallerError) -> Response:
    """An error as git-lfs and as the Hub's clients read it."""
    status = 422 if isinstance(error, Invalid) else status_of(error)
    headers = {"X-Error-Code": error.code, "X-Error-Message": error.message.encode("ascii", "replace").decode()[:500]}
    if isinstance(error, Unauthorized):
        headers |= {"LFS-Authenticate": 'Basic realm="Podium"', "WWW-Authenticate": 'Basic realm="Podium"'}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return _answer(
        {"message": f"{error.code}: {error.message}", "error": error.message, "code": error.code}, status, headers
    )
