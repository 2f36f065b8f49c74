"""Builders as processes of their own, called through a real Redis, with rows in a real PostgreSQL; and what happens when they are
killed, frozen, called twice, or not called at all. A build is held up by stopping the compiler that a builder started."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests import processes, servers
from tests.podium import ROOT, Podium
from tests.support import eventually

PAGE = {"README.md": "---\nsdk: static\n---\n"}
LEASE = 4.0


class Builder:
    """One `podium builder`."""

    def __init__(self, podium: Podium) -> None:
        self.log = podium.home / f"builder-{time.monotonic_ns()}.log"
        with self.log.open("ab") as log:
            words = [sys.executable, "-m", "orchestrator.cli", "builder", "--with-parent", "--data", str(podium.data)]
            self.process = psutil.Popen(
                words, cwd=ROOT, env=podium.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def compilers(self) -> list[psutil.Process]:
        return [p for p in self.process.children(recursive=True) if processes.cmdline(p)[-3:] == ["-m", "builder", "-"]]

    def held_up(self) -> list[psutil.Process]:
        """Its compilers, stopped as soon as one is there."""
        found = eventually(self.compilers, 30, f"a build by {self.log.read_text()}", every=0.002)
        for process in found:
            process.suspend()
        return found

    def stop(self) -> None:
        for process in [self.process, *self.process.children(recursive=True)] if self.process.is_running() else []:
            process.send_signal(signal.SIGCONT)
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def end(self) -> None:
        if self.process.poll() is None:
            processes.kill([self.process, *self.process.children(recursive=True)])
            self.process.wait(10)


class Team:
    """A control plane that builds nothing itself, its servers, and builders as tests want them."""

    def __init__(self, podium: Podium, postgres: servers.Postgres, redis: servers.Redis) -> None:
        self.podium, self.postgres, self.redis = podium, postgres, redis
        self.builders: list[Builder] = []

    def builder(self) -> Builder:
        self.builders.append(Builder(self.podium))
        return self.builders[-1]

    def rows(self, columns: str, space) -> list[str]:
        """Builds of a Space, oldest first, as psql prints them."""
        name = self.podium.settings["PODIUM_DATABASE_URL"].rpartition("/")[2]
        where = f"space_id = (SELECT id FROM spaces WHERE name = '{space.name}')"
        return self.postgres.sql(f"SELECT {columns} FROM builds WHERE {where} ORDER BY number", name).splitlines()


@pytest.fixture(scope="module")
def servers_of_team(tmp_path_factory, postgres):
    redis = servers.Redis()
    redis.start()
    podium = Podium(
        tmp_path_factory.mktemp("team"),
        database_url=postgres.database(),
        redis_url=redis.url,
        builds="celery",
        builders="1",
        build_lease=f"{LEASE:g}",
    )
    try:
        yield Team(podium.start(), postgres, redis)
        podium.stop()
    finally:
        podium.end()
        redis.remove()


@pytest.fixture
def team(servers_of_team):
    yield servers_of_team
    for builder in servers_of_team.builders:
        builder.end()
    servers_of_team.builders.clear()


@pytest.fixture
def page(team, request):
    """A Space whose first page is its version."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:30].strip("-")
    space = team.podium.space(name)
    yield space
    space.delete()


def push(space, version: str) -> str:
    return space.push(files={**PAGE, "index.html": f"version {version}"})


def shown(space) -> str:
    with space.client() as client:
        return client.get("/").text


def serves(space, version: str, timeout: float = 60) -> None:
    eventually(lambda: space.stage() == "RUNNING" and shown(space) == f"version {version}", timeout, every=0.1)


def test_a_push_is_built_elsewhere_and_its_log_is_read_here(team, page):
    builder = team.builder()
    push(page, "1")
    serves(page, "1")
    assert team.rows("state, attempts", page) == ["succeeded|1"]
    log = team.podium.cli("space", "logs", "--build", page.id).stdout
    assert "Reading README.md" in log and "DONE" in log
    builder.stop()
    assert builder.process.returncode == 0, builder.log.read_text()


def test_a_builder_killed_at_work_loses_its_build_to_another(team, page):
    first = team.builder()
    push(page, "1")
    held = first.held_up()
    first.process.kill()
    team.builder()
    serves(page, "1")
    assert team.rows("state, attempts", page) == ["succeeded|2"]
    processes.kill(held)
    assert len(page.pids()) > 0 and len(team.rows("key", page)) == 1


def test_a_builder_that_was_frozen_changes_nothing_when_it_thaws(team, page):
    frozen = team.builder()
    push(page, "1")
    held = frozen.held_up()
    frozen.process.suspend()
    team.builder()
    serves(page, "1")
    before = team.rows("state, attempts, fence, lease_owner, finished_at, image", page)
    log = team.podium.cli("space", "logs", "--build", page.id).stdout
    for process in (*held, frozen.process):
        process.resume()
    eventually(lambda: not frozen.compilers(), 30, "the late builder giving up")
    push(page, "2")
    serves(page, "2")
    assert team.rows("state, attempts, fence, lease_owner, finished_at, image", page)[:1] == before
    assert before[0].startswith("succeeded|2|2|")
    old = team.rows("key", page)[0]
    kept = (team.podium.data / "logs" / "build" / f"{old}.log").read_text()
    assert all(line in kept for line in log.splitlines()) and kept.count("DONE") == 1
    assert "# end" in kept.splitlines()[-1]


def test_a_push_during_a_build_supersedes_it(team, page):
    builder = team.builder()
    push(page, "1")
    held = builder.held_up()
    push(page, "2")
    eventually(lambda: team.rows("state", page)[0] == "superseded", 20)
    for process in held:
        if process.is_running():
            process.resume()
    serves(page, "2")
    assert team.rows("state", page) == ["superseded", "succeeded"]


def test_a_flushed_redis_loses_no_queued_build(team, page):
    push(page, "1")
    eventually(lambda: team.rows("state", page) == ["queued"], 20)
    eventually(lambda: team.redis.say("LLEN", "podium-builds") == "1", 20)
    team.redis.say("FLUSHALL")
    team.builder()
    serves(page, "1", 60)
    assert team.rows("state, attempts", page) == ["succeeded|1"]


def test_rings_that_come_three_times_build_once(team, page):
    push(page, "1")
    eventually(lambda: team.redis.say("LLEN", "podium-builds") == "1", 20)
    ring = team.redis.say("LRANGE", "podium-builds", "0", "0")
    for _ in range(3):
        team.redis.say("LPUSH", "podium-builds", ring)
    builder = team.builder()
    serves(page, "1")
    eventually(lambda: team.redis.say("LLEN", "podium-builds") == "0", 20)
    eventually(lambda: team.redis.say("ZCARD", "unacked_index") == "0", 20)
    assert team.rows("state, attempts", page) == ["succeeded|1"]
    assert builder.process.is_running()


def test_a_builder_that_is_asked_to_stop_gives_its_build_back_uncounted(team, page):
    first = team.builder()
    push(page, "1")
    for process in first.held_up():
        process.resume()  # it may finish or not; either is right
    first.stop()
    assert first.process.returncode == 0, first.log.read_text()
    team.builder()
    serves(page, "1")
    assert team.rows("state", page) == ["succeeded"] and team.rows("attempts", page) == ["1"]


def test_while_redis_is_silent_everything_answers_and_pushes_are_stored(team, page):
    team.builder()
    push(page, "1")
    serves(page, "1")
    team.redis.freeze()
    try:
        push(page, "2")
        slowest = 0.0
        for _ in range(40):
            began = time.monotonic()
            page.api("GET")
            assert team.podium.request("GET", "/readyz").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2
        assert shown(page) == "version 1"
    finally:
        team.redis.thaw()
    serves(page, "2", 90)
    assert team.rows("state, attempts", page) == ["succeeded|1"] * 2


def test_without_redis_pushes_are_stored_and_builders_look_by_themselves(team, page):
    team.builder()
    push(page, "1")
    serves(page, "1")
    team.redis.stop(signal.SIGKILL)
    try:
        push(page, "2")
        serves(page, "2", 90)
    finally:
        team.redis.start()
    push(page, "3")
    serves(page, "3", 60)
    assert team.rows("state, attempts", page) == ["succeeded|1"] * 3


def test_a_restarted_database_loses_no_build(team, page):
    builder = team.builder()
    push(page, "1")
    held = builder.held_up()
    team.postgres.stop()
    for process in held:
        process.resume()
    eventually(lambda: not builder.compilers(), 30)
    assert shown_or_nothing(page) in ("", "version 1")
    team.postgres.start()
    serves(page, "1", 90)
    assert team.rows("state", page) == ["succeeded"]
    assert os.path.exists(builder.log)


def shown_or_nothing(space) -> str:
    try:
        return shown(space)
    except Exception:
        return ""
