"""How repos are found by words and by what they use. The rows of `search` and `uses` are written here, in the transaction that
writes the repo; what a release before this one wrote, `stale` finds."""

from collections.abc import Iterable

import sqlalchemy as sa

from orchestrator.domain.repo import RepoKind
from orchestrator.store import schema as t
from orchestrator.store import trigrams
from orchestrator.store.finding_schema import search, uses
from orchestrator.store.repo_schema import repos

#: So many are sorted faster than they are found in the list's order, among many more.
FEW = 1000


class Finding:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def stale(self, limit: int) -> list[tuple[RepoKind, str]]:
        """(kind, id) of repos whose rows are missing or not of what they are now, and of rows whose repo is gone."""
        found: list[tuple[RepoKind, str]] = []
        for table, kind in ((t.spaces, sa.literal(RepoKind.SPACE.value)), (repos, repos.c.kind)):
            full = t.owners.c.name_lower + "/" + table.c.name_lower
            query = sa.select(kind, table.c.id).join(t.owners, t.owners.c.id == table.c.owner_id)
            query = query.outerjoin(search, search.c.repo_id == table.c.id)
            other = (search.c.at != table.c.updated_at) | (search.c.name != full)
            query = query.where(search.c.repo_id.is_(None) | other).limit(limit)
            found += [(RepoKind(word), repo_id) for word, repo_id in self._db.execute(query)]
        there = [~sa.exists().where(table.c.id == search.c.repo_id) for table in (t.spaces, repos)]
        gone = sa.select(search.c.kind, search.c.repo_id).where(*there).limit(limit)
        return found + [(RepoKind(word), repo_id) for word, repo_id in self._db.execute(gone)]

    def refresh(self, kind: RepoKind, repo_id: str) -> None:
        refresh(self._db, kind, repo_id)


def refresh(connection: sa.Connection, kind: RepoKind, repo_id: str) -> None:
    """Make the rows of a repo anew from what its own row says; none when it is gone."""
    table = t.spaces if kind.runs else repos
    query = sa.select(t.owners.c.name.label("owner"), table.c.name, table.c.card, table.c.updated_at)
    query = query.join(t.owners, t.owners.c.id == table.c.owner_id).where(table.c.id == repo_id)
    # Locked, so that two who make the same rows wait for each other.
    row = connection.execute(query.with_for_update(of=table)).first()
    forget(connection, repo_id)
    if row is not None:
        trigrams.put(connection, [(repo_id, kind, row)])


def forget(connection: sa.Connection, repo_id: str) -> None:
    connection.execute(sa.delete(search).where(search.c.repo_id == repo_id))
    connection.execute(sa.delete(uses).where(uses.c.space_id == repo_id))


def matching(
    connection: sa.Connection, table: sa.Table, kind: RepoKind, words: Iterable[str]
) -> list[sa.ColumnElement[bool]]:
    """Conditions: each of the words is in the repo's text. Those that few repos have are found first, and the list is made of
    these; others are soon met on the way down the list."""
    words = [word.lower() for word in words if word]
    if not words:
        return []
    ids = trigrams.holding(connection, kind, words, FEW + 1)
    if len(ids) <= FEW:
        return [table.c.id.in_(ids)]
    held = sa.and_(*(search.c.text.contains(word, autoescape=True) for word in words))
    return [sa.select(held).where(search.c.repo_id == table.c.id).correlate(table).scalar_subquery().is_(sa.true())]


def named(connection: sa.Connection, table: sa.Table, part: str) -> list[sa.ColumnElement[bool]]:
    """Conditions: this is a part of the full name. The name is in the text, too, where few are found sooner."""
    part = part.lower()
    full = t.owners.c.name_lower + "/" + table.c.name_lower
    ids = trigrams.holding(connection, None, [part], FEW + 1)
    few = [table.c.id.in_(ids)] if len(ids) <= FEW else []
    return [*few, full.contains(part, autoescape=True)]


def using(connection: sa.Connection, table: sa.Table, kind: RepoKind, name: str) -> sa.ColumnElement[bool]:
    """Condition: the card of the Space names this model or dataset."""
    asked = (uses.c.kind == kind.value, uses.c.name == name.lower())
    ids = list(connection.execute(sa.select(uses.c.space_id).where(*asked).limit(FEW + 1)).scalars())
    if len(ids) <= FEW:
        return table.c.id.in_(ids)
    return sa.select(uses.c.space_id).where(*asked, uses.c.space_id == table.c.id).exists()
