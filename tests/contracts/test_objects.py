"""The Objects port on a disk and on a real S3 server, and what large files do on top of each: possession, sharing, collecting."""

import hashlib
import io
import os
import random
import threading
import time

import pytest

from orchestrator.domain.large import pointer_text
from orchestrator.errors import Invalid, NotFound, TooLarge, Unavailable
from orchestrator.objects import incoming, open_objects
from orchestrator.ports import Change
from orchestrator.repos.git import GitRepos
from orchestrator.services.large_care import EVERY, LET_GO, UNNAMED, LargeCare
from orchestrator.services.large_files import LargeFiles, LargeLimits
from orchestrator.services.xet import Xet
from orchestrator.store.engine import Store
from tests import migrated
from tests.support import free_port
from tests.unit.test_large import packed, shard, swapped

A, B = "a" * 24, "b" * 24
DATA = random.Random(7).randbytes(300_000)  # the same in every process: names of tests are made of it
OID = hashlib.sha256(DATA).hexdigest()
PLACE = f"{OID}.00000000"


@pytest.fixture(scope="module")
def s3():
    """A real S3 server on a free port, with a bucket."""
    server = pytest.importorskip("moto.server")
    import boto3

    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    running = server.ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    running.start()
    url = f"http://127.0.0.1:{running._port}"
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket="podium")
    try:
        yield url
    finally:
        running.stop()


@pytest.fixture(params=["disk", "s3"])
def objects(request, tmp_path):
    if request.param == "disk":
        return open_objects(tmp_path / "objects", "", "")
    return open_objects(tmp_path / "objects", f"podium/{tmp_path.name}", request.getfixturevalue("s3"))


def put(objects, data=DATA, place=PLACE):
    coming = objects.receive()
    for at in range(0, len(data), 70_000):
        coming.write(data[at : at + 70_000])
    assert (coming.sha256(), coming.size) == (hashlib.sha256(data).hexdigest(), len(data))
    coming.keep(place)
    coming.close()


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


class TestObjects:
    def test_what_is_kept_is_read_whole_and_in_part(self, objects) -> None:
        put(objects)
        assert objects.size(PLACE) == len(DATA)
        assert b"".join(objects.read(PLACE)) == DATA
        assert b"".join(objects.read(PLACE, 10, 200_010)) == DATA[10:200_010]
        assert b"".join(objects.read(PLACE, len(DATA) - 1)) == DATA[-1:]
        assert b"".join(objects.read(PLACE, 5, 5)) == b""

    def test_nothing_of_what_is_not_kept_stays(self, objects, tmp_path) -> None:
        coming = objects.receive()
        coming.write(DATA)
        coming.close()
        assert objects.size(PLACE) is None and not files_below(tmp_path)

    def test_what_is_missing_is_unavailable_at_once(self, objects) -> None:
        for look in (lambda: objects.read(PLACE), lambda: objects.path(PLACE)):
            with pytest.raises(Unavailable):
                look()
        objects.remove(PLACE)

    def test_parts_come_in_any_order_in_several_requests(self, objects) -> None:
        for start in (200_000, 0, 100_000):
            part = objects.receive("repo-name")
            part.write_at(start, DATA[start : start + 100_000])
            part.close()
        whole = objects.receive("repo-name")
        assert whole.sha256() == OID and whole.size == len(DATA)
        whole.keep(PLACE)
        assert b"".join(objects.read(PLACE)) == DATA

    def test_builders_get_a_file(self, objects) -> None:
        put(objects)
        for _ in range(2):
            with open(objects.path(PLACE), "rb") as file:
                assert file.read() == DATA

    def test_removing(self, objects) -> None:
        put(objects)
        objects.remove(PLACE)
        objects.remove(PLACE)
        assert objects.size(PLACE) is None

    @pytest.mark.parametrize("place", ["../../etc/passwd", "", OID, f"{OID}.0000000G", f"{OID}.00000000/x"])
    def test_no_other_names(self, objects, place) -> None:
        with pytest.raises(ValueError):
            objects.size(place)

    def test_leftovers_of_dead_processes_go_and_living_uploads_stay(self, objects, tmp_path) -> None:
        living, dead = objects.receive(), objects.receive()
        living.write(b"living")
        os.close(dead._handle)
        old = time.time() - incoming.ABANDONED - 1
        for path in files_below(tmp_path):
            os.utime(path, (old, old))
        objects.tidy()
        assert [path.read_bytes() for path in files_below(tmp_path)] == [b"living"]
        living.close()


class World:
    """Large files of two repos, with a clock."""

    def __init__(self, tmp_path, objects) -> None:
        self.now = time.time()
        self.store = Store(migrated.sqlite(tmp_path))
        self.repos = GitRepos(tmp_path / "repos", 10**9)
        self.objects = objects
        clock = lambda: self.now  # noqa: E731
        self.large = LargeFiles(self.store, objects, self.repos, LargeLimits(10**6, 10**6), clock)
        self.xet = Xet(tmp_path / "xet", self.large, clock)
        self.care = LargeCare(self.store, objects, self.repos, self.xet, clock)
        self.care._forget_repos = lambda: None  # the rows of the repos themselves are no part of this
        for repo_id in (A, B):
            self.repos.create(repo_id)

    def upload(self, repo_id=A, data=DATA, oid=None, size=None) -> str:
        coming = self.large.receive()
        coming.write(data)
        name = oid or hashlib.sha256(data).hexdigest()
        try:
            self.large.take(repo_id, coming, name, len(data) if size is None else size)
        finally:
            coming.close()
        return name

    def commit(self, repo_id, oid, path="w.bin", size=len(DATA)) -> str:
        change = Change(path, pointer_text(oid, size))
        self.large.use(repo_id, {oid: (path, size)})
        return self.repos.commit(repo_id, "refs/heads/main", [change], "m", ("ada", "a@b"))

    def places(self) -> list[str]:
        with self.store.read() as tx:
            found = [*tx.objects.of(A), *tx.objects.of(B)]
        return [one.place for one in found]

    def rounds(self) -> None:
        for _ in range(3):
            self.care.collect()
            self.now += LET_GO + 1


@pytest.fixture
def world(tmp_path, objects):
    world = World(tmp_path, objects)
    yield world
    world.store.close()


class TestLargeFiles:
    def test_a_repo_owns_what_was_uploaded_to_it_and_nothing_else(self, world) -> None:
        world.upload(A)
        assert b"".join(world.large.read(A, OID, 3, 9)) == DATA[3:9]
        assert world.large.usage(A) == len(DATA) and world.large.usage(B) == 0
        with pytest.raises(NotFound):
            world.large.read(B, OID)
        with pytest.raises(Invalid, match=r"w\.bin"):
            world.commit(B, OID)

    def test_the_bytes_are_stored_once(self, world) -> None:
        world.upload(A)
        world.upload(B)
        world.upload(A)
        assert len(set(world.places())) == 1 and len(world.places()) == 2

    @pytest.mark.parametrize("told", [{"oid": "0" * 64}, {"size": 5}, {"oid": OID, "data": b"other"}])
    def test_what_was_not_announced_is_refused_and_leaves_nothing(self, world, told, tmp_path) -> None:
        with pytest.raises(Invalid) as refused:
            world.upload(A, **told)
        assert refused.value.code == "LFS_HASH" and world.places() == []
        assert not files_below(tmp_path / "objects")

    def test_no_more_than_the_limits(self, world) -> None:
        with pytest.raises(TooLarge, match="one large file"):
            world.large.check_room(A, 10**6 + 1)
        world.upload(A)
        with pytest.raises(TooLarge, match="limit"):
            world.large.check_room(A, 800_000)

    def test_a_wrong_size_in_a_pointer_is_refused(self, world) -> None:
        world.upload(A)
        with pytest.raises(Invalid, match="not uploaded"):
            world.commit(A, OID, size=5)

    def test_entries_show_what_the_repo_owns(self, world) -> None:
        world.upload(A)
        commit = world.commit(A, OID)
        (entry,) = world.large.seen(A, world.repos.tree(A, commit))
        assert entry.large and (entry.large.oid, entry.large.size) == (OID, len(DATA))
        (path,) = world.large.for_build(A, commit).values()
        with open(path, "rb") as file:
            assert file.read() == DATA

    def test_many_uploads_of_the_same_at_once(self, world) -> None:
        threads = [threading.Thread(target=world.upload, args=(repo_id,)) for repo_id in (A, B) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(world.places())) == 1 and b"".join(world.large.read(B, OID)) == DATA

    def test_lost_bytes_are_stored_again(self, world) -> None:
        world.upload(A)
        world.objects.remove(world.places()[0])
        world.upload(A)
        assert b"".join(world.large.read(A, OID)) == DATA


class TestCollecting:
    def test_what_a_revision_names_stays_for_ever(self, world) -> None:
        world.upload(A)
        world.commit(A, OID)
        world.repos.commit(A, "refs/heads/main", [Change("w.bin", None)], "gone from the tip", ("ada", "a@b"))
        for _ in range(3):
            world.now += UNNAMED + 1
            world.rounds()
        assert b"".join(world.large.read(A, OID)) == DATA

    def test_what_was_just_uploaded_stays_and_what_nobody_commits_goes(self, world) -> None:
        world.upload(A)
        world.rounds()
        (place,) = world.places()
        world.now += UNNAMED + 1
        world.rounds()
        assert world.places() == [] and world.objects.size(place) is None

    def test_what_one_repo_lets_go_stays_for_the_other(self, world) -> None:
        world.upload(A)
        world.upload(B)
        with world.store.write() as tx:
            tx.objects.disown(A)
        world.rounds()
        assert b"".join(world.large.read(B, OID)) == DATA

    def test_an_upload_while_the_same_is_being_removed(self, world) -> None:
        world.upload(A)
        (old,) = world.places()
        with world.store.write() as tx:
            tx.objects.disown(A)
        world.now += LET_GO + 1
        world.care.collect()  # doomed now
        world.upload(B)
        world.rounds()
        (place,) = world.places()
        assert place != old and world.objects.size(old) is None and b"".join(world.large.read(B, OID)) == DATA


class TestNothingIsLeftOfUploadsThatEndedMidway:
    """After ten minutes, with the rounds that the collector makes in that time."""

    @pytest.fixture
    def later(self, world, tmp_path):
        def pass_by(seconds):
            for _ in range(round(seconds / EVERY)):  # the clock of a file system cannot be set: its files grow older
                for path in [
                    *tmp_path.glob("objects/incoming/*"),
                    *tmp_path.glob("xet/*/*"),
                    *tmp_path.glob("xet/*/*/*"),
                ]:
                    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - EVERY))
                world.care.collect()

        return pass_by

    def test_of_parts_and_of_one_piece(self, world, later, tmp_path) -> None:
        part, piece, living = world.large.receive("a-part"), world.large.receive(), world.large.receive()
        for one in (part, piece, living):
            one.write_at(0, b"half of it")
        part.close()  # between two parts
        os.close(piece._handle)  # its process died
        later(240)
        assert len(files_below(tmp_path / "objects" / "incoming")) == 3
        later(360)
        assert files_below(tmp_path / "objects" / "incoming") == [living.path]
        living.close()
        assert files_below(tmp_path / "objects" / "incoming") == []

    def test_of_xorbs_that_no_shard_names(self, world, later, tmp_path) -> None:
        epoch = world.xet.epoch(A)
        xorb(world, epoch, "1" * 64)
        later(240)
        assert world.xet.epoch(A) == epoch and world.xet.has(A, epoch, "1" * 64)
        later(600)
        assert files_below(tmp_path / "xet") == [] and world.xet.epoch(A) != epoch

    def test_of_xorbs_beside_those_of_a_file(self, world, later, tmp_path) -> None:
        epoch = world.xet.epoch(A)
        data = xorb(world, epoch, "1" * 64)
        name = hashlib.sha256(data).hexdigest()
        told = shard(([(swapped("1" * 64), len(data), 0, 1)], swapped(name)))
        world.xet.take_shard(A, epoch, io.BytesIO(told))
        later(3600)
        assert world.xet.has(A, epoch, "1" * 64), "a similar file is sent by its differences"
        xorb(world, epoch, "2" * 64)
        later(600)
        assert files_below(tmp_path / "xet") == []
        assert b"".join(world.large.read(A, name)) == data

    def test_a_xorb_that_comes_slowly_keeps_its_place(self, world, later, tmp_path) -> None:
        epoch = world.xet.epoch(A)
        with world.xet.arriving(A, epoch, "1" * 64) as coming:
            for _ in range(6):
                later(240)
                coming.write(b"a few bytes more")
                coming._file.flush()
        assert world.xet.epoch(A) == epoch

    def test_who_may_only_propose_sends_nothing_in_the_place_of_who_may_write(self, world) -> None:
        epoch, guests = world.xet.epoch(A), world.xet.epoch(A, guest=True)
        assert epoch != guests and (world.xet.epoch(A), world.xet.epoch(A, guest=True)) == (epoch, guests)
        with pytest.raises(NotFound), world.xet.arriving(A, epoch, "1" * 64, guest=True):
            pass
        with pytest.raises(NotFound):
            world.xet.take_shard(A, epoch, io.BytesIO(shard()), guest=True)
        with world.xet.arriving(A, guests, "1" * 64, guest=True) as coming:
            coming.write(packed(b"wrong", 0))
            assert coming.done()
        assert not world.xet.has(A, epoch, "1" * 64)

    def test_what_swells_is_looked_at_before_it_fills_the_disk(self, world, monkeypatch) -> None:
        chunk, name = packed(bytes(128 * 1024), 1), "1" * 64
        epoch = world.xet.epoch(A)
        with world.xet.arriving(A, epoch, name) as coming:
            coming.write(chunk)
            assert coming.done()
        terms, data = [(swapped(name), 128 * 1024, 0, 1)] * 7, bytes(7 * 128 * 1024)
        right, wrong = (hashlib.sha256(one).hexdigest() for one in (data, b""))
        received = []
        receive = world.large.receive
        monkeypatch.setattr(world.large, "receive", lambda: received.append(1) or receive())
        with pytest.raises(Invalid, match="announced were 917504 bytes"):
            world.xet.take_shard(A, epoch, io.BytesIO(shard((terms, swapped(wrong)))))
        assert received == []
        world.xet.take_shard(A, epoch, io.BytesIO(shard((terms, swapped(right)))))
        assert received == [1] and b"".join(world.large.read(A, right)) == data

    def test_a_wrong_shard_gives_the_next_upload_another_address(self, world, tmp_path) -> None:
        epoch = world.xet.epoch(A)
        data = xorb(world, epoch, "1" * 64)
        good = shard(([(swapped("1" * 64), len(data), 0, 1)], swapped(hashlib.sha256(data).hexdigest())))
        world.xet.take_shard(A, epoch, io.BytesIO(good))
        lost = shard(([(swapped("3" * 64), 10, 0, 1)], swapped("4" * 64)))
        with pytest.raises(Invalid, match="upload the file again"):
            world.xet.take_shard(A, epoch, io.BytesIO(lost))
        assert world.xet.epoch(A) != epoch


def xorb(world, epoch, name) -> bytes:
    data = os.urandom(1000)
    with world.xet.arriving(A, epoch, name) as coming:
        coming.write(packed(data, 0))
        coming.done()
    return data
