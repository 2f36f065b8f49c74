"""The page of a bucket: what is in it, folder by folder, for whoever follows the links that `hf buckets` prints. Changing one is
the API's."""

from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Query, Request, Response

from orchestrator.domain.bucket import LAST, BucketFolder
from web.page import Console
from web.session import Visit

_ENTRIES = 500


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    @router.get("/buckets/{owner}/{name}")
    @router.get("/buckets/{owner}/{name}/tree/{path:path}")
    def page(
        request: Request,
        owner: str,
        name: str,
        path: str = "",
        after: str = Query("", max_length=6000),
        visit: Visit = Depends(console.visit),
    ) -> Response:
        bucket = parts.buckets.find(visit.caller, owner, name)
        folder = unquote(path).strip("/")
        prefix = f"{folder}/" if folder else ""
        found = parts.bucket_files.list(bucket, prefix, False, after, _ENTRIES + 1)
        shown = [(entry, isinstance(entry, BucketFolder)) for entry in found[:_ENTRIES]]
        values = {
            "bucket": bucket,
            "base": f"/{bucket.path}",
            "file_path": folder,
            "entries": shown,
            "after": after,
            "next_after": _behind(*shown[-1]) if len(found) > _ENTRIES else "",
            "can_change": console.may_change(visit, bucket),
        }
        return console.show(request, visit, "bucket.html", **values)

    return router


def _behind(entry, is_folder: bool) -> str:
    """What the next page begins behind, as a part of an address."""
    return quote(f"{entry.path}/{LAST}" if is_folder else entry.path, safe="")
