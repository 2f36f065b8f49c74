"""`expand=true` on listings of files: which commit touched each path last (hub-api reference 2.9), and that nobody
looked for harm in a file."""

from collections.abc import Iterable

from orchestrator.api.views import Json, iso
from orchestrator.ports_refs import Refs

PAGE = 100  #: entries of an expanded page
_UNSCANNED = {"securityFileStatus": {"status": "unscanned", "avScan": None, "pickleImportScan": None}}


def with_last_commits(refs: Refs, repo_id: str, commit: str, shown: Iterable[Json]) -> list[Json]:
    """The entries with `lastCommit`, without it where history was too long to find it in time; files with their security."""
    shown = list(shown)
    found = refs.last_commits(repo_id, commit, [one["path"] for one in shown])
    return [one | _last(found.get(one["path"])) | (_UNSCANNED if one["type"] == "file" else {}) for one in shown]


def _last(one) -> Json:
    return {"lastCommit": {"id": one.id, "title": one.title, "date": iso(one.at)}} if one else {}
