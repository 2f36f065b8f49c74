"""From a Space to what one caller may be shown of it: looks into git lazily. Used by lists and by the Space itself."""

from orchestrator.api import views
from orchestrator.api.parts import Parts
from orchestrator.domain.caller import Caller, role_on
from orchestrator.domain.records import Space
from orchestrator.domain.space import Role
from orchestrator.errors import NotFound


def shown(parts: Parts, caller: Caller, space: Space, revision: str | None = None, blobs: bool = False) -> views.Shown:
    """`revision`: another than the head of main. Who may not see the code of a protected Space sees neither commit nor
    files. Raises NotFound `RevisionNotFound`."""
    app_url = parts.app_url(space.label)
    if role_on(caller, space, code=True) < Role.READ:
        if revision:
            raise NotFound("RevisionNotFound", "Invalid rev id")
        return views.Shown(space, app_url, None, {}, list, lambda: 0)
    sha = parts.repos.resolve(space.id, revision) if revision else space.sha or parts.repos.head(space.id)
    card = space.card

    def files() -> list[views.Json]:
        entries = parts.repos.tree(space.id, sha, "", True) if sha else []
        entries = parts.large.seen(space.id, entries) if blobs else entries
        return [views.sibling(entry, blobs) for entry in entries if entry.type == "file"]

    return views.Shown(
        space, app_url, sha, card, files, lambda: parts.repos.size(space.id) + parts.large.usage(space.id)
    )
