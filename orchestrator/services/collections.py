"""Collections: make, find, change, fill. Whoever may write for an owner may change that owner's collections."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestrator.domain.caller import Caller, role_in, role_on
from orchestrator.domain.collection import (
    DESCRIPTION_LIMIT,
    ITEMS_LIMIT,
    NOTE_LIMIT,
    THEMES,
    TITLE_LIMIT,
    Collection,
    CollectionItem,
)
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from orchestrator.ports import Store
from orchestrator.services.accounts import Accounts, new_id
from orchestrator.services.lookup import by_id, named

#: An item as it is shown: its place, and what it is; None when that is gone or not for the caller's eyes.
Shown = tuple[CollectionItem, AnyRepo | Collection | None]


class Collections:
    def __init__(self, store: Store, accounts: Accounts, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    def list(
        self,
        caller: Caller,
        owners: "list[str]",
        items: "list[str]",
        limit: int,
        after: tuple[float, str] | None = None,
        words: str = "",
    ) -> "list[Collection]":
        """Last changed first. `items`: only those that hold any of them, written `models/acme/m`; `words`: that have them in
        their title or description. Raises Invalid `ITEM`."""
        mine = [caller.user.id, *caller.orgs] if caller.user else []
        if caller.grants is not None:
            mine = [one for one in mine if one in caller.grants.readable()[0]]
        with self._store.read() as tx:
            wanted = [item.strip("/").partition("/") for item in items]
            found = [self._item(tx, caller, kind.removesuffix("s"), name) for kind, _, name in wanted]
            ids = [one.id for one in found if one]
            if items and not ids:
                return []
            visible = None if caller.is_admin else mine
            return tx.collections.list(
                visible_to=visible, owners=owners, item_ids=ids, limit=limit, after=after, words=words
            )

    def find(self, caller: Caller, slug: str, needed: Role = Role.READ) -> Collection:
        """By its slug, of which only the id counts. Raises NotFound `COLLECTION` also to those who may not see it."""
        with self._store.read() as tx:
            found = tx.collections.get(slug[-24:].lower())
        role = role_in(caller, found.owner_id) if found else Role.NONE
        if found is None or (found.private and role < Role.READ):
            raise NotFound("COLLECTION", f"there is no collection {ascii(slug[:200])}")
        if needed > Role.READ:
            if caller.user is None:
                raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token with write permission.")
            if role < needed:
                raise Forbidden("FORBIDDEN", f"{caller.name} may not change the collections of {found.owner}.")
        return found

    def items(self, caller: Caller, collection: Collection) -> "list[Shown]":
        with self._store.read() as tx:
            return [(item, self._seen(tx, caller, item)) for item in tx.collections.items(collection.id)]

    def create(
        self, caller: Caller, namespace: str | None, title: str, description: str | None, private: bool
    ) -> Collection:
        """Raises Invalid `COLLECTION`, Forbidden `NAMESPACE`. Two may have the same title."""
        owner = self._accounts.namespace(caller, namespace)
        _check(title, description)
        now = self._clock()
        made = Collection(
            new_id(), owner.name, owner.id, title, description, private=private, created_at=now, updated_at=now
        )
        with self._store.write() as tx:
            tx.collections.add(made)
        return made

    def change(self, caller: Caller, slug: str, **values: Any) -> Collection:
        """`title`, `description`, `private`, `theme`, `position`. Raises Invalid `COLLECTION`."""
        found = self.find(caller, slug, Role.WRITE)
        wanted = replace(found, **values, updated_at=self._clock())
        _check(wanted.title, wanted.description)
        if wanted.theme not in THEMES:
            raise Invalid("COLLECTION", f"theme is {ascii(wanted.theme[:40])}; write one of {', '.join(THEMES)}")
        with self._store.write() as tx:
            tx.collections.update(found.id, **values, updated_at=wanted.updated_at)
        return wanted

    def delete(self, caller: Caller, slug: str) -> None:
        found = self.find(caller, slug, Role.WRITE)
        with self._store.write() as tx:
            tx.collections.remove(found.id)

    # ------------------------------------------------------------------------------------------------------ items

    def add_item(self, caller: Caller, slug: str, kind: str, name: str, note: str | None) -> Collection:
        """At the end. Raises NotFound `ITEM`, Conflict `ITEM` when it is in already, Invalid."""
        collection = self.find(caller, slug, Role.WRITE)
        _check_note(note)
        with self._store.write() as tx:
            found = self._item(tx, caller, kind, name)
            if found is None:
                raise NotFound("ITEM", f"there is no {kind} {ascii(name[:200])} to put into the collection")
            items = tx.collections.items(collection.id)
            if any(item.item_id == found.id for item in items):
                raise Conflict("ITEM", f"the {kind} {ascii(name[:200])} is in this collection already")
            if len(items) >= ITEMS_LIMIT:
                raise Invalid("ITEM", f"a collection holds at most {ITEMS_LIMIT} items; take some out")
            place = items[-1].position + 1 if items else 0
            tx.collections.add_item(CollectionItem(new_id(), collection.id, kind, found.id, place, note))
            tx.collections.update(collection.id, updated_at=self._clock())
        return self.find(caller, slug)

    def change_item(
        self, caller: Caller, slug: str, item_id: str, note: str | None, position: int | None
    ) -> CollectionItem:
        """A note of "" takes it away. `position` from 0; beyond the end is the end. Raises NotFound `ITEM`."""
        collection = self.find(caller, slug, Role.WRITE)
        _check_note(note)
        with self._store.write() as tx:
            items = tx.collections.items(collection.id)
            item = _one(items, item_id)
            if note is not None:
                tx.collections.update_item(item.id, note=note or None)
            if position is not None:
                rest = [other for other in items if other.id != item.id]
                rest.insert(max(0, min(position, len(rest))), item)
                for place, other in enumerate(rest):
                    tx.collections.update_item(other.id, position=place)
            tx.collections.update(collection.id, updated_at=self._clock())
            return _one(tx.collections.items(collection.id), item_id)

    def remove_item(self, caller: Caller, slug: str, item_id: str) -> None:
        """Raises NotFound `ITEM`."""
        collection = self.find(caller, slug, Role.WRITE)
        with self._store.write() as tx:
            item = _one(tx.collections.items(collection.id), item_id)
            tx.collections.remove_item(item.id)
            tx.collections.update(collection.id, updated_at=self._clock())

    def _item(self, tx: Any, caller: Caller, kind: str, name: str) -> AnyRepo | Collection | None:
        """What a name means to this caller. Raises Invalid `ITEM` for a kind that is not here."""
        if kind == "collection":
            found = tx.collections.get(name[-24:].lower())
            return found if found and _visible(caller, found) else None
        try:
            of = RepoKind(kind)
        except ValueError:
            raise Invalid(
                "ITEM", f"item type is {ascii(kind[:40])}; write model, dataset, kernel, space or collection"
            ) from None
        owner, _, rest = name.partition("/")
        repo = named(tx, of, owner, rest)
        return repo if repo and role_on(caller, repo) >= Role.READ else None

    def _seen(self, tx: Any, caller: Caller, item: CollectionItem) -> AnyRepo | Collection | None:
        if item.kind == "collection":
            found = tx.collections.get(item.item_id)
            return found if found and _visible(caller, found) else None
        repo = by_id(tx, item.item_id)
        return repo if repo and not repo.deleted and role_on(caller, repo) >= Role.READ else None


def _visible(caller: Caller, one: Collection) -> bool:
    return not one.private or role_in(caller, one.owner_id) >= Role.READ


def _one(items: list[CollectionItem], item_id: str) -> CollectionItem:
    found = next((item for item in items if item.id == item_id), None)
    if found is None:
        raise NotFound("ITEM", f"the collection has no item {ascii(item_id[:40])}")
    return found


def _check(title: str, description: str | None) -> None:
    if not title.strip() or len(title) > TITLE_LIMIT:
        raise Invalid("COLLECTION", f"a title has 1 to {TITLE_LIMIT} characters, this one has {len(title)}")
    if description and len(description) > DESCRIPTION_LIMIT:
        raise Invalid(
            "COLLECTION", f"a description has at most {DESCRIPTION_LIMIT} characters, this one has {len(description)}"
        )


def _check_note(note: str | None) -> None:
    if note and len(note) > NOTE_LIMIT:
        raise Invalid("ITEM", f"a note has at most {NOTE_LIMIT} characters, this one has {len(note)}")
