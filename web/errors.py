"""Errors as pages, for those who look with a browser. The statuses and words are `orchestrator/api/problems.py`'s."""

from collections.abc import Callable
from urllib.parse import quote

from fastapi import Request, Response

from web.addresses import home as base
from web.page import Console, go
from web.session import safe_next

Renderer = Callable[[Request, int, str, str], Response | None]

_HEADS = {
    401: "Sign in first",
    403: "That is not yours to change",
    404: "Nothing here",
    409: "That is taken",
    413: "That is too much",
    422: "That cannot be used",
    429: "A little slower",
    500: "Something of ours broke",
    503: "Not just now",
}
_API = ("/api/", "/internal/", "/oauth/token", "/oauth/userinfo", "/healthz", "/readyz", "/static/")
_GIT = ("/info/refs", "/git-upload-pack", "/git-receive-pack", "/info/lfs")


def wants_page(request: Request) -> bool:
    """Whether a person looks: their browser asks for HTML before anything else, on a path that is a page's."""
    path = request.url.path
    if path.startswith(_API) or any(word in path for word in _GIT):
        return False
    accept = request.headers.get("accept", "")
    return "text/html" in accept.partition(";")[0]


def _path(request: Request) -> str:
    """As the browser wrote it, still quoted."""
    return (request.scope.get("raw_path") or b"/").decode("latin-1").partition("?")[0]


def renderer(console: Console) -> Renderer:
    def render(request: Request, status: int, code: str, message: str) -> Response | None:
        """The page of an error, or None when a program asks: then it is JSON."""
        if not wants_page(request):
            return None
        visit = console.visit(request)
        if status == 401 and visit.caller.user is None and request.method == "GET":
            query = f"?{request.url.query}" if request.url.query else ""
            return go(f"/login?next={quote(safe_next(_path(request) + query), safe='/')}")
        if code == "RepoNotFound":
            message = "There is nothing of this name, or it is not shown to you."
        head = _HEADS.get(status, "That did not work")
        here = quote(safe_next(_path(request)), safe="/")
        home = base(request) if code == "GatedRepo" else ""
        head = "Its files are behind a gate" if home else head
        values = {"home": home, "status_code": status, "code": code, "head": head, "message": message, "here": here}
        return console.show(request, visit, "error.html", status=status, **values)

    return render
