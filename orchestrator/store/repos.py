"""Models and datasets, and the names that repos of any kind had before."""

from collections.abc import Iterable

import sqlalchemy as sa

from orchestrator.domain.records import Repo
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Visibility
from orchestrator.errors import Conflict
from orchestrator.store import schema as t
from orchestrator.store.finding import forget, matching, refresh
from orchestrator.store.listing import listed
from orchestrator.store.repo_schema import former_names, repos
from orchestrator.store.upsert import upsert

_SELECT = sa.select(repos, t.owners.c.name.label("owner")).join(t.owners, t.owners.c.id == repos.c.owner_id)
_FIND = _SELECT.where(  # written once: each request asks it
    repos.c.kind == sa.bindparam("kind"),
    t.owners.c.name_lower == sa.bindparam("owner"),
    repos.c.name_lower == sa.bindparam("name"),
    repos.c.deleted.is_(False),
)


class Repos:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, repo: Repo) -> None:
        """Raises Conflict when the owner has one of this kind and name."""
        values = {name: getattr(repo, name) for name in Repo.__slots__ if name != "owner"}
        try:
            self._db.execute(sa.insert(repos).values(**values, name_lower=repo.name.lower()))
        except sa.exc.IntegrityError as error:
            raise Conflict("RepoExists", f"{repo.full_name} exists already") from error
        refresh(self._db, repo.kind, repo.id)

    def get(self, repo_id: str) -> Repo | None:
        row = self._db.execute(_SELECT.where(repos.c.id == repo_id)).mappings().first()
        return _repo(row) if row else None

    def find(self, kind: RepoKind, owner: str, name: str) -> Repo | None:
        """By name, whatever its case; one that is being deleted is not found."""
        named = {"kind": kind.value, "owner": owner.lower(), "name": name.lower()}
        row = self._db.execute(_FIND, named).mappings().first()
        return _repo(row) if row else None

    def list(
        self, kind: RepoKind, *, gated: bool | None = None, words: Iterable[str] = (), **filters: object
    ) -> "list[Repo]":
        """A page of those of a kind; filters are those of `listing.listed`. `words`: each is in the name or in the card."""
        query = _SELECT.where(repos.c.kind == kind.value, *matching(self._db, repos, kind, words))
        if gated is not None:
            query = query.where(repos.c.gated != "" if gated else repos.c.gated == "")
        return [_repo(row) for row in listed(self._db, query, repos, **filters)]

    def ids(self) -> "set[str]":
        return set(self._db.execute(sa.select(repos.c.id)).scalars())

    def deleted(self) -> "list[str]":
        """Ids of those of which something may be left."""
        return list(self._db.execute(sa.select(repos.c.id).where(repos.c.deleted)).scalars())

    def update(self, repo_id: str, **values: object) -> None:
        if "name" in values:
            values["name_lower"] = str(values["name"]).lower()
        self._db.execute(sa.update(repos).where(repos.c.id == repo_id).values(**values))
        if "name" in values:
            self._refresh(repo_id)

    def follow(self, repo_id: str, before: str | None, **values: object) -> bool:
        """Take over what main is now, unless it is no longer what it was `before`: then False, nothing written."""
        query = sa.update(repos).where(repos.c.id == repo_id, repos.c.sha.is_not_distinct_from(before))
        followed = bool(self._db.execute(query.values(**values)).rowcount)
        if followed:
            self._refresh(repo_id)
        return followed

    def _refresh(self, repo_id: str) -> None:
        kind = self._db.execute(sa.select(repos.c.kind).where(repos.c.id == repo_id)).scalar()
        if kind:
            refresh(self._db, RepoKind(kind), repo_id)

    def forget(self, repo_id: str) -> None:
        self._db.execute(sa.delete(repos).where(repos.c.id == repo_id))
        forget(self._db, repo_id)

    # former names, of Spaces too

    def leave_name(self, kind: RepoKind, owner_id: str, name: str, repo_id: str, now: float) -> None:
        """From now on the name leads to the repo."""
        key = {"kind": kind.value, "owner_id": owner_id, "name_lower": name.lower()}
        upsert(self._db, former_names, {**key, "repo_id": repo_id, "moved_at": now})

    def moved(self, kind: RepoKind, owner: str, name: str) -> str | None:
        """Id of the repo that had this name."""
        c = former_names.c
        query = sa.select(c.repo_id).join(t.owners, t.owners.c.id == c.owner_id)
        named = (c.kind == kind.value, t.owners.c.name_lower == owner.lower(), c.name_lower == name.lower())
        return self._db.execute(query.where(*named)).scalar()

    def take_name(self, kind: RepoKind, owner_id: str, name: str) -> None:
        """Somebody has this name again: it leads nowhere else."""
        c = former_names.c
        named = (c.kind == kind.value, c.owner_id == owner_id, c.name_lower == name.lower())
        self._db.execute(sa.delete(former_names).where(*named))

    def forget_names(self, repo_id: str) -> None:
        self._db.execute(sa.delete(former_names).where(former_names.c.repo_id == repo_id))


def _repo(row: sa.RowMapping) -> Repo:
    plain = {name: row[name] for name in Repo.__slots__ if name not in ("kind", "visibility")}
    return Repo(**plain, kind=RepoKind(row["kind"]), visibility=Visibility(row["visibility"]))
