"""Paths of the Hub that this Podium does not serve yet: each says so, and what to do instead. An issue that builds one of them
removes its line here."""

from fastapi import APIRouter

from orchestrator.errors import Invalid, repo_not_found

router = APIRouter(include_in_schema=False)

_REPO = "/api/{kind}/{owner}/{name}"
_LATER = (
    (("POST",), "/api/repos/move", "moving and renaming; create a new Space, push to it and delete the old one"),
    (("POST",), _REPO + "/duplicate", "duplicating; clone the repo and push it to a new Space"),
    (("POST", "DELETE"), _REPO + "/branch/{ref:path}", "changing branches over the API; push them with git"),
    (("POST", "DELETE"), _REPO + "/tag/{ref:path}", "changing tags over the API; push them with git"),
    (("POST",), _REPO + "/super-squash/{ref:path}", "squashing over the API; push with git --force"),
    (("GET", "POST", "HEAD"), _REPO + "/discussions", "discussions and pull requests; commit to a branch"),
    (("POST",), _REPO + "/dev-mode", "dev mode; push your change, it is live in seconds"),
    (("PUT", "DELETE"), _REPO + "/volumes", "choosing volumes; every Space has its own /data"),
    (("POST", "DELETE"), _REPO + "/storage", "choosing storage; every Space has its own /data"),
    (("POST",), _REPO + "/replicas", "more than one replica"),
    (("POST", "DELETE"), _REPO + "/like", "likes"),
)


def _refusal(what: str):
    def refuse() -> None:
        raise Invalid("NOT_SUPPORTED", f"This Podium does not support {what}.")

    return refuse


for _methods, _path, _what in _LATER:
    router.add_api_route(_path, _refusal(_what), methods=list(_methods))


@router.api_route("/{model:path}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
def no_owner() -> None:
    """A name without an owner: no repo here has one, and clients know what that means by the code."""
    raise repo_not_found()
