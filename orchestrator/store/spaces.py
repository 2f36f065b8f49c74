"""Spaces: wishes, sightings, leases, and the numbered changes of their routes.

Feeds resume after the last number they saw, so a number must never become visible after a higher one. Numbers are therefore
given at the end of a transaction, from a counter whose row stays locked until the commit: they are committed in order."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from orchestrator.domain.decide import RouteState
from orchestrator.domain.records import Space
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Visibility, Wish
from orchestrator.domain.stage import Stage
from orchestrator.errors import Conflict
from orchestrator.store import schema as t
from orchestrator.store.finding import forget, matching, refresh, using
from orchestrator.store.listing import listed
from orchestrator.store.values import failures_in, failures_out, image_in, image_out

_WISH = (
    "revision", "rebuilds", "paused", "deleted", "hardware", "sleep_after", "env_version", "restarts", "goes_first",
    "hardware_until", "taken_down", "replicas", "frozen", "held",
)  # fmt: skip
_SIGHTING = (
    "stage", "reason", "stage_since", "deadline", "route", "address", "instance", "running_revision", "running_hardware",
    "queued_at",
)  # fmt: skip
_SELECT = sa.select(t.spaces, t.owners.c.name.label("owner")).join(t.owners, t.owners.c.id == t.spaces.c.owner_id)
# Written once, because most requests ask them.
_GET = _SELECT.where(t.spaces.c.id == sa.bindparam("id"))
_AMONG = _SELECT.where(t.spaces.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(t.spaces.c.id)
_FIND = _SELECT.where(
    t.owners.c.name_lower == sa.bindparam("owner"),
    t.spaces.c.name_lower == sa.bindparam("name"),
    t.spaces.c.deleted.is_(False),
)
_BY_LABEL = _SELECT.where(t.spaces.c.label == sa.bindparam("label"))


class Spaces:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection
        self._changed: dict[str, None] = {}  #: Spaces whose route changes in this transaction, in order
        self._forgotten = False

    def add(self, space: Space, look_at: float) -> None:
        """Raises Conflict when the owner has one of this name, or the label is taken."""
        values = {n: getattr(space, n) for n in Space.__slots__ if n not in ("owner", "wish", "image", "failures")}
        values |= {n: getattr(space.wish, n) for n in _WISH}
        values |= {"name_lower": space.name.lower(), "image": None, "failures": None, "look_at": look_at}
        values["addresses"] = None
        try:
            self._db.execute(sa.insert(t.spaces).values(**values))
        except sa.exc.IntegrityError as error:
            raise Conflict("RepoExists", f"{space.full_name} exists already") from error
        self._changed[space.id] = None
        refresh(self._db, RepoKind.SPACE, space.id)

    def get(self, space_id: str) -> Space | None:
        return self._one(_GET, id=space_id)

    def among(self, ids: Iterable[str]) -> dict[str, Space]:
        """By id, those that are there, in one question."""
        rows = self._db.execute(_AMONG, {"ids": sorted(ids)}).mappings()
        return {row["id"]: _space(row) for row in rows}

    def find(self, owner: str, name: str) -> Space | None:
        """By name, whatever its case; one that is being deleted is not found."""
        return self._one(_FIND, owner=owner.lower(), name=name.lower())

    def by_label(self, label: str) -> Space | None:
        return self._one(_BY_LABEL, label=label)

    def labels_taken(self, label: str) -> bool:
        return bool(self._db.execute(sa.select(t.spaces.c.id).where(t.spaces.c.label == label)).first())

    def list(
        self,
        *,
        sdk: str | None = None,
        words: Iterable[str] = (),
        tag: str = "",
        hardware: str = "",
        running: bool = False,
        stages: Iterable[str] = (),
        uses: tuple[RepoKind, str] | None = None,
        **filters: object,
    ) -> "list[Space]":
        """A page of Spaces; filters are those of `listing.listed`. `words`: each is in the name or in the card.
        `running`: those that serve now; `stages`: those in one of them; `uses`: those whose card names
        this model or dataset."""
        c = t.spaces.c
        query = _SELECT if sdk is None else _SELECT.where(c.sdk == sdk)
        # A tag is in the text, too, where it is found sooner.
        query = query.where(*matching(self._db, t.spaces, RepoKind.SPACE, [*words, *([tag] if tag else [])]))
        if uses:
            query = query.where(using(self._db, t.spaces, *uses))
        if tag:
            query = query.where(c.card["tags"].as_string().icontains(f'"{tag}"', autoescape=True))
        if hardware:
            query = query.where(c.hardware == hardware)
        if stages:
            query = query.where(c.stage.in_(list(stages)))
        if running:
            query = query.where(c.stage.startswith(Stage.RUNNING.value))
        return [_space(row) for row in listed(self._db, query, t.spaces, **filters)]

    def count(self) -> int:
        return self._db.execute(sa.select(sa.func.count()).select_from(t.spaces)).scalar() or 0

    def by_stage(self) -> dict[str, int]:
        """How many there are in each stage that any is in."""
        query = sa.select(t.spaces.c.stage, sa.func.count()).group_by(t.spaces.c.stage)
        return {stage: number for stage, number in self._db.execute(query)}

    def by_owner(self) -> dict[str, int]:
        """How many each owner has, by the owner's id."""
        query = sa.select(t.spaces.c.owner_id, sa.func.count()).where(t.spaces.c.deleted.is_(False))
        return {owner: number for owner, number in self._db.execute(query.group_by(t.spaces.c.owner_id))}

    def ids(self) -> "set[str]":
        return set(self._db.execute(sa.select(t.spaces.c.id)).scalars())

    def ids_with_builds(self) -> "list[str]":
        return list(self._db.execute(sa.select(t.builds.c.space_id).distinct()).scalars())

    # the wish

    def update(self, space_id: str, *, look_at: float, route_changed: bool = False, **values: object) -> None:
        """Change columns and have the reconciler look. `route_changed`: the gateways must hear of it at once."""
        if route_changed:
            self._changed[space_id] = None
        values["look_at"] = look_at
        if "name" in values:
            values["name_lower"] = str(values["name"]).lower()
        self._db.execute(sa.update(t.spaces).where(t.spaces.c.id == space_id).values(**values))
        if "name" in values:
            refresh(self._db, RepoKind.SPACE, space_id)

    def tell(self, space_id: str) -> None:
        """Have the gateways hear of it again: something that they show beside the row has changed."""
        self._changed[space_id] = None

    def follow(
        self, space_id: str, before: str | None, frozen: bool = False, *, look_at: float, **values: object
    ) -> bool:
        """Change the wish to what main is now, unless it is no longer what it was `before`, or no longer as `frozen`: then
        False, nothing written."""
        c = t.spaces.c
        query = sa.update(t.spaces).where(c.id == space_id, c.sha.is_not_distinct_from(before), c.frozen.is_(frozen))
        followed = bool(self._db.execute(query.values(look_at=look_at, **values)).rowcount)
        if followed:
            refresh(self._db, RepoKind.SPACE, space_id)
        return followed

    def thaw(self, space_id: str, *, look_at: float) -> bool:
        """Let the wish follow main again, at once to the commit that waits; False when it was not frozen. With what waited comes
        a new environment: the card, which says some of it, may have changed too."""
        c = t.spaces.c
        wish = {
            "revision": sa.func.coalesce(c.held, c.revision),
            "env_version": c.env_version + sa.case((c.held.is_not(None), 1), else_=0),
            "held": None,
            "frozen": False,
        }
        query = sa.update(t.spaces).where(c.id == space_id, c.frozen.is_(True))
        thawed = bool(self._db.execute(query.values(look_at=look_at, last_activity=look_at, **wish)).rowcount)
        if thawed:
            refresh(self._db, RepoKind.SPACE, space_id)
        return thawed

    def bump(self, space_id: str, counter: str, *, look_at: float, **values: object) -> None:
        """Add one to a counter of the wish (restarts, rebuilds, env_version)."""
        column = t.spaces.c[counter]
        query = sa.update(t.spaces).where(t.spaces.c.id == space_id)
        self._db.execute(query.values({column: column + 1, "look_at": look_at, **values}))

    def touch(self, space_id: str, at: float, look_at: float | None = None) -> None:
        """Record use; never moves backwards. `look_at` when it must be looked at (it sleeps)."""
        values: dict[str, object] = {"last_activity": at}
        if look_at is not None:
            values["look_at"] = look_at
        query = sa.update(t.spaces).where(t.spaces.c.id == space_id, t.spaces.c.last_activity <= at)
        self._db.execute(query.values(**values))

    # the reconciler's

    def due(self, who: str, now: float, limit: int = 100) -> "list[str]":
        """Spaces to look at, those left out that somebody else holds: they will be due when the lease is given back."""
        c = t.spaces.c
        query = sa.select(c.id).where(c.look_at <= now, _free(who, now)).order_by(c.look_at).limit(limit)
        return list(self._db.execute(query).scalars())

    def next_look(self, who: str, now: float) -> float | None:
        return self._db.execute(sa.select(sa.func.min(t.spaces.c.look_at)).where(_free(who, now))).scalar()

    def claim(self, space_id: str, who: str, now: float, until: float, due: bool = False) -> tuple[Space, int] | None:
        """Lease the Space until `until`; returns it with its fencing number, or None if another holds it or it is gone or,
        with `due`, if somebody has looked at it already. `look_at` becomes `until`: should we die, it is looked at then; a
        bell that rings meanwhile puts an earlier time."""
        query = (
            sa.update(t.spaces)
            .where(t.spaces.c.id == space_id, _free(who, now), *((t.spaces.c.look_at <= now,) if due else ()))
            .values(lease_owner=who, lease_until=until, look_at=until, fence=t.spaces.c.fence + 1)
            .returning(t.spaces.c.fence)
        )
        fence = self._db.execute(query).scalar()
        space = self.get(space_id) if fence is not None else None
        return (space, fence) if space else None

    def save(self, space: Space, fence: int, until: float, look_at: float | None, *, route_changed: bool) -> bool:
        """Write the sighting and give back the lease that `claim` gave until `until`, under its fencing number; False
        (nothing written) if it was lost. A bell that rang meanwhile is kept: then it is looked at again at once."""
        values: dict[str, object] = {n: getattr(space, n) for n in _SIGHTING}
        values |= {"image": image_out(space.image), "failures": failures_out(space.failures)}
        values["addresses"] = list(space.addresses) or None
        c = t.spaces.c
        values |= {
            "lease_until": 0.0,
            "look_at": sa.case((c.look_at >= until, sa.literal(look_at, sa.Float)), else_=c.look_at),
        }
        query = sa.update(t.spaces).where(t.spaces.c.id == space.id, t.spaces.c.fence == fence)
        saved = bool(self._db.execute(query.values(**values)).rowcount)
        if saved and route_changed:
            self._changed[space.id] = None
        return saved

    def queue(self) -> "list[tuple[str, str, float, int]]":
        """Spaces that wait for hardware or have a place kept: (id, flavour wanted, since, replicas)."""
        c = t.spaces.c
        query = sa.select(c.id, c.hardware, c.queued_at, c.replicas).where(
            c.queued_at.is_not(None), c.deleted.is_(False)
        )
        return [tuple(row) for row in self._db.execute(query.order_by(c.queued_at, c.id))]

    def on_hardware(self, owner_id: str) -> "list[tuple[str, str, int]]":
        """The Spaces of an owner, with what each wants: (id, flavour, replicas)."""
        c = t.spaces.c
        query = (
            sa.select(c.id, c.hardware, c.replicas).where(c.owner_id == owner_id, c.deleted.is_(False)).order_by(c.id)
        )
        return [tuple(row) for row in self._db.execute(query)]

    def look_again(self, space_id: str, at: float) -> None:
        """Have it looked at no later than `at`."""
        c = t.spaces.c
        query = sa.update(t.spaces).where(c.id == space_id, c.look_at.is_(None) | (c.look_at > at))
        self._db.execute(query.values(look_at=at))

    def look_at_all(self, at: float, quiet: "list[str]") -> None:
        """Have every Space looked at that is not in one of the `quiet` stages."""
        busy = sa.select(t.spaces.c.id).where(t.spaces.c.stage.not_in(quiet)).order_by(t.spaces.c.id).with_for_update()
        self._db.execute(sa.update(t.spaces).where(t.spaces.c.id.in_(busy)).values(look_at=at))

    def forget(self, space_id: str) -> None:
        self._db.execute(sa.delete(t.spaces).where(t.spaces.c.id == space_id))
        forget(self._db, space_id)
        self._changed.pop(space_id, None)
        self._forgotten = True

    # the route feed

    def route_changes(self, after: int, limit: int = 1000) -> Iterator[Space]:
        query = _SELECT.where(t.spaces.c.route_seq > after).order_by(t.spaces.c.route_seq).limit(limit)
        for row in self._db.execute(query).mappings():
            yield _space(row)

    def route_seq(self) -> int:
        """The number of the last change. One that no Space carries says that a Space was forgotten."""
        return self._db.execute(sa.select(t.counters.c.value).where(t.counters.c.name == "route_seq")).scalar() or 0

    def number_changes(self) -> None:
        """Give the changes of this transaction their numbers; the store calls it last thing before the commit."""
        count = len(self._changed) + self._forgotten
        if not count:
            return
        query = sa.update(t.counters).where(t.counters.c.name == "route_seq").values(value=t.counters.c.value + count)
        last = self._db.execute(query.returning(t.counters.c.value)).scalar_one()
        for number, space_id in enumerate(self._changed, last - count + 1):
            self._db.execute(sa.update(t.spaces).where(t.spaces.c.id == space_id).values(route_seq=number))
        self._changed, self._forgotten = {}, False

    def _one(self, query: sa.Select, **values: str) -> Space | None:
        row = self._db.execute(query, values).mappings().first()
        return _space(row) if row else None


def _free(who: str, now: float) -> sa.ColumnElement[bool]:
    """Nobody else holds it."""
    return (t.spaces.c.lease_until < now) | (t.spaces.c.lease_owner == who)


def _space(row: sa.RowMapping) -> Space:
    plain = {
        n: row[n]
        for n in Space.__slots__
        if n not in ("wish", "image", "failures", "visibility", "stage", "route", "addresses")
    }
    # The release before writes `address` alone: then the others are of another moment.
    addresses = tuple(row["addresses"] or ())
    framed = plain.pop("embed_origins")
    return Space(
        **plain | {"hosts": tuple(row["hosts"]), "embed_origins": None if framed is None else tuple(framed)},
        addresses=addresses if addresses[:1] == (row["address"],) else (),
        visibility=Visibility(row["visibility"]),
        stage=Stage(row["stage"]),
        route=RouteState(row["route"]),
        wish=Wish(row["id"], **{n: row[n] for n in _WISH}),
        image=image_in(row["image"]),
        failures=failures_in(row["failures"]),
    )
