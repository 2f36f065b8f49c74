"""Spaces as their people see them: create, find, list, and the commands that write the wish. Each command is one
transaction with its audit row, and then a bell."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from orchestrator.domain.caller import Caller, require, require_admin
from orchestrator.domain.embed import origins
from orchestrator.domain.events import of_config, of_repo
from orchestrator.domain.notification import Note, of_take_down
from orchestrator.domain.records import AuditRow, Build, Run, Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.seen import BuildState
from orchestrator.domain.space import Role, Visibility, Wish, check_name, sleep_seconds, subdomain
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound, repo_not_found
from orchestrator.ports import Bell, Repos, Store
from orchestrator.services import lookup
from orchestrator.services.accounts import Accounts, new_id
from orchestrator.services.audience import keepers_of, tell
from orchestrator.services.environment import Environment
from orchestrator.services.hardware import HardwareRequests

SDKS = ("gradio", "streamlit", "docker", "static")


@dataclass(frozen=True, slots=True)
class NewSpace:
    """What may be said when a Space is made. `secrets`, `variables`: name -> (value, description)."""

    name: str
    organization: str | None = None
    sdk: str | None = None
    visibility: Visibility | None = None  #: None: as its owner's usually are
    hardware: str | None = None
    sleep_after: float | None = None
    title: str = ""
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    variables: dict[str, tuple[str, str]] = field(default_factory=dict)


class Spaces:
    def __init__(
        self,
        store: Store,
        repos: Repos,
        accounts: Accounts,
        environment: Environment,
        bell: Bell,
        hardware: HardwareRequests,
        *,
        url_of: Callable[[Space], str] = lambda space: "",
        clock=time.time,
    ) -> None:
        self._store = store
        self._repos = repos
        self._accounts = accounts
        self._environment = environment
        self._bell = bell
        self._hardware = hardware
        self._clock = clock
        self.url_of = url_of

    # ----------------------------------------------------------------------------------------------------- reading

    def find(self, caller: Caller, owner: str, name: str, needed: Role = Role.READ, code: bool = False) -> Space:
        """The Space if the caller may do what is `needed`. Raises as `lookup.find`."""
        with self._store.read() as tx:
            return lookup.find(tx, caller, RepoKind.SPACE, owner, name, needed, code)

    def by_label(self, caller: Caller, label: str) -> Space:
        with self._store.read() as tx:
            space = tx.spaces.by_label(label)
        if space is None or space.wish.deleted:
            raise repo_not_found()
        require(caller, space, Role.READ)
        return space

    def get(self, space_id: str) -> Space | None:
        with self._store.read() as tx:
            return tx.spaces.get(space_id)

    def by_stage(self) -> dict[str, int]:
        """How many Spaces are in each stage, for whoever watches over Podium."""
        with self._store.read() as tx:
            return tx.spaces.by_stage()

    def list(self, caller: Caller, **filters: object) -> "list[Space]":
        """Spaces that the caller may see; filters are those of store/listing.py `page`."""
        user = caller.user.id if caller.user else None
        with self._store.read() as tx:
            within = caller.grants.readable() if caller.grants is not None else None
            return tx.spaces.list(visible_to=user, all_visible=caller.is_admin, within=within, **filters)

    def builds(self, space: Space, limit: int = 20) -> "list[Build]":
        """Newest first."""
        with self._store.read() as tx:
            return tx.builds.of(space.id, limit)

    def runs(self, space: Space, limit: int = 20) -> "list[Run]":
        """What became of its instances, newest first."""
        with self._store.read() as tx:
            return tx.runs.of(space.id, limit)

    def run(self, space: Space, run_id: int) -> "tuple[Run | None, Run, Run | None]":
        """One of them between the one before and the next one of its instance: they share a log. Raises NotFound `RUN`."""
        with self._store.read() as tx:
            found = tx.runs.get(space.id, run_id)
            same = tx.runs.same(found) if found else []
        if found is None:
            raise NotFound("RUN", "This Space has no such instance, or it was too long ago.")
        before = [one for one in same if one.started_at < found.started_at]
        after = [one for one in same if one.started_at > found.started_at]
        return before[-1] if before else None, found, after[0] if after else None

    def current_build(self, space: Space) -> Build | None:
        """The newest build, whatever became of it."""
        return next(iter(self.builds(space, 1)), None)

    # ---------------------------------------------------------------------------------------------------- creation

    def create(self, caller: Caller, new: NewSpace) -> Space:
        """Make a Space. Hardware that an admin must decide about is asked for. Raises Invalid for a bad name, sdk, hardware,
        sleep time, secret; Forbidden for hardware; Conflict `RepoExists` with `url` of the one that is there."""
        owner = self._accounts.namespace(caller, new.organization)
        check_name(new.name)
        if new.sdk is not None and new.sdk not in SDKS:
            raise Invalid("SDK", f"unknown sdk {new.sdk[:40]!r}; write one of {', '.join(SDKS)}")
        default = self._hardware.default
        wanted = default if new.hardware in (None, "", default.name) else self._hardware.fitting(new.hardware)
        sleep_after = self._hardware.begins_with(default) if new.sleep_after is None else sleep_seconds(new.sleep_after)
        notice = None
        both = sorted(set(new.secrets) & set(new.variables))
        if both:
            raise Conflict("SECRET_KIND", f"{both[0]} is given as a secret and as a variable; keep one")
        settings = {key: (value, True, description) for key, (value, description) in new.secrets.items()}
        settings |= {key: (value, False, description) for key, (value, description) in new.variables.items()}
        now = self._clock()
        with self._store.write() as tx:
            known = tx.spaces.find(owner.name, new.name)
            if known:
                raise Conflict(
                    "RepoExists",
                    f"You already created this space repo: {known.full_name}",
                    url=self.url_of(known),
                    id=known.id,
                )
            self._hardware.check_new(tx, owner)
            space = Space(
                new_id(),
                owner.name,
                owner.id,
                new.name,
                subdomain(owner.name, new.name, tx.spaces.labels_taken),
                new.visibility or owner.visibility,
                Wish("", hardware=default.name, sleep_after=sleep_after),
                creator_id=caller.user.id if caller.user else "",
                sdk=new.sdk,
                created_at=now,
                updated_at=now,
                stage_since=now,
                reason="nothing has been pushed to main yet",
                last_activity=now,
            )
            tx.repos.take_name(RepoKind.SPACE, owner.id, new.name)
            tx.spaces.add(space, look_at=now)
            self._environment.write(tx, space.id, settings, caller.name)
            tx.webhooks.note(of_repo(space, "repo", "create", now))
            if wanted is not default:
                notice = self._hardware.write(tx, caller, space, wanted)
            tx.audit.add(AuditRow(now, caller.name, "space.create", space.full_name, {"id": space.id, "sdk": new.sdk}))
            self._repos.create(space.id)
        self._hardware.ring(notice)
        return self.get(space.id) or space

    def create_for_push(self, caller: Caller, owner: str, name: str) -> Space:
        """The Space that a first push makes, seen as its owner's usually are, all else from its README. One that is there is
        returned."""
        try:
            return self.create(caller, NewSpace(name, organization=owner))
        except Conflict:
            return self.find(caller, owner, name, Role.WRITE)

    # ---------------------------------------------------------------------------------------------------- commands

    def delete(self, caller: Caller, space: Space) -> None:
        """Gone at once for everybody; the reconciler takes down what is left. Its name and host are free again."""
        require(caller, space, Role.ADMIN)
        self.discard(caller, space)

    def discard(self, caller: Caller, space: Space) -> None:
        """Delete what the caller has just made, whatever else they may do there."""
        gone = f"deleted-{space.id}"
        self._change(
            caller, space, "space.delete", deleted=True, name=gone, label=gone, access_epoch=space.access_epoch + 1
        )

    def pause(self, caller: Caller, space: Space) -> Space:
        require(caller, space, Role.WRITE)
        return self._change(caller, space, "space.pause", paused=True)

    def restart(self, caller: Caller, space: Space, factory: bool = False) -> Space:
        """Start again with a fresh copy of the files, also when paused or asleep. `factory`: build again from nothing."""
        require(caller, space, Role.WRITE)
        _may_run(space)
        if not factory:
            return self._change(caller, space, "space.restart", counter="restarts", paused=False)
        if space.wish.frozen:
            raise Conflict("FROZEN", f"Deploys of {space.full_name} are frozen, so nothing is built; thaw them first.")
        newest = self.current_build(space)
        # Build numbers only grow, so this build key was never used, also after a rollback.
        rebuilds = (newest.number if newest else 0) + 1
        return self._change(caller, space, "space.factory", counter="restarts", paused=False, rebuilds=rebuilds)

    def set_sleep(self, caller: Caller, space: Space, seconds: float) -> Space:
        """`seconds` without use until it sleeps; -1: never. Raises Invalid `SLEEP_TIME`."""
        require(caller, space, Role.WRITE)
        wanted = sleep_seconds(seconds)
        self._hardware.check_sleep(space.wish.hardware)
        return self._change(caller, space, "space.sleep", sleep_after=wanted)

    def set_visibility(self, caller: Caller, space: Space, visibility: Visibility) -> Space:
        require(caller, space, Role.ADMIN)
        epoch = space.access_epoch + 1
        return self._change(caller, space, "space.visibility", visibility=visibility.value, access_epoch=epoch)

    def set_embedding(self, caller: Caller, space: Space, sites: Iterable[str] | None) -> Space:
        """Which sites may frame the app: those named, by their origins; None: any. Raises Forbidden, Invalid `EMBED_ORIGIN`."""
        require(caller, space, Role.ADMIN)
        wanted = None if sites is None else list(origins(sites))
        return self._change(caller, space, "space.embedding", embed_origins=wanted)

    def freeze(self, caller: Caller, space: Space) -> Space:
        """Pushes to main are stored and wait from now on; what runs stays, and rollback works."""
        require(caller, space, Role.ADMIN)
        return self._change(caller, space, "space.freeze", frozen=True)

    def thaw(self, caller: Caller, space: Space) -> Space:
        """Main's newest commit is deployed if it came while deploys were frozen; what runs follows main again."""
        require(caller, space, Role.ADMIN)
        now = self._clock()
        with self._store.write() as tx:
            if tx.spaces.thaw(space.id, look_at=now):
                told = {"revision": space.wish.held} if space.wish.held else {}
                tx.audit.add(AuditRow(now, caller.name, "space.thaw", space.full_name, told))
            thawed = tx.spaces.get(space.id)
        self._bell.ring("spaces")
        self._bell.ring("routes")
        return thawed or space

    def rollback(self, caller: Caller, space: Space, which: str) -> Build:
        """Run an earlier good build again: by its number, its key, or the (short) commit it was made of; "" is the one
        before what is wanted now. Raises NotFound `BUILD` with the ones that are there."""
        require(caller, space, Role.WRITE)
        _may_run(space)
        with self._store.read() as tx:
            good = tx.builds.of(space.id, 100, BuildState.SUCCEEDED)
            wanted = tx.builds.get(space.wish.build_key or "")
        before = (b for b in good if wanted is None or b.number < wanted.number)
        found = next((b for b in good if _names(which, b)) if which else before, None)
        if found is None:
            have = ", ".join(f"{b.number} ({b.revision[:7]})" for b in good[:5]) or "none yet"
            what = repr(which[:40]) if which else "to go back to"
            raise NotFound("BUILD", f"{space.full_name} has no good build {what}; it has {have}")
        self._change(caller, space, "space.rollback", revision=found.revision, rebuilds=found.rebuilds, paused=False)
        return found

    def take_down(self, caller: Caller, space: Space, reason: str) -> Space:
        """Stop it for everybody until an admin puts it back. Its people read the reason and keep their files. Raises
        Forbidden, Invalid `REASON`."""
        require_admin(caller)
        reason = " ".join(reason.split())
        if not 1 <= len(reason) <= 500:
            raise Invalid("REASON", f"a reason has 1 to 500 characters, this one has {len(reason)}; its people read it")
        values = {"taken_down": reason, "access_epoch": space.access_epoch + 1}
        return self._change(caller, space, "space.take_down", note=of_take_down(space, reason), **values)

    def put_back(self, caller: Caller, space: Space) -> Space:
        """It may run again, unless its people paused it too. Raises Forbidden."""
        require_admin(caller)
        return self._change(caller, space, "space.put_back", taken_down="")

    def _change(
        self, caller: Caller, space: Space, action: str, counter: str = "", note: Note | None = None, **values: object
    ) -> Space:
        """One change of the wish with its audit row; a command counts as use, so that its effect is seen. `note`: what its people
        are told."""
        now = self._clock()
        with self._store.write() as tx:
            if counter:
                tx.spaces.bump(space.id, counter, look_at=now)
            tx.spaces.update(space.id, look_at=now, route_changed=True, last_activity=now, **values)
            shown = {k: v for k, v in values.items() if k not in ("name", "label", "access_epoch")}
            tx.audit.add(AuditRow(now, caller.name, action, space.full_name, shown))
            changed = tx.spaces.get(space.id)
            if note and changed:
                tell(tx, note, keepers_of(tx, changed) - {caller.user.id}, now, caller.name)
            if values.get("deleted"):
                tx.domains.forget(space.id)
                tx.webhooks.note(of_repo(space, "repo", "delete", now))
            elif "visibility" in values and changed:
                tx.webhooks.note(of_config(changed, now, private=changed.private))
        self._bell.ring("spaces")
        self._bell.ring("routes")
        return changed or space

    # ---------------------------------------------------------------------------------------------------- activity

    def used(self, used: dict[str, float], wake: "list[str]") -> None:
        """What gateways report: when Spaces were last used, and which must wake."""
        now = self._clock()
        with self._store.write() as tx:
            # In the order of ids, which keeps two gateways that report at once from waiting for each other in a circle.
            for space_id in sorted({*used, *wake}):
                if space_id in wake:
                    tx.spaces.touch(space_id, now, look_at=now)
                else:
                    tx.spaces.touch(space_id, min(used[space_id], now))
        if wake:
            self._bell.ring("spaces")


def _may_run(space: Space) -> None:
    """Raises Forbidden `TAKEN_DOWN`."""
    if space.wish.taken_down:
        raise Forbidden(
            "TAKEN_DOWN", f"An admin took {space.full_name} down: {space.wish.taken_down}. Ask them to put it back."
        )


def _names(which: str, build: Build) -> bool:
    return which in (str(build.number), build.key) or (len(which) >= 7 and build.revision.startswith(which))
