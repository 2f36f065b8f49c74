"""One page of a table of repos: who may see them, what they are called, in which order. For Spaces, models and datasets alike."""

import time
from collections.abc import Iterable

import sqlalchemy as sa

from orchestrator.domain.space import Visibility
from orchestrator.store import schema as t
from orchestrator.store.repo_schema import likes

TREND_SECONDS = 7 * 86400.0  #: how long a like counts for the trend
_ORDERS = {"created_at": "created_at", "last_modified": "updated_at", "likes": "likes"}


def page(
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
) -> sa.Select:
    """`select` (of `table` joined with owners) cut to a page, highest first by `sort` (created_at | last_modified | likes |
    trending), then by id. `after` is the (value, id) of the last one seen. Private ones only for `visible_to` (a user's id):
    their own and their organisations'; all with `all_visible`. `within`: ids of owners and of repos that a fine-grained
    token is for; no other private ones then."""
    column = trend(table) if sort == "trending" else table.c[_ORDERS[sort]]
    query = select.where(table.c.deleted.is_(False)).order_by(column.desc(), table.c.id.desc()).limit(limit)
    if not all_visible:
        query = query.where(_allowed(table, visible_to, within))
    if owner:
        query = query.where(t.owners.c.name_lower == owner.lower())
    if search:
        pattern = "%" + search.lower().replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
        full = t.owners.c.name_lower + "/" + table.c.name_lower
        query = query.where(full.like(pattern, escape="\\"))
    if after:
        value = after[0] if sort in ("created_at", "last_modified") else int(after[0])
        query = query.where((column < value) | ((column == value) & (table.c.id < after[1])))
    return query


def matching(table: sa.Table, words: Iterable[str], keys: Iterable[str]) -> list[sa.ColumnElement[bool]]:
    """Conditions: each of the words is in the name, or in what the card says under one of the keys."""
    name = t.owners.c.name_lower + "/" + table.c.name_lower
    said = [table.c.card[key].as_string() for key in keys]
    return [
        sa.or_(name.contains(word.lower(), autoescape=True), *(text.icontains(word, autoescape=True) for text in said))
        for word in words
    ]


def trend(table: sa.Table) -> sa.ScalarSelect:
    """How many likes a repo got lately."""
    since = time.time() - TREND_SECONDS
    counted = sa.select(sa.func.count()).where(likes.c.repo_id == table.c.id, likes.c.created_at >= since)
    return counted.correlate(table).scalar_subquery()


def _allowed(
    table: sa.Table, visible_to: str | None, within: tuple[frozenset[str], frozenset[str]] | None
) -> sa.ColumnElement[bool]:
    public = table.c.visibility != Visibility.PRIVATE.value
    if not visible_to:
        return public
    mine = sa.select(t.members.c.org_id).where(t.members.c.user_id == visible_to)
    seen = (table.c.owner_id == visible_to) | table.c.owner_id.in_(mine)
    if within is not None:
        seen = seen & (table.c.owner_id.in_(within[0]) | table.c.id.in_(within[1]))
    return public | seen
