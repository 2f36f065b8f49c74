"""Tokens for Xet and its write half, as newer clients upload (hub-docs, docs/xet/api.md; hub-api reference 2.20): a token for a
repo, then xorbs and shards at the address that came with it. The read half is `xet_read.py`. Owns paths, JSON and statuses; what
becomes of the bytes is `services/xet.py`."""

import asyncio
import hashlib
import tempfile
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from orchestrator.api.bodies import pour
from orchestrator.api.files import REPO
from orchestrator.api.heavy import heavy
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep
from orchestrator.api.params import OpenRepoDep, VoiceRepoDep
from orchestrator.api.parts import Parts
from orchestrator.domain.caller import role_on
from orchestrator.domain.space import Role
from orchestrator.domain.xet import SHARD_LIMIT, XORB_LIMIT
from orchestrator.errors import Forbidden, NotFound, Unauthorized
from orchestrator.services.xet import READING

router = APIRouter(tags=["files"])
TOKEN_SECONDS = 3600.0
CAS = "/api/xet/{repo_id}/{epoch}"
Hash = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get(REPO + "/xet-write-token/{revision:path}")
def write_token(space: VoiceRepoDep, caller: CallerDep, parts: PartsDep, base: BaseDep):
    """Where to send the chunks of large files, and with what token."""
    return token(parts, base, space.id, "xet-write", role_on(caller, space, code=True) < Role.WRITE)


@router.get(REPO + "/xet-read-token/{revision:path}")
def read_token(space: OpenRepoDep, caller: CallerDep, parts: PartsDep, base: BaseDep):
    """Where large files may be fetched in pieces, and with what token."""
    parts.downloads.note(space.id, caller.name if caller.user else caller.address)
    return token(parts, base, space.id, "xet-read")


def token(parts, base: str, repo_id: str, act: str, guest: bool = False) -> Response:
    """A token for what this act does with a repo or a bucket, and where to use it."""
    headers = given(parts, base, repo_id, act, guest)
    url, secret, ends = headers.values()
    return JSONResponse(
        {"accessToken": secret, "exp": int(ends), "casUrl": url}, headers=headers | {"Cache-Control": "no-store"}
    )


def given(parts: Parts, base: str, repo_id: str, act: str, guest: bool = False) -> dict[str, str]:
    """The address, the token and its end (epoch seconds), under the names of their headers. `guest`: of who may only propose."""
    more = {"guest": True} if guest else {}
    epoch = parts.xet.epoch(repo_id, guest) if act == "xet-write" else READING
    return {
        "X-Xet-Cas-Url": f"{base}/api/xet/{repo_id}/{epoch}",
        "X-Xet-Access-Token": parts.links.sign(act, TOKEN_SECONDS, repo=repo_id, **more),
        "X-Xet-Token-Expiration": str(parts.links.ends(TOKEN_SECONDS)),
    }


cas = APIRouter(include_in_schema=False)


def may(parts, repo_id: str, authorization: str, *acts: str) -> bool:
    """Whether as a guest (see `given`). Raises Unauthorized, so that clients ask for a new token, and Forbidden for one of
    another repo."""
    try:
        told = parts.links.read(authorization.removeprefix("Bearer ").strip(), *acts)
    except Forbidden as error:
        raise Unauthorized(error.code, error.message) from None
    if told.get("repo") != repo_id:
        raise Forbidden("LINK_FORGED", "this token is for another repository; ask for one of this one")
    return bool(told.get("guest"))


@cas.get(CAS + "/v1/chunks/{prefix}/{name}")
@cas.post(CAS + "/v1/xorb-grants/{prefix}/{name}")
@cas.post(CAS + "/v2/shards")
def unknown(repo_id: str, epoch: str, parts: PartsDep, authorization: Annotated[str, Header()] = ""):
    """Nothing is known of this chunk, or clients go on without."""
    may(parts, repo_id, authorization, "xet-write")
    raise NotFound("XET_UNKNOWN", "Nothing is known of this here.")


@cas.head(CAS + "/v1/xorbs/{prefix}/{name}")
def has(repo_id: str, epoch: str, name: Hash, parts: PartsDep, authorization: Annotated[str, Header()] = ""):
    may(parts, repo_id, authorization, "xet-write")
    return Response(status_code=200 if parts.xet.has(repo_id, epoch, name) else 404)


@cas.post(CAS + "/v1/xorbs/{prefix}/{name}")
async def xorb(
    request: Request,
    repo_id: str,
    epoch: str,
    name: Hash,
    parts: PartsDep,
    authorization: Annotated[str, Header()] = "",
):
    guest = may(parts, repo_id, authorization, "xet-write")
    with parts.xet.arriving(repo_id, epoch, name, guest) as coming:
        await pour(request, coming.write, XORB_LIMIT, "a xorb")
        return {"was_inserted": await run_in_threadpool(coming.done)}


@cas.post(CAS + "/v1/shards")
@cas.post(CAS + "/shards")
async def shard(
    request: Request, repo_id: str, epoch: str, parts: PartsDep, authorization: Annotated[str, Header()] = ""
):
    """Returns when all files are rebuilt, checked and durable. A client that asks again meanwhile waits for the same."""
    guest = may(parts, repo_id, authorization, "xet-write")
    with tempfile.TemporaryFile(dir=parts.scratch) as body:
        digest = hashlib.sha256(f"{repo_id} {epoch} ".encode())

        def write(data: bytes) -> None:
            digest.update(data)
            body.write(data)

        await pour(request, write, SHARD_LIMIT, "a shard")
        body.seek(0)
        running = request.app.state.__dict__.setdefault("shards", {})
        key = digest.digest()
        if key not in running:
            running[key] = asyncio.ensure_future(heavy(request, parts.xet.take_shard, repo_id, epoch, body, guest))
            running[key].add_done_callback(lambda _: running.pop(key, None))
        await asyncio.shield(running[key])
    return {"result": 1}
