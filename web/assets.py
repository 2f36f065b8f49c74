"""The stylesheet, scripts and marks of the console, under a path that names their content: `/static/<hash>/<file>`. One hash
for the whole folder, so that the modules may import each other by relative paths and still be kept by browsers for ever.
The files of `static/css` are one stylesheet, `podium.css`, in the order of their names; `static/pictures` are
those of the docs."""

import gzip
import hashlib
from pathlib import Path

from fastapi import APIRouter, Request, Response

from orchestrator.errors import NotFound

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
}
_FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """All static files, read once."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        found = sorted([*folder.iterdir(), *(folder / "pictures").glob("*")])
        self._files = {p.name: p.read_bytes() for p in found if p.suffix in _TYPES}
        self._files["podium.css"] = b"\n".join(p.read_bytes() for p in sorted((folder / "css").glob("*.css")))
        self._zipped = {name: gzip.compress(data, 9, mtime=0) for name, data in self._files.items()}
        digest = hashlib.sha256()
        for name, data in self._files.items():
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Raises KeyError for a file that is not there, so that a page with a wrong name never leaves."""
        return f"/static/{self.version}/{self._files[name] and name}"

    def answer(self, request: Request, version: str, name: str) -> Response:
        """Raises NotFound `STATIC`. A page from before an upgrade gets today's file, which is not kept."""
        if name not in self._files:
            raise NotFound("STATIC", "There is no such file.")
        headers = {
            "Cache-Control": _FOR_EVER if version == self.version else "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept-Encoding",
        }
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        if zipped:
            headers["Content-Encoding"] = "gzip"
        body = (self._zipped if zipped else self._files)[name]
        return Response(body, media_type=_TYPES[Path(name).suffix], headers=headers)

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.get("/static/{version}/{name}", include_in_schema=False)
        async def static(request: Request, version: str, name: str) -> Response:
            return self.answer(request, version, name)

        @router.get("/favicon.ico", include_in_schema=False)
        async def favicon(request: Request) -> Response:
            return self.answer(request, "", "mark.svg")

        return router
