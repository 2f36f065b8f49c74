"""The files of buckets: lists, batches that change them, tokens for Xet, and their bytes. What clients send as a file's `xetHash`
is what Xet calls it; what they are told is its SHA-256, under which the read half of Xet (`xet_read.py`) knows it."""

import tempfile
from collections.abc import Iterator
from email.utils import formatdate
from typing import IO, Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from orchestrator.api import xet
from orchestrator.api.bodies import pour
from orchestrator.api.buckets import BUCKET, BucketDep, WritableBucketDep
from orchestrator.api.files import Asked, FilePath, asked_paths, harmless
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep
from orchestrator.api.params import cursor_of, next_link, read_cursor
from orchestrator.api.ranges import etags, span
from orchestrator.api.views import iso
from orchestrator.domain.bucket import LAST, Bucket, BucketFile, BucketFolder, Operation, read_operation
from orchestrator.domain.push import printable
from orchestrator.errors import Invalid, NotFound, TooLarge

router = APIRouter(tags=["buckets"])
_PAGE = 1000
_BATCH = 10_000  #: operations of one batch; clients send 1000
_LINE = 16 * 1024  #: bytes of one
_BODY = 32 * 1024**2


def entry(one: BucketFile | BucketFolder) -> dict[str, object]:
    if isinstance(one, BucketFolder):
        return {"type": "directory", "path": one.path, "uploadedAt": iso(one.uploaded_at)}
    return {
        "type": "file",
        "path": one.path,
        "size": one.size,
        "xetHash": one.oid,
        "mtime": iso(one.changed_at),
        "uploadedAt": iso(one.uploaded_at),
    }


def after(one: BucketFile | BucketFolder) -> str:
    """What the next page begins behind."""
    return one.path if isinstance(one, BucketFile) else f"{one.path}/{LAST}"


def prefix_in(request: Request) -> str:
    return unquote(str(request.path_params.get("path", "")))


@router.get(BUCKET + "/tree")
@router.get(BUCKET + "/tree/{path:path}")
def tree(
    request: Request,
    response: Response,
    bucket: BucketDep,
    parts: PartsDep,
    base: BaseDep,
    prefix: Annotated[str, Depends(prefix_in)],
    recursive: bool = True,
    limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, Query(max_length=6000)] = None,
):
    """Files whose paths begin with the path that follows, in pages. Not `recursive`: all below one folder as that folder."""
    start = unquote(read_cursor(cursor, 1)[0]) if cursor else ""
    found = parts.bucket_files.list(bucket, prefix, recursive, start, limit + 1)
    if len(found) > limit:
        cursor = cursor_of(quote(after(found[limit - 1]), safe=""))
        response.headers.update(next_link(request, base, cursor=cursor))
    return [entry(one) for one in found[:limit]]


@router.post(BUCKET + "/paths-info")
def paths_info(bucket: BucketDep, parts: PartsDep, asked: Annotated[Asked, Depends(asked_paths)]):
    """These files; those that are not there are left out."""
    return [entry(one) for one in parts.bucket_files.named(bucket, asked[0])]


@router.get(BUCKET + "/xet-write-token")
def write_token(bucket: WritableBucketDep, parts: PartsDep, base: BaseDep):
    """Where to send the chunks of files before a batch names them, and with what token."""
    return xet.token(parts, base, bucket.id, "xet-write")


@router.get(BUCKET + "/xet-read-token")
def read_token(bucket: BucketDep, parts: PartsDep, base: BaseDep):
    """Where files may be fetched in pieces, and with what token."""
    return xet.token(parts, base, bucket.id, "xet-read")


@router.post(BUCKET + "/batch")
async def batch(request: Request, bucket: WritableBucketDep, caller: CallerDep, parts: PartsDep):
    """Add, copy and delete files, all that can be at once. Body: NDJSON, a line per operation. `failed` has the path and the
    reason of those that were not done; 422 when that is all of them."""
    with tempfile.TemporaryFile(dir=parts.scratch) as body:
        await pour(request, body.write, _BODY, "a batch")
        body.seek(0)
        operations = await run_in_threadpool(lambda: [*_operations(body)])
    failures = await run_in_threadpool(parts.bucket_files.apply, caller, bucket, operations)
    done = len(operations) - len(failures)
    told = {
        "success": not failures,
        "processed": len(operations),
        "succeeded": done,
        "failed": [{"path": one.path, "error": one.error} for one in failures],
    }
    return JSONResponse(told, 422 if failures and not done else 200)


def _operations(body: IO[bytes]) -> Iterator[Operation]:
    number = 0
    while line := body.readline(_LINE + 1):
        number += 1
        if len(line) > _LINE:
            raise TooLarge("TOO_LARGE", f"line {number} of the batch is longer than {_LINE} bytes")
        if number > _BATCH:
            raise TooLarge("TOO_LARGE", f"a batch has at most {_BATCH} operations; send it in several")
        if line.strip():
            yield read_operation(line, number)
    if not number:
        raise Invalid("BATCH", "the batch is empty; send one JSON object a line")


@router.head("/buckets/{owner}/{name}/resolve/{path:path}", include_in_schema=False)
@router.get("/buckets/{owner}/{name}/resolve/{path:path}")
def resolve(
    request: Request,
    bucket: BucketDep,
    parts: PartsDep,
    base: BaseDep,
    path: Annotated[FilePath, Path(max_length=5000)],
    download: bool = False,
):
    """The bytes of a file; one byte range may be asked for. Its ETag is its SHA-256."""
    found = next(iter(parts.bucket_files.named(bucket, [path])), None)
    if found is None:
        raise NotFound("EntryNotFound", f"There is no file {printable(path, 200)!r} in this bucket.")
    headers = harmless(path, found.oid, download) | _told(bucket, base, found)
    if headers["ETag"] in etags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    start, end, status = span(request, found.size, headers)
    if status == 416:
        return Response(status_code=status, headers=headers)
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(parts.large.read(bucket.id, found.oid, start, end), status, headers)


def _told(bucket: Bucket, base: str, file: BucketFile) -> dict[str, str]:
    """What clients of the Hub look for; a bucket changes, so caches ask each time."""
    kept = {"Cache-Control": "private, no-cache"} if bucket.private else {
        "Cache-Control": "public, no-cache", "Vary": "Authorization, Cookie"
    }  # fmt: skip
    token = f"{base}/api/{bucket.path}/xet-read-token"
    return {
        "X-Linked-Size": str(file.size),
        "X-Linked-Etag": f'"{file.oid}"',
        "X-Xet-Hash": file.oid,
        "Link": f'<{token}>; rel="xet-auth"',
        "Last-Modified": formatdate(file.uploaded_at, usegmt=True),
    } | kept
