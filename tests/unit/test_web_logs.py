"""The Logs tab's earlier builds and instances, what a cluster says, and files beside their history; hostile content in all."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from orchestrator.domain.keys import instance_id
from orchestrator.domain.records import Run
from orchestrator.domain.seen import Event, Fault
from orchestrator.domain.space import Visibility
from orchestrator.domain.tree import Change
from orchestrator.errors import Forbidden, Unavailable
from orchestrator.ports import LogLine
from tests.unit.test_web_pages import ada, bob, build_of, console, events, make, stranger  # noqa: F401
from web.blame import of_lines
from web.log_stream import Part, beside

EVIL = "<img src=x onerror=alert(1)>\u202e"


def run_of(console, space, started, ended=None, key="k" * 24, **more):  # noqa: F811
    one = Run(0, instance_id(space.id, key), key, space.id, 1, space.wish.revision, "cpu-basic", started, started)
    with console.store.write() as tx:
        tx.runs.write(replace(one, ended_at=ended, **more))
        return next(found for found in tx.runs.of(space.id) if found.started_at == started)


def test_runs_of_one_instance_have_their_own_lines(console, ada, make, monkeypatch):  # noqa: F811
    space, logs, now = make(), console.parts.logs, time.time()
    build_of(console, space)
    first = run_of(console, space, now - 900, now - 500, why="fell asleep")
    again = run_of(console, space, now - 300)
    stream = f"run/{first.instance_id}"
    for at, words in ((now - 900.5, "early"), (now - 600, "first"), (now - 299, "second")):
        monkeypatch.setattr("orchestrator.logs.files.time.time", lambda at=at: at)
        logs.append(stream, words)
        logs.end(stream)
    path = f"/spaces/{space.full_name}/logs"
    told = list(events(ada, f"{path}/stream?run={first.id}"))
    assert [name for _, name, _ in told] == ["stream", "lines", "end"] and told[-1][2] == {"over": True}
    assert [text for _, text in told[1][2]] == ["early", "first"]
    assert [text for _, text in next(iter(list(events(ada, f"{path}/stream?run={again.id}"))[1:]))[2]] == ["second"]
    text = ada.get(f"{path}/text?run={first.id}")
    assert text.text.count("\n") == 2 and f"instance-{first.id}.log" in text.headers["content-disposition"]
    page = ada.get(f"{path}?run={first.id}").text
    assert "fell asleep" in page and f"run={again.id}" in page and f'data-url="{path}/stream?kind=run&amp;run=' in page


def test_another_spaces_instance_is_not_shown(console, ada, bob, make):  # noqa: F811
    mine, other = make(), make()
    run = run_of(console, other, 100.0, 200.0)
    for missing in ("/logs?run=", "/logs/stream?run=", "/logs/text?run="):
        for number in (run.id, 2**31, 10**30, -1):
            assert ada.get(f"/spaces/{mine.full_name}{missing}{number}").status_code == 404
    for number in (2**31, 10**30):
        assert ada.get(f"/spaces/{mine.full_name}/discussions/{number}").status_code == 404
    assert bob.get(f"/spaces/{other.full_name}/logs?run={run.id}").status_code in (403, 404)
    assert bob.get(f"/spaces/{other.full_name}/logs/events").status_code in (403, 404)


def test_why_an_instance_failed_is_on_top_with_what_helps(console, ada, make):  # noqa: F811
    space = make()
    fault = Fault("APP_EXITED", f"no module {EVIL}", "app.py:3", "add `torch` to requirements.txt")
    run = run_of(console, space, 100.0, 200.0, why=fault.sentence(), fault=fault)
    page = ada.get(f"/spaces/{space.full_name}/logs?run={run.id}").text
    assert "add <code>torch</code>" in page and "/edit/main/app.py#L3" in page
    assert "<img src=x" not in page and "\u202e" not in page


def test_what_the_cluster_says_is_asked_for_when_the_page_is_there(console, ada, make):  # noqa: F811
    space = make()
    path = f"/spaces/{space.full_name}/logs/events"
    assert ada.get(path).text.strip() == ""
    console.runtime.told = [Event(time.time(), f"Back{EVIL}Off", f"pulling {EVIL}", True, 4)]
    try:
        said = ada.get(path).text
        assert "4 times" in said and "&lt;img" in said and "<img" not in said and "\u202e" not in said
    finally:
        console.runtime.told = []


def test_a_cluster_that_does_not_answer_is_said(console, ada, make):  # noqa: F811
    space = make()
    console.runtime.told = Unavailable("Kubernetes has not answered for 61 seconds")
    try:
        answer = ada.get(f"/spaces/{space.full_name}/logs/events")
        assert answer.status_code == 200 and "has not answered for 61" in answer.text
    finally:
        console.runtime.told = []


def test_what_the_cluster_says_comes_between_the_lines_and_holds_up_none(monkeypatch):
    monkeypatch.setattr("web.log_stream.LOOK_EVERY", 0.01)
    gate, said = threading.Event(), iter([b"pulled", b"", Unavailable("away"), b"started", Forbidden("GONE", "gone")])

    def news() -> bytes:
        gate.wait(20)
        found = next(said)
        if isinstance(found, Exception):
            raise found
        return found

    async def read() -> list[bytes]:
        ended, told = asyncio.Event(), []

        async def lines():
            try:
                yield b"one"
                yield b"two"
                await asyncio.sleep(60)
            finally:
                ended.set()

        async for frame in beside(lines(), news):
            told.append(frame)
            if frame == b"two":
                gate.set()
        assert ended.is_set(), "a log that is read no more is closed"
        return told

    assert asyncio.run(asyncio.wait_for(read(), 30)) == [b"one", b"two", b"pulled", b"started"]


def test_a_part_is_cut_by_time():
    lines = [LogLine(float(at), str(at), at) for at in (1, 2, 2, 3, 5)]
    assert [one.index for one in Part("x", 2.0, 5.0).cut(lines)] == [2, 2, 3]
    assert Part("x").cut(lines) is lines and Part("x", 9.0).cut(lines) == []


# --------------------------------------------------------------------------------------------------------- blame


def test_each_line_tells_the_commit_that_it_came_with(console, ada, stranger, make):  # noqa: F811
    space = make(files={"app.py": b"one\ntwo\nthree\n"}, message="Begin")
    caller = console.parts.accounts.caller(f"Bearer {console.token}")
    changed = [Change("app.py", b"one\n2\nthree\nfour\n")]
    console.parts.pushes.commit(caller, space, changed, f"Change {EVIL}", None, "refs/heads/main")
    page = stranger.get(f"/spaces/{space.full_name}/blame/main/app.py").text
    assert page.count(">Begin</a>") == 2 and page.count("&lt;img src=x") == 2 and "<img src=x" not in page
    assert 'id="L4"' in page and "\u202e" not in page
    assert (
        f"/spaces/{space.full_name}/blame/main/app.py"
        in stranger.get(f"/spaces/{space.full_name}/blob/main/app.py").text
    )


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("x.bin", b"\0\1\2", "is not text"),
        ("long.txt", b"x\n" * 10_001, "more than 10,000 lines"),
        ("large.txt", b"x" * 400_001, "larger than 400 kB"),
    ],
)
def test_what_is_not_looked_for_is_said(stranger, make, path, data, said):  # noqa: F811
    space = make(files={path: data})
    answer = stranger.get(f"/spaces/{space.full_name}/blame/main/{path}")
    assert answer.status_code == 200 and said in answer.text


def test_blame_of_what_is_not_there_or_not_theirs(console, stranger, make):  # noqa: F811
    space, hidden = make(), make(Visibility.PRIVATE)
    for path in ("nothing.py", "", "..%2f..%2fetc", "--help"):
        assert stranger.get(f"/spaces/{space.full_name}/blame/main/{path}").status_code == 404
    assert stranger.get(f"/spaces/{hidden.full_name}/blame/main/app.py").status_code == 404
    assert stranger.get(f"/spaces/{space.full_name}/blame/nowhere/app.py").status_code == 404


def test_lines_that_nobody_knows_of_are_left_open():
    assert of_lines([], 2) == [None, None]
