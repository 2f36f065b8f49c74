"""Buckets and their files in the store, on every database."""

import pytest

from orchestrator.domain.bucket import Bucket, BucketFile, BucketFolder
from orchestrator.domain.space import Visibility
from orchestrator.errors import Conflict
from orchestrator.store.engine import Store
from tests.contracts.test_store import owner


@pytest.fixture
def store(database):
    store = Store(database)
    yield store
    store.close()


def bucket(number: int, owner_id: str, name: str = "", **values) -> Bucket:
    return Bucket(f"{number:024x}", "", owner_id, name or f"b{number}", **values)


def file(path: str, size: int = 1, at: float = 1.0, oid: str = "a" * 64) -> BucketFile:
    return BucketFile(path, oid, size, None, at)


def put(store, *buckets: Bucket) -> None:
    with store.write() as tx:
        for one in buckets:
            tx.buckets.add(one)


def own(store, bucket_id: str, *oids: str) -> None:
    with store.write() as tx:
        for oid in oids:
            tx.objects.put(oid, 1, f"place-{oid[0]}", 1.0)
            tx.objects.own(bucket_id, oid, 1.0)


def test_a_bucket_comes_back_as_it_was_written_and_names_are_one_per_owner(store):
    ada, bob = owner(store, "Ada"), owner(store, "bob")
    made = bucket(1, ada, "B", visibility=Visibility.PRIVATE, creator_id=bob, size=2**40, files=3, created_at=5.0)
    put(store, made, bucket(2, bob, "B"))
    with store.write() as tx:
        found = tx.buckets.find("ADA", "b")
        assert found == tx.buckets.get(made.id, lock=True)
        assert (found.full_name, found.path, found.private, found.size) == ("Ada/B", "buckets/Ada/B", True, 2**40)
        assert tx.buckets.ids() == {made.id, f"{2:024x}"} and tx.buckets.find("ada", "none") is None
    with pytest.raises(Conflict):
        put(store, bucket(3, ada, "b"))


def test_lists_of_an_owner(store):
    ada = owner(store, "ada")
    hidden = [bucket(n, ada, name, visibility=Visibility.PRIVATE) for n, name in ((1, "a"), (2, "C_x"))]
    put(store, *hidden, bucket(3, ada, "b"), bucket(4, ada, "cyx"))
    with store.read() as tx:
        names = lambda *args, **more: [one.name for one in tx.buckets.list(ada, *args, **more)]  # noqa: E731
        assert names(9) == ["b", "cyx"] and names(9, also=[hidden[0].id]) == ["a", "b", "cyx"]
        assert names(9, private=True) == ["a", "b", "C_x", "cyx"]
        assert names(1, after="B", private=True) == ["C_x"] and names(9, search="c_", private=True) == ["C_x"]


def test_former_names_lead_on_until_they_are_taken_or_it_is_gone(store):
    ada = owner(store, "ada")
    put(store, bucket(1, ada, "Old"))
    with store.write() as tx:
        tx.buckets.leave_name(tx.buckets.find("ada", "old"), 1.0)
        tx.buckets.update(f"{1:024x}", name="New")
        assert tx.buckets.moved("ADA", "OLD") == f"{1:024x}" and tx.buckets.find("ada", "new").name == "New"
        tx.buckets.take_name(ada, "old")
        assert tx.buckets.moved("ada", "old") is None
        tx.buckets.leave_name(tx.buckets.find("ada", "new"), 2.0)
        tx.buckets.forget(f"{1:024x}")
        assert tx.buckets.moved("ada", "new") is None


def test_files_are_put_over_others_and_listed_whole_or_by_folder(store):
    put(store, bucket(1, owner(store, "ada")), bucket(2, owner(store, "bob")))
    one, other = f"{1:024x}", f"{2:024x}"
    own(store, one, "a" * 64, "b" * 64)
    own(store, other, "a" * 64)
    paths = ("a", "a/x", "a/y/z", "a!", "a-b/c", "Z", "ä/ö", "0%_")
    with store.write() as tx:
        tx.buckets.put(one, [file(path, number, number) for number, path in enumerate(paths)])
        tx.buckets.put(other, [file("a/elsewhere")])
        tx.buckets.put(one, [file("Z", 99, 99.0, "b" * 64)])
    with store.read() as tx:
        assert [f.path for f in tx.buckets.tree(one, "", "", 99)] == sorted(paths)
        assert [f.path for f in tx.buckets.tree(one, "a/", "", 99)] == ["a/x", "a/y/z"]
        assert [f.path for f in tx.buckets.tree(one, "", "a!", 2)] == ["a-b/c", "a/x"]
        assert tx.buckets.files(one, ["Z", "none"]) == {"Z": file("Z", 99, 99.0, "b" * 64)}
        level = tx.buckets.level(one, "", "", 99)
        assert [(f.path, isinstance(f, BucketFolder)) for f in level] == [
            ("0%_", False), ("Z", False), ("a", False), ("a!", False), ("a-b", True), ("a", True), ("ä", True)
        ]  # fmt: skip
        assert next(f for f in level if f == BucketFolder("a", 2.0)) and file("a", 0, 0.0) in level
        assert tx.buckets.level(one, "a/", "", 1) == [file("a/x", 1, 1.0)]
        assert tx.buckets.level(one, "a/", "a/x", 9) == [BucketFolder("a/y", 2.0)]
        assert [f.path for f in tx.buckets.level(one, "a/y", "", 9)] == ["a/y/z"]
        assert tx.buckets.named(one, ["a" * 64, "b" * 64, "c" * 64]) == {"a" * 64, "b" * 64}
    with store.write() as tx:
        tx.buckets.remove(one, [path for path in paths if path != "Z"])
        assert tx.buckets.named(one, ["a" * 64, "b" * 64]) == {"b" * 64}
        tx.buckets.forget(one)
        assert tx.buckets.tree(one, "", "", 9) == [] and len(tx.buckets.tree(other, "", "", 9)) == 1


def test_what_a_file_holds_stays_owned_whoever_collects(store):
    put(store, bucket(1, owner(store, "ada")))
    one = f"{1:024x}"
    own(store, one, "a" * 64, "b" * 64)
    with store.write() as tx:
        tx.buckets.put(one, [file("x")])
    for oids in (None, ["a" * 64]):
        with pytest.raises(Conflict), store.write() as tx:
            tx.objects.disown(one, oids)
    with store.write() as tx:
        tx.objects.disown(one, ["b" * 64])
        assert set(tx.objects.owned(one, ["a" * 64, "b" * 64])) == {"a" * 64}
        tx.buckets.forget(one)
        tx.objects.disown(one)
    with pytest.raises(Conflict), store.write() as tx:
        tx.buckets.put(one, [file("x")])


def test_changes_are_remembered_in_order_and_forgotten_by_time(store):
    put(store, bucket(1, owner(store, "ada")))
    one = f"{1:024x}"
    with store.write() as tx:
        tx.buckets.note(one, 1, {"b": "add", "a": "add"}, 10.0)
        tx.buckets.note(one, 2, {"a": "delete"}, 20.0)
        assert tx.buckets.changes(one, 0, 9) == [(1, "a", "add"), (1, "b", "add"), (2, "a", "delete")]
        assert tx.buckets.changes(one, 1, 9) == [(2, "a", "delete")] and len(tx.buckets.changes(one, 0, 2)) == 2
        assert [tx.buckets.first_change(one, at) for at in (10.0, 11.0, 21.0)] == [1, 2, None]
        tx.buckets.forget_changes(20.0)
        assert tx.buckets.changes(one, 0, 9) == [(2, "a", "delete")]
        tx.buckets.forget(one)
        assert tx.buckets.changes(one, 0, 9) == []


def test_what_a_client_calls_an_object_is_known_while_the_repo_owns_it(store):
    with store.write() as tx:
        for oid in ("a" * 64, "b" * 64):
            tx.objects.put(oid, 1, f"place-{oid[0]}", 1.0)
            tx.objects.own("1" * 24, oid, 1.0)
        tx.objects.call("1" * 24, "c" * 64, "a" * 64)
        tx.objects.call("1" * 24, "c" * 64, "b" * 64)
        tx.objects.call("1" * 24, "d" * 64, "a" * 64)
    with store.write() as tx:
        asked = ["c" * 64, "d" * 64, "e" * 64]
        assert tx.objects.called("1" * 24, asked) == {"c" * 64: "b" * 64, "d" * 64: "a" * 64}
        assert tx.objects.called("2" * 24, asked) == {}
        tx.objects.disown("1" * 24, ["a" * 64])
        assert tx.objects.called("1" * 24, asked) == {"c" * 64: "b" * 64}
