"""One page of a table of repos: who may see them, what they are called, in which order. For Spaces, models and datasets alike."""

import time
from collections.abc import Sequence

import sqlalchemy as sa

from orchestrator.domain.space import Visibility
from orchestrator.store import schema as t
from orchestrator.store.finding import named
from orchestrator.store.repo_schema import collaborators, likes

TREND_SECONDS = 7 * 86400.0  #: how long a like counts for the trend
_ORDERS = {"created_at": "created_at", "last_modified": "updated_at", "likes": "likes", "downloads": "downloads"}


def listed(
    connection: sa.Connection,
    select: sa.Select,
    table: sa.Table,
    *,
    visible_to: str | None = None,
    all_visible: bool = False,
    within: tuple[frozenset[str], frozenset[str]] | None = None,
    owner: str | None = None,
    search: str | None = None,
    sort: str = "last_modified",
    limit: int = 100,
    after: tuple[float, str] | None = None,
) -> Sequence[sa.RowMapping]:
    """A page of `select` (of `table` joined with owners), highest first by `sort` (created_at | last_modified | likes |
    downloads | trending), then by id. `after` is the (value, id) of the last one seen. Private ones only for `visible_to` (a
    user's id): their own, their organisations', those they were let into; all with `all_visible`. `within`: ids of owners and of
    repos that a fine-grained token is for; no other private ones then. `search`: a part of the full name."""
    query = select.where(table.c.deleted.is_(False))
    if not all_visible:
        query = query.where(_allowed(table, visible_to, within))
    if owner:
        query = query.where(t.owners.c.name_lower == owner.lower())
    if search:
        query = query.where(*named(connection, table, search))
    if sort != "trending":
        return _rows(connection, _ordered(query, table.c[_ORDERS[sort]], table.c.id, after), limit)
    # Few were liked lately: they first, and all others by id alone, for which there is an index.
    lately, found = _lately(), []
    if after is None or after[0] > 0:
        liked = query.join(lately, lately.c.repo_id == table.c.id)
        found += _rows(connection, _ordered(liked, lately.c.number, table.c.id, after), limit)
        after = None
    if len(found) < limit:
        others = query.where(table.c.id.not_in(sa.select(lately.c.repo_id))).order_by(table.c.id.desc())
        others = others.where(table.c.id < after[1]) if after else others
        found += _rows(connection, others, limit - len(found))
    return found


def _rows(connection: sa.Connection, query: sa.Select, limit: int) -> Sequence[sa.RowMapping]:
    return connection.execute(query.limit(limit)).mappings().all()


def _ordered(query: sa.Select, column: sa.ColumnElement, key: sa.ColumnElement, after: tuple | None) -> sa.Select:
    query = query.order_by(column.desc(), key.desc())
    if after is None:
        return query
    value = after[0] if isinstance(column.type, sa.Float) else int(after[0])
    # As a pair, so that a page far down is found in the index as quickly as the first.
    return query.where(sa.tuple_(column, key) < sa.tuple_(sa.literal(value), sa.literal(after[1])))


def _lately() -> sa.Subquery:
    """How many likes those repos got lately that got any."""
    since = time.time() - TREND_SECONDS
    counted = sa.select(likes.c.repo_id, sa.func.count().label("number")).where(likes.c.created_at >= since)
    return counted.group_by(likes.c.repo_id).subquery("lately")


def _allowed(
    table: sa.Table, visible_to: str | None, within: tuple[frozenset[str], frozenset[str]] | None
) -> sa.ColumnElement[bool]:
    public = table.c.visibility != Visibility.PRIVATE.value
    if not visible_to:
        return public
    mine = sa.select(t.members.c.org_id).where(t.members.c.user_id == visible_to)
    single = sa.select(collaborators.c.repo_id).where(collaborators.c.user_id == visible_to)
    seen = (table.c.owner_id == visible_to) | table.c.owner_id.in_(mine) | table.c.id.in_(single)
    if within is not None:
        seen = seen & (table.c.owner_id.in_(within[0]) | table.c.id.in_(within[1]))
    return public | seen
