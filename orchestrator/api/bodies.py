"""Large request bodies on their way to a file: piece by piece, hashed and written in threads, a few MB in memory at any time."""

from collections.abc import Callable

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from orchestrator.domain.push import amount
from orchestrator.errors import Invalid, TooLarge

_PIECE = 2 * 1024**2  #: bytes that are gathered before they are written


async def pour(request: Request, write: Callable[[bytes], object], limit: int, what: str) -> int:
    """Give the body to `write` in pieces; returns its size. Raises TooLarge `TOO_LARGE` once it passes `limit` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit, what)
    pieces: list[bytes] = []
    held = size = 0
    async for chunk in request.stream():
        size += len(chunk)
        held += len(chunk)
        if size > limit:
            raise _too_large(limit, what)
        pieces.append(chunk)
        if held >= _PIECE:
            await run_in_threadpool(write, b"".join(pieces))
            pieces, held = [], 0
    if pieces:
        await run_in_threadpool(write, b"".join(pieces))
    return size


async def small(request: Request, limit: int, what: str) -> bytes:
    """A body that is read whole. Raises TooLarge `TOO_LARGE`."""
    gathered = bytearray()
    await pour(request, gathered.extend, limit, what)
    return bytes(gathered)


def announced(request: Request, size: int) -> None:
    """Raises Invalid `LFS_SIZE` when the body will not have `size` bytes."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) != size:
        raise Invalid("LFS_SIZE", f"announced were {size} bytes, this body has {length}; send the whole object")


def _too_large(limit: int, what: str) -> TooLarge:
    return TooLarge("TOO_LARGE", f"{what} may have {amount(limit)} here; send less")
