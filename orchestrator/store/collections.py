"""Collections and what is in them."""

from collections.abc import Sequence

import sqlalchemy as sa

from orchestrator.domain.collection import Collection, CollectionItem
from orchestrator.store import schema as t
from orchestrator.store.repo_schema import collection_items, collections

_SELECT = sa.select(collections, t.owners.c.name.label("owner")).join(t.owners, t.owners.c.id == collections.c.owner_id)


class Collections:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def add(self, one: Collection) -> None:
        values = {name: getattr(one, name) for name in Collection.__slots__ if name != "owner"}
        self._db.execute(sa.insert(collections).values(**values))

    def get(self, collection_id: str) -> Collection | None:
        row = self._db.execute(_SELECT.where(collections.c.id == collection_id)).mappings().first()
        return _collection(row) if row else None

    def list(
        self,
        *,
        visible_to: "list[str] | None",
        owners: "list[str]",
        item_ids: "Sequence[str]" = (),
        limit: int = 100,
        after: tuple[float, str] | None = None,
        words: str = "",
    ) -> "list[Collection]":
        """Last changed first. Private ones only of the owners in `visible_to` (ids); None: all. `owners`: names, none for all."""
        c = collections.c
        query = _SELECT.order_by(c.updated_at.desc(), c.id.desc()).limit(limit)
        if visible_to is not None:
            query = query.where(c.private.is_(False) | c.owner_id.in_(visible_to))
        if owners:
            query = query.where(t.owners.c.name_lower.in_([owner.lower() for owner in owners]))
        if item_ids:
            having = sa.select(collection_items.c.collection_id).where(collection_items.c.item_id.in_(item_ids))
            query = query.where(c.id.in_(having))
        if words:
            query = query.where(
                c.title.icontains(words, autoescape=True) | c.description.icontains(words, autoescape=True)
            )
        if after:
            query = query.where(sa.tuple_(c.updated_at, c.id) < sa.tuple_(*after))
        return [_collection(row) for row in self._db.execute(query).mappings()]

    def update(self, collection_id: str, **values: object) -> None:
        self._db.execute(sa.update(collections).where(collections.c.id == collection_id).values(**values))

    def remove(self, collection_id: str) -> None:
        self._db.execute(sa.delete(collection_items).where(collection_items.c.item_id == collection_id))
        self._db.execute(sa.delete(collection_items).where(collection_items.c.collection_id == collection_id))
        self._db.execute(sa.delete(collections).where(collections.c.id == collection_id))

    # items

    def items(self, collection_id: str) -> "list[CollectionItem]":
        c = collection_items.c
        query = sa.select(collection_items).where(c.collection_id == collection_id).order_by(c.position, c.id)
        return [CollectionItem(**row) for row in self._db.execute(query).mappings()]

    def add_item(self, item: CollectionItem) -> None:
        values = {name: getattr(item, name) for name in CollectionItem.__slots__}
        self._db.execute(sa.insert(collection_items).values(**values))

    def update_item(self, item_id: str, **values: object) -> None:
        self._db.execute(sa.update(collection_items).where(collection_items.c.id == item_id).values(**values))

    def remove_item(self, item_id: str) -> None:
        self._db.execute(sa.delete(collection_items).where(collection_items.c.id == item_id))


def _collection(row: sa.RowMapping) -> Collection:
    return Collection(**{name: row[name] for name in Collection.__slots__})
