"""Server-sent events: frames, and a response that no proxy holds back."""

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

PING = b": still here\n\n"
PING_EVERY = 15.0  #: seconds
LIFE = 3600.0  #: seconds after which a browser is told to connect again: access is looked at afresh


def event(name: str, data: Any, ident: str = "") -> bytes:
    head = f"id: {ident}\n" if ident else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def stream(frames: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)
