"""Records as the Hub's JSON: how a Space runs, builds, files, people; repos themselves are `repo_views.py`. Pure functions, so
that whole answers can be compared in tests."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from orchestrator.api.cardtags import tags
from orchestrator.domain.caller import Caller
from orchestrator.domain.decide import RouteState
from orchestrator.domain.grants import as_json
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.load import Load
from orchestrator.domain.records import Build, Owner, Setting, Space
from orchestrator.domain.seen import BuildState
from orchestrator.domain.space import Role
from orchestrator.domain.stage import Stage
from orchestrator.domain.tree import Commit, TreeEntry

Json = dict[str, Any]

_ERROR_STAGES = (Stage.NO_APP_FILE, Stage.CONFIG_ERROR, Stage.BUILD_ERROR, Stage.RUNTIME_ERROR)

_RESTS = (Stage.SLEEPING, Stage.PAUSED)


def iso(at: float | None) -> str | None:
    """Epoch seconds as `2026-11-22T01:09:17.000Z`: the client's parser takes no other form."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -------------------------------------------------------------------------------------------------------------- spaces


def runtime(space: Space, app_url: str) -> Json:
    """SpaceRuntime (huggingface_hub `_space_api.SpaceRuntime`), and of our own: reason, since, deadline, sha (of what serves),
    and `frozen` while deploys are, with the commit that waits."""
    serves = space.route is RouteState.OPEN
    static = space.sdk == "static"
    # A Space at rest still has its hardware: gradio's `Client.duplicate` takes that of the original for the copy, and none is no
    # flavour.
    has = (serves or space.stage in _RESTS) and not static
    shown: Json = {
        "stage": space.stage.value,
        "hardware": {
            "current": (space.running_hardware or space.wish.hardware) if has else None,
            "requested": None if static else space.hardware_asked or space.wish.hardware,
        },
        "storage": None,
        "gcTimeout": None if space.wish.sleep_after is None else int(space.wish.sleep_after),
        "replicas": {"requested": space.wish.replicas} | ({"current": len(space.addresses) or 1} if serves else {}),
        "devMode": False,
        "domains": [{"domain": urlsplit(app_url).netloc, "stage": "READY"}]
        + [{"domain": host, "stage": "READY", "isCustom": True} for host in space.hosts if not space.private],
        "sdk": space.sdk,
        "sdkVersion": space.image.sdk_version or None if space.image else None,
        "reason": space.reason,
        "since": iso(space.stage_since),
        "deadline": iso(space.deadline),
        "sha": space.running_revision,
    }
    if space.wish.frozen:
        shown["frozen"] = {"waiting": space.wish.held}
    if space.stage in _ERROR_STAGES:
        shown["errorMessage"] = space.reason
    return shown


def load(taken: Load, flavor: Hardware | None, copies: int, instance: str) -> Json:
    """What all copies of a Space take of their hardware, as the Hub tells of its jobs (huggingface_hub `fetch_job_metrics`).
    Network is not measured."""
    cores, memory = (flavor.cpu * copies, flavor.memory * copies) if flavor else (0.0, None)
    gpus = {}
    if taken.gpu is not None or taken.gpu_memory is not None:
        busy = None if taken.gpu is None else round(taken.gpu * 100)
        gpus["all"] = {"utilization": busy, "memory_used_bytes": taken.gpu_memory, "memory_total_bytes": None}
    return {
        "cpu_usage_pct": None if taken.cpu is None or not cores else round(100 * taken.cpu / cores, 1),
        "cpu_millicores": round(1000 * cores) or None,
        "memory_used_bytes": taken.memory,
        "memory_total_bytes": memory,
        "rx_bps": None,
        "tx_bps": None,
        "gpus": gpus,
        "replica": instance,
    }


def found(space: Space, score: float, trend: int = 0) -> Json:
    """A hit of a search (huggingface_hub `_space_api.SpaceSearchResult`)."""
    return {
        "id": space.full_name,
        "author": space.owner,
        "title": str(space.card.get("title") or space.name),
        "emoji": str(space.card.get("emoji") or ""),
        "sdk": space.sdk,
        "likes": space.likes,
        "trendingScore": trend,
        "private": space.private,
        "tags": tags(space, space.card),
        "runtime": {"stage": space.stage.value},
        "ai_short_description": str(space.card.get("short_description") or ""),
        "ai_category": "",
        "semanticRelevancyScore": round(score, 3),
    }


def template(space: Space) -> Json:
    """A Space to begin others with (huggingface_hub `_space_api.SpaceTemplate`)."""
    title = str(space.card.get("title") or space.name)
    return {"name": title, "repoId": space.full_name, "sdk": space.sdk, "preferredPrivate": False}


def sibling(entry: TreeEntry, blobs: bool) -> Json:
    """`blobs`: with sizes and hashes."""
    if not blobs:
        return {"rfilename": entry.path}
    size = entry.large.size if entry.large else entry.size
    told: Json = {"rfilename": entry.path, "size": size, "blobId": entry.oid}
    if entry.large:
        told["lfs"] = {"size": size, "sha256": entry.large.oid, "pointerSize": entry.size}
    return told


def build(one: Build, serving: str | None) -> Json:
    """One build. `serving`: the revision that the app's visitors see."""
    told: Json = {
        "id": one.key,
        "number": one.number,
        "sha": one.revision,
        "title": one.title,
        "author": one.actor,
        "state": one.state.value,
        "serving": one.state is BuildState.SUCCEEDED and one.revision == serving,
        "createdAt": iso(one.created_at),
        "startedAt": iso(one.started_at),
        "finishedAt": iso(one.finished_at),
        "warnings": list(one.warnings),
        "phases": {name: round(seconds, 3) for name, seconds in one.phases.items()},
    }
    if one.fault:
        told["fault"] = {
            "code": one.fault.code,
            "message": one.fault.message,
            "where": one.fault.where,
            "hint": one.fault.hint,
        }
    return told


def setting(one: Setting) -> Json:
    """A variable with its value; a secret without."""
    told: Json = {"key": one.key, "description": one.description, "updatedAt": iso(one.updated_at)}
    return told if one.secret else {**told, "value": one.value}


# --------------------------------------------------------------------------------------------------------------- files


def entry(one: TreeEntry) -> Json:
    """A file or folder of a tree; of a large file its own size, and what is known of its object. `xetHash` is the name by which
    it is fetched in pieces: clients that find it here ask for no headers of each file."""
    told: Json = {"type": one.type, "oid": one.oid, "size": one.size, "path": one.path}
    if one.large:
        told["size"] = one.large.size
        told["lfs"] = {"oid": one.large.oid, "size": one.large.size, "pointerSize": one.size}
        told["xetHash"] = one.large.oid
    return told


def commit(one: Commit, formatted: bool) -> Json:
    message = one.message.removeprefix(one.title).lstrip("\n")
    told: Json = {
        "id": one.id,
        "authors": [{"user": author} for author in one.authors],
        "date": iso(one.at),
        "title": one.title,
        "message": message,
        "parents": list(one.parents),
    }
    if formatted:
        told["formatted"] = {"title": html.escape(one.title), "message": html.escape(message)}
    return told


# -------------------------------------------------------------------------------------------------------------- people


def avatar_url(base: str, owner: Owner) -> str:
    return f"{base}/avatars/{owner.name}.svg"


def avatar(name: str) -> str:
    """A picture for who has none: the first letter on a colour that follows from the name."""
    hue = sum(ord(c) * (i + 7) for i, c in enumerate(name.lower())) * 37 % 360
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" '
        f'fill="hsl({hue} 45% 45%)"/><text x="32" y="43" font-family="sans-serif" font-size="32" fill="#fff" '
        f'text-anchor="middle">{html.escape(name[:1].upper())}</text></svg>'
    )


def member(owner: Owner, base: str) -> Json:
    return {
        "_id": owner.id,
        "user": owner.name,
        "name": owner.name,
        "fullname": owner.fullname or owner.name,
        "avatarUrl": avatar_url(base, owner),
        "type": owner.kind,
        "isPro": False,
    }


def whoami(caller: Caller, orgs: Iterable[tuple[Owner, Role]], base: str) -> Json:
    """The caller as `whoami-v2` shows it. `gradio deploy` insists on the role "write". A Space that signed the user in sees
    what its scope names."""
    user, token = caller.user, caller.token
    assert user is not None
    role = caller.token_role if caller.via == "token" else "write"
    of_space = token is not None and token.client_id != "" and token.grants is not None
    scopes = token.scope.split() if token and of_space else ["email", "read-memberships"]
    used: Json = {
        "displayName": caller.token_name or "session",
        "role": role,
        "createdAt": iso(token.created_at if token else user.created_at),
    }
    if token and token.expires_at:
        used["expiration"] = iso(token.expires_at)
    if caller.grants is not None:
        used["fineGrained"] = as_json(caller.grants)
    return {
        "type": "user",
        "id": user.id,
        "name": user.name,
        "fullname": user.fullname or user.name,
        "email": (user.email or None) if "email" in scopes else None,
        "emailVerified": False,
        "canPay": False,
        "billingMode": "prepaid",
        "periodEnd": None,
        "isPro": False,
        "isAdmin": caller.is_admin,
        "avatarUrl": avatar_url(base, user),
        "orgs": [_membership(org, role, base) for org, role in orgs] if "read-memberships" in scopes else [],
        "auth": {
            "type": "oauth" if of_space else "access_token" if caller.via == "token" else "session",
            "accessToken": used,
        },
    }


def _membership(org: Owner, role: Role, base: str) -> Json:
    return {
        "type": "org",
        "id": org.id,
        "name": org.name,
        "fullname": org.fullname or org.name,
        "email": None,
        "canPay": False,
        "periodEnd": None,
        "avatarUrl": avatar_url(base, org),
        "roleInOrg": role.name.lower(),
        "isEnterprise": False,
    }
