"""Paths of the Hub that this Podium does not serve yet: each says so, and what to do instead. An issue that builds one of them
removes its line here."""

from fastapi import APIRouter, Depends

from orchestrator.api.params import repo_of
from orchestrator.errors import Invalid, NotFound, repo_not_found

router = APIRouter(include_in_schema=False)
absent = APIRouter(include_in_schema=False)  #: words in the place of a kind of repos; routed first

_REPO = "/api/{kind}/{owner}/{name}"
_LATER = (
    (("POST",), _REPO + "/dev-mode", "dev mode; push your change, it is live in seconds"),
    (("PUT", "DELETE"), _REPO + "/volumes", "choosing volumes; every Space has its own /data"),
    (("POST", "DELETE"), _REPO + "/storage", "choosing storage; every Space has its own /data"),
    (("GET",), _REPO + "/leaderboard", "leaderboards; nobody collects the results of models here"),
)


def _refusal(what: str):
    def refuse() -> None:
        raise Invalid("NOT_SUPPORTED", f"This Podium does not support {what}.")

    return refuse


for _methods, _path, _what in _LATER:
    router.add_api_route(_path, _refusal(_what), methods=list(_methods), dependencies=[Depends(repo_of)])


#: What may follow the name of a repo.
_WORDS = (
    "auth-check", "branch", "commit", "commits", "discussions", "like", "likers", "paths-info", "preupload", "refs",
    "revision", "settings", "super-squash", "tag", "tree", "xet-read-token", "xet-write-token",
)  # fmt: skip
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def no_owner() -> None:
    """A name without an owner: no repo here has one, and clients know what that means by the code."""
    raise repo_not_found()


#: Whole parts of the Hub that are none of this server's, by their first word below /api.
_ABSENT = {
    "daily_papers": "papers", "jobs": "jobs",
    "papers": "papers", "scheduled-jobs": "jobs",
}  # fmt: skip


def _absence(what: str):
    def tell() -> None:
        raise NotFound("NOT_SUPPORTED", f"This Podium has no {what}.")

    return tell


for _word, _what in _ABSENT.items():
    for _rest in ("", "/{rest:path}"):
        absent.add_api_route(f"/api/{_word}{_rest}", _absence(_what), methods=_METHODS)
absent.add_api_route("/papers/{rest:path}", _absence("papers"), methods=["GET"])
router.add_api_route("/api/buckets/{name}", no_owner, methods=["POST", "PUT", "DELETE"])
for _word in _WORDS:
    for _rest in ("", "/{rest:path}"):
        router.add_api_route(f"/api/{{kind}}/{{name}}/{_word}{_rest}", no_owner, methods=_METHODS)
router.add_api_route("/{model:path}/resolve/{revision}/{path:path}", no_owner, methods=["GET", "HEAD"])
