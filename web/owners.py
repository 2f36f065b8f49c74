"""The page of a user or an organisation: who they are, what they host, what they like. Settings are elsewhere."""

from fastapi import APIRouter, Depends, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import RESERVED_NAMES, Role
from web.explore import Wanted, look, wanted
from web.page import Console
from web.session import Visit

_LIKED = 12
_OTHERS = 50
#: Paths of one step that are not names of owners: this router is matched before the API's.
_NOT_OWNERS = sorted(
    RESERVED_NAMES | {"metrics", "openapi\\.json", "favicon\\.ico", "robots\\.txt", "device", "embed\\.js"}
)


class _OwnerConvertor(StringConvertor):
    regex = rf"(?!(?i:{'|'.join(_NOT_OWNERS)})/?$)[A-Za-z0-9][A-Za-z0-9_.-]*"


register_url_convertor("owner", _OwnerConvertor())


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
        others = {
            kind: parts.hosted.list(visit.caller, kind, owner=who.name, limit=_OTHERS)
            for kind in (RepoKind.MODEL, RepoKind.DATASET)
        }
        values = {
            "owner": who,
            "want": want,
            "spaces": found,
            "next_after": next_after,
            "members": members,
            "orgs": orgs,
            "liked": [repo for repo, _ in liked if repo.kind is RepoKind.SPACE],
            "others": {str(kind): repos for kind, repos in others.items() if repos},
        }
        return console.show(request, visit, "owner.html", **values)

    return router
