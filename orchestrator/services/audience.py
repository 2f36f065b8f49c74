"""Who is told of what, and the telling: within the transaction of what happened. What is said is `domain/notification.py`'s, how
people read it `notifications.py`'s. Nobody is told of a repo that they may not see, nor of what they did themselves."""

from collections.abc import Iterable
from typing import Any

from orchestrator.domain.caller import Caller
from orchestrator.domain.discussions import Discussion
from orchestrator.domain.notification import (
    Note,
    Notification,
    as_mention,
    mentioned,
    of_build,
    of_discussion,
    of_error,
)
from orchestrator.domain.records import AnyRepo, Build, Space
from orchestrator.domain.seen import Fault
from orchestrator.domain.space import Role
from orchestrator.services.tokens import new_id

_PUSHES = 50  #: audit rows in which the push of a revision is looked for


def tell(tx: Any, note: Note, users: Iterable[str], now: float, actor: str = "", once: bool = False) -> None:
    """Tell users, by their ids; `once`: not again of the same thread. In one order, so that two who tell the same people do not
    wait for each other."""
    for user_id in sorted(set(users)):
        told = Notification(
            new_id(), user_id, note.kind, note.thread, note.text, note.link, actor, now, detail=note.detail
        )
        tx.notifications.put(told, once)


def may_know(tx: Any, user_id: str, repo_id: str, owner_id: str, private: bool) -> bool:
    """Whether a user may see a repo; `private` is what it, or its code, is."""
    if not private or user_id == owner_id:
        return True
    user = tx.accounts.owner(user_id)
    if user and user.is_admin or tx.accounts.role_in(owner_id, user_id) >= Role.READ:
        return True
    return tx.collaborators.role(repo_id, user_id) >= Role.READ


def keepers(tx: Any, owner_id: str, creator_id: str = "") -> set[str]:
    """Who answers for what an owner has: the user, or an organisation's admins (where there are none, who may write), and who
    made it while they may write there."""
    owner = tx.accounts.owner(owner_id)
    if owner is None or owner.kind == "user":
        return {owner_id} if owner else set()
    roles = {user.id: role for user, role in tx.accounts.members(owner_id)}
    most = Role.ADMIN if Role.ADMIN in roles.values() else Role.WRITE
    return {one for one, role in roles.items() if role >= most or one == creator_id and role >= Role.WRITE}


def keepers_of(tx: Any, repo: AnyRepo) -> set[str]:
    return keepers(tx, repo.owner_id, repo.creator_id)


def admins(tx: Any) -> set[str]:
    return {user.id for user in tx.accounts.owners("user") if user.is_admin}


def named(tx: Any, name: str) -> set[str]:
    """The user of this name, if there is one."""
    user = tx.accounts.owner_named(name) if name else None
    return {user.id} if user and user.kind == "user" else set()


def pushers(tx: Any, space: Space, revision: str) -> set[str]:
    """Who pushed a revision, if they may still see the Space."""
    rows = tx.audit.of(space.full_name, _PUSHES)
    actor = next((row.actor for row in rows if row.action == "push" and row.detail.get("new") == revision), "")
    private = space.code_private
    return {one for one in named(tx, actor) if may_know(tx, one, space.id, space.owner_id, private)}


def tell_of_build(tx: Any, build: Build, fault: Fault, now: float) -> None:
    """That a build failed, to those who wait for it; nothing when another is wanted by now."""
    space = tx.spaces.get(build.space_id)
    if space and not space.deleted and space.wish.build_key == build.key:
        who = keepers_of(tx, space) | pushers(tx, space, build.revision)
        tell(tx, of_build(space, build.number, fault.sentence()), who, now)


def tell_of_error(tx: Any, space: Space, now: float) -> None:
    """That an app does not run, for its reason, to those who look after it."""
    who = keepers_of(tx, space) | pushers(tx, space, space.wish.revision or "")
    tell(tx, of_error(space, space.reason), who, now)


def tell_of_discussion(
    tx: Any, caller: Caller, repo: AnyRepo, one: Discussion, did: str, now: float, text: str = "", anchor: str = ""
) -> None:
    """What the caller did to a discussion, to the people of the repo and to who took part; and to whom `text` speaks by name."""
    note = of_discussion(repo, one, caller.name, did, anchor)
    called = {user for name in mentioned(text) for user in named(tx, name)}
    writers = {user.id for member, user in tx.collaborators.of(repo.id) if member.role >= Role.WRITE}
    near = keepers_of(tx, repo) | tx.discussions.participants(repo.id, one.num) | writers
    may = {
        user for user in near | called
        if user != caller.user.id and may_know(tx, user, repo.id, repo.owner_id, repo.code_private)
    }  # fmt: skip
    tell(tx, as_mention(note, repo, one, caller.name), may & called, now, caller.name)
    tell(tx, note, may - called, now, caller.name)
