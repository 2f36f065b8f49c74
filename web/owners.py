"""The page of a user or an organisation: who they are, what they host, what they like. Settings are elsewhere."""

from fastapi import APIRouter, Depends, Request, Response

from orchestrator.domain.repo import PLAIN
from orchestrator.domain.space import Role
from web.explore import Wanted, look, wanted
from web.page import Console
from web.session import Visit

_LIKED = 12
_OTHERS = 24
_COLLECTIONS = 50


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    @router.get("/{owner:owner}")
    def page(
        request: Request, owner: str, want: Wanted = Depends(wanted), visit: Visit = Depends(console.visit)
    ) -> Response:
        who = parts.accounts.owner(owner)
        found, next_after = look(console, visit.caller, want, who.name)
        members = parts.accounts.members(who) if who.kind == "org" else []
        orgs = [org for org, role in parts.accounts.orgs_of(who) if role >= Role.READ] if who.kind == "user" else []
        liked = parts.likes.liked(visit.caller, who, _LIKED)[0] if who.kind == "user" and not want.after else []
        others = {kind: parts.hosted.list(visit.caller, kind, owner=who.name, limit=_OTHERS + 1) for kind in PLAIN}
        values = {
            "owner": who,
            "want": want,
            "spaces": found,
            "next_after": next_after,
            "members": members,
            "orgs": orgs,
            "liked": [repo for repo, _ in liked],
            "others": {kind: (repos[:_OTHERS], len(repos) > _OTHERS) for kind, repos in others.items() if repos},
            "collections": parts.collections.list(visit.caller, [who.name], [], _COLLECTIONS),
        }
        return console.show(request, visit, "owner.html", **values)

    return router
