"""Liking a repo of any kind, and taking it back."""

from fastapi import Depends, Request, Response

from web.addresses import RepoPages
from web.page import Console, go
from web.session import Visit


def routes(console: Console) -> RepoPages:
    router = RepoPages()

    @router.post("/like")
    def like(
        request: Request, form: dict[str, str] = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        repo = console.repo(visit, request, code=False)
        change = console.parts.likes.like if form.get("want") else console.parts.likes.unlike
        change(visit.caller, repo)
        return go(f"/{repo.path}")

    return router
