"""Attachments of discussions: `POST /uploads` takes the bytes of a picture, film or sound and answers with its URL as text."""

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

from orchestrator.api.identity import BaseDep, PartsDep, SignedInDep
from orchestrator.api.params import Segment
from orchestrator.errors import TooLarge
from orchestrator.services.attachments import KINDS, LIMIT

router = APIRouter(tags=["discussions"])
_HARMLESS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "private, max-age=31536000, immutable",
}
_BYTES = {media: {"schema": {"type": "string", "format": "binary"}} for media in KINDS}


@router.post("/uploads", response_class=PlainTextResponse, openapi_extra={"requestBody": {"content": _BYTES}})
async def upload(request: Request, caller: SignedInDep, parts: PartsDep, base: BaseDep):
    """Its type is that of the request; whoever has the URL may see it."""
    attachments = parts.community.attachments
    ending = await run_in_threadpool(attachments.check, caller, request.headers.get("content-type", ""))
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > LIMIT:
            raise TooLarge("TOO_LARGE", f"an attachment may have {LIMIT // 1024**2} MB; send a smaller one")
    kept = await run_in_threadpool(attachments.keep, caller, bytes(content), ending)
    return PlainTextResponse(f"{base}/uploads/{kept}")


@router.get("/uploads/{owner}/{name}", response_class=FileResponse)
def attachment(owner: Segment, name: Segment, parts: PartsDep):
    path, media = parts.community.attachments.find(owner, name)
    return FileResponse(path, media_type=media, headers=_HARMLESS)
