"""Buckets as their people see them: create, find, list, change, move, delete. Each command is one transaction with its audit row.
What is in them is `bucket_files.py`'s."""

import time
from collections.abc import Callable

from orchestrator.domain.bucket import Bucket
from orchestrator.domain.caller import Caller, require, role_in
from orchestrator.domain.records import AuditRow
from orchestrator.domain.space import Role, Visibility, check_name
from orchestrator.errors import Conflict, Invalid, Moved, Unauthorized, repo_not_found
from orchestrator.ports import Store
from orchestrator.services.accounts import Accounts, new_id

ME = "me"  #: in the place of an owner: whoever asks


class Buckets:
    def __init__(self, store: Store, accounts: Accounts, clock: Callable[[], float] = time.time) -> None:
        self._store, self._accounts, self._clock = store, accounts, clock

    # ----------------------------------------------------------------------------------------------------- reading

    def find(self, caller: Caller, owner: str, name: str, needed: Role = Role.READ) -> Bucket:
        """The bucket if the caller may do what is `needed`. Raises NotFound, Unauthorized, Forbidden, Moved as for repos."""
        with self._store.read() as tx:
            bucket = tx.buckets.find(owner, name)
            if bucket is None:
                raise self._moved(tx, caller, owner, name) or repo_not_found()
        require(caller, bucket, needed)
        return bucket

    def _moved(self, tx, caller: Caller, owner: str, name: str) -> Moved | None:
        former = tx.buckets.moved(owner, name)
        bucket = tx.buckets.get(former) if former else None
        if bucket is None or (bucket.private and role_in(caller, bucket.owner_id, bucket.id) < Role.READ):
            return None
        return Moved(f"{owner}/{name}", bucket.full_name)

    def list(self, caller: Caller, owner: str, limit: int, after: str = "", search: str = "") -> "list[Bucket]":
        """Those of a user or an organisation that the caller may see, by name. Raises Unauthorized, NotFound."""
        if owner == ME:
            owner = self._me(caller)
        with self._store.read() as tx:
            found = tx.accounts.owner_named(owner)
            if found is None:
                raise repo_not_found()
            granted = caller.grants.scoped if caller.grants is not None else ()
            also = [one.id for one in granted if role_in(caller, found.id, one.id) >= Role.READ]
            private = role_in(caller, found.id) >= Role.READ
            return tx.buckets.list(found.id, limit, after, search, private, also)

    @staticmethod
    def _me(caller: Caller) -> str:
        if caller.user is None:
            raise Unauthorized("AUTH_REQUIRED", "Sign in first: this needs an access token.")
        return caller.name

    # ---------------------------------------------------------------------------------------------------- commands

    def create(self, caller: Caller, owner: str, name: str, visibility: Visibility | None) -> Bucket:
        """An empty one; without a `visibility` it is seen as its owner's repos usually are. Raises Invalid `NAME`, `VISIBILITY`;
        Forbidden `NAMESPACE`; Conflict `RepoExists`."""
        space = self._accounts.namespace(caller, None if owner == ME else owner)
        check_name(name)
        if visibility is Visibility.PROTECTED:
            raise Invalid("VISIBILITY", "a bucket is public or private; only a Space can be protected")
        now, seen = self._clock(), visibility or space.visibility
        creator = caller.user.id if caller.user else ""
        bucket = Bucket(new_id(), space.name, space.id, name, seen, creator, created_at=now, updated_at=now)
        with self._store.write() as tx:
            known = tx.buckets.find(space.name, name)
            if known:
                raise Conflict("RepoExists", f"You already created this bucket: {known.full_name}", id=known.id)
            tx.buckets.take_name(space.id, name)
            tx.buckets.add(bucket)
            self._note(tx, caller, "create", bucket.full_name, {"id": bucket.id})
        return bucket

    def delete(self, caller: Caller, bucket: Bucket) -> None:
        """Gone at once with all its files; what nothing else holds is collected."""
        require(caller, bucket, Role.ADMIN)
        with self._store.write() as tx:
            tx.buckets.forget(bucket.id)
            tx.objects.disown(bucket.id)
            self._note(tx, caller, "delete", bucket.full_name, {"id": bucket.id})

    def set_visibility(self, caller: Caller, bucket: Bucket, visibility: Visibility) -> Bucket:
        """Raises Invalid `VISIBILITY`, Forbidden."""
        require(caller, bucket, Role.ADMIN)
        if visibility is Visibility.PROTECTED:
            raise Invalid("VISIBILITY", "a bucket is public or private; only a Space can be protected")
        if visibility is bucket.visibility:
            return bucket
        with self._store.write() as tx:
            tx.buckets.update(bucket.id, visibility=visibility.value)
            self._note(tx, caller, "settings", bucket.full_name, {"visibility": visibility.value})
            return tx.buckets.get(bucket.id) or bucket

    def move(self, caller: Caller, bucket: Bucket, owner: str, name: str) -> Bucket:
        """Give it another name, another owner, or both; the old name leads to it until somebody takes it. Raises as `create`."""
        require(caller, bucket, Role.ADMIN)
        target = self._accounts.namespace(caller, owner)
        check_name(name)
        with self._store.write() as tx:
            there = tx.buckets.find(target.name, name)
            if there and there.id != bucket.id:
                raise Conflict("RepoExists", f"A bucket called {there.full_name} already exists")
            if (target.id, name) == (bucket.owner_id, bucket.name):
                return bucket
            tx.buckets.take_name(target.id, name)
            if (target.id, name.lower()) != (bucket.owner_id, bucket.name.lower()):
                tx.buckets.leave_name(bucket, self._clock())
            tx.buckets.update(bucket.id, owner_id=target.id, name=name)
            full_name = f"{target.name}/{name}"
            self._note(tx, caller, "move", full_name, {"from": bucket.full_name, "to": full_name})
            return tx.buckets.get(bucket.id) or bucket

    def _note(self, tx, caller: Caller, what: str, name: str, detail: dict[str, object]) -> None:
        tx.audit.add(AuditRow(self._clock(), caller.name, f"bucket.{what}", name, detail, caller.address))
