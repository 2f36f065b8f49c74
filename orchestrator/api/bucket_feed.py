"""A bucket followed live (`HfFileSystem(live_follow=True)`): changes to its files as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from orchestrator.api.bucket_files import entry
from orchestrator.api.buckets import BUCKET, BucketDep
from orchestrator.api.identity import CallerDep, PartsDep
from orchestrator.api.parts import Parts
from orchestrator.api.sse import LIFE, event, kept_alive, stream
from orchestrator.domain.bucket import Bucket
from orchestrator.domain.caller import Caller
from orchestrator.errors import CallerError, Invalid
from orchestrator.services.bucket_feed import Changes, topic

router = APIRouter(tags=["buckets"])
_POLL = 5.0  #: seconds; rings may be lost
_FIELDS = ("size", "xetHash", "mtime", "uploadedAt")


@router.get(BUCKET + "/events", response_class=StreamingResponse)
def events(
    bucket: BucketDep,
    caller: CallerDep,
    parts: PartsDep,
    cursor: Annotated[str, Query(max_length=100, description="of an event, to go on behind it")] = "",
    since: Annotated[str, Query(max_length=100, description="or a time")] = "",
):
    """Events `changes` with what was added, updated and deleted, first those since then, `ready` once they are told, `reset`
    when they are not remembered any more, and `reconnect` at the end."""
    start = _cursor(bucket, cursor) if cursor else bucket.version
    if since and not cursor:
        start = parts.bucket_feed.since(bucket, _time(since))
    return stream(kept_alive(_follow(parts, caller, bucket, start)))


def _cursor(bucket: Bucket, cursor: str) -> int | None:
    if not cursor.isdecimal() or len(cursor) > 15:
        raise Invalid("CURSOR", "this cursor was not made by Podium; start again without one")
    return int(cursor) if int(cursor) <= bucket.version else None


def _time(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Invalid("SINCE", "since must be a time such as 2026-11-22T01:09:17.000Z") from None


async def _follow(parts: Parts, caller: Caller, bucket: Bucket, version: int | None) -> AsyncIterator[bytes]:
    ends, ready = time.monotonic() + LIFE, False
    with parts.bell.hearing(topic(bucket.id)) as rung:
        while time.monotonic() < ends:
            try:
                found = None if version is None else await asyncio.to_thread(
                    parts.bucket_feed.after, caller, bucket, version
                )  # fmt: skip
            except CallerError:
                return
            if found is None:
                yield event("reset", {"reason": "cursor_too_old"})
                return
            for one in found:
                version = one[0]
                yield event("changes", {"cursor": str(version), "changes": _told(one)})
            if found:
                continue
            if not ready:
                ready = True
                yield event("ready", {"cursor": str(version)})
            await rung(_POLL)
    yield event("reconnect", {"cursor": str(version)})


def _told(changes: Changes) -> list[dict[str, object]]:
    told = []
    for path, op, file in changes[1]:
        shown = entry(file) if file else {}
        told.append({"path": path, "op": op} | {name: shown[name] for name in _FIELDS if name in shown})
    return told
