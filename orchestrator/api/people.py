"""Who am I, who are they: whoami, users, organisations, avatars, and what clients ask for without being told to."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from orchestrator.api import views
from orchestrator.api.identity import BaseDep, CallerDep, PartsDep, SignedInDep
from orchestrator.api.params import Name, Segment
from orchestrator.domain.caller import Caller, role_in
from orchestrator.domain.records import AnyRepo, Owner
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role
from orchestrator.errors import Forbidden, NotFound, Unauthorized

router = APIRouter(tags=["people"])
_MANY = 1000


@router.get("/api/whoami-v2")
def whoami(caller: CallerDep, parts: PartsDep, base: BaseDep):
    """The caller, their organisations and the token they use."""
    if caller.user is None:
        raise Unauthorized("AUTH_REQUIRED", "Invalid username or password.")
    return views.whoami(caller, parts.accounts.orgs_of(caller.user), base)


@router.get("/api/users/{user}/overview")
def user_overview(user: Name, caller: CallerDep, parts: PartsDep, base: BaseDep):
    owner = _named(parts.accounts.owner, user, "user")
    shown = views.member(owner, base) | _numbers(parts, caller, owner)
    orgs = [views.member(org, base) for org, _ in parts.accounts.orgs_of(owner)]
    told = {"numLikes": parts.likes.count_of(owner), "numUpvotes": 0, "numDiscussions": 0, "numPapers": 0}
    return shown | told | {"numFollowers": 0, "numFollowing": 0, "orgs": orgs}


@router.get("/api/organizations/{org}/overview")
def org_overview(org: Name, caller: CallerDep, parts: PartsDep, base: BaseDep):
    owner = _named(parts.accounts.owner, org, "org")
    return {
        "_id": owner.id,
        "name": owner.name,
        "fullname": owner.fullname or owner.name,
        "avatarUrl": views.avatar_url(base, owner),
        "type": "org",
        "isEnterprise": False,
        "numUsers": len(parts.accounts.members(owner)),
        "isVerified": False,
        "numFollowers": 0,
        "numPapers": 0,
    } | _numbers(parts, caller, owner)


@router.get("/api/users/{user}/followers")
@router.get("/api/users/{user}/following")
def follows(user: Name, parts: PartsDep):
    """Nobody can follow anybody here."""
    _named(parts.accounts.owner, user, "user")
    return []


@router.get("/api/organizations/{org}/followers")
def org_followers(org: Name, parts: PartsDep):
    _named(parts.accounts.owner, org, "org")
    return []


@router.get("/api/organizations/{org}/members")
def members(org: Name, parts: PartsDep, base: BaseDep):
    """Everybody may see them, as on the page of the organisation."""
    owner = _named(parts.accounts.owner, org, "org")
    return [views.member(user, base) | {"role": role.name.lower()} for user, role in parts.accounts.members(owner)]


@router.get("/api/settings/repositories")
def my_repositories(caller: SignedInDep, parts: PartsDep):
    """The caller's own repos with what they take on disk."""
    return _repositories(parts, caller, caller.user)


@router.get("/api/organizations/{org}/settings/repositories")
def org_repositories(org: Name, caller: SignedInDep, parts: PartsDep):
    owner = parts.accounts.owner(org)
    if role_in(caller, owner.id) < Role.READ:
        raise Forbidden("FORBIDDEN", f"{caller.name} is not a member of {owner.name}.")
    return _repositories(parts, caller, owner)


@router.get("/avatars/{name}.svg", include_in_schema=False)
def avatar(name: Segment):
    headers = {"Cache-Control": "public, max-age=86400", "Content-Security-Policy": "default-src 'none'"}
    return Response(views.avatar(name[:96]), media_type="image/svg+xml", headers=headers)


@router.get("/api/agent-harnesses", include_in_schema=False)
def agent_harnesses():
    return {"standardEnvVars": [], "harnesses": {}}


@router.get("/api/tasks", include_in_schema=False)
def tasks():
    """Which model the inference clients use for a task that is asked without one: none, for nobody runs models for others here.
    They say so then, and ask for the model's name."""
    return {}


@router.api_route("/api/telemetry/{topic:path}", methods=["HEAD", "GET", "POST"], include_in_schema=False)
@router.api_route("/v1/telemetry", methods=["POST"], include_in_schema=False)
def telemetry(topic: str = ""):
    """Clients report their use; Podium does not want to know."""
    return Response(status_code=204)


def _named(lookup, name: str, kind: str) -> Owner:
    owner = lookup(name)
    if owner.kind != kind:
        what = "user" if kind == "user" else "organisation"
        raise NotFound("OWNER", f"there is no {what} {name[:96]!r}")
    return owner


def _numbers(parts, caller: Caller, owner: Owner) -> dict[str, int]:
    """How many repos of each kind the caller may see."""
    return {f"num{kind.plural.capitalize()}": len(_of(parts, caller, owner, kind)) for kind in RepoKind}


def _of(parts, caller: Caller, owner: Owner, kind: RepoKind) -> list[AnyRepo]:
    return parts.hosted.list(caller, kind, owner=owner.name, limit=_MANY)


def _repositories(parts, caller: Caller, owner: Owner):
    repos = [repo for kind in RepoKind for repo in _of(parts, caller, owner, kind)]
    buckets = parts.buckets.list(caller, owner.name, _MANY)
    sizes = {repo.id: parts.repos.size(repo.id) + parts.large.usage(repo.id) for repo in repos}
    sizes |= {bucket.id: bucket.size for bucket in buckets}
    whole = sum(sizes.values()) or 1
    return JSONResponse(
        [
            {
                "id": repo.full_name,
                "type": repo.kind.value,
                "visibility": repo.visibility.value,
                "storage": sizes[repo.id],
                "storagePercent": round(100 * sizes[repo.id] / whole, 2),
                "updatedAt": views.iso(repo.updated_at),
            }
            for repo in (*repos, *buckets)
        ]
    )
