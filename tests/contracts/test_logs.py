"""The Logs port's contract."""

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestrator.errors import Invalid
from orchestrator.logs.files import FileLogs
from orchestrator.services.bell import LocalBell
from tests.support import eventually


@pytest.fixture(params=["alone", "with a bell"])
def logs(request, tmp_path):
    """Logs on files; the other form is what several machines have on a volume, with a bell over Redis between them."""
    if request.param == "alone":
        yield FileLogs(tmp_path / "logs")
        return
    from orchestrator.bells.redis import RedisBell

    bell = RedisBell(request.getfixturevalue("redis").url, LocalBell())
    bell.start()
    yield FileLogs(tmp_path / "logs", bell=bell)
    bell.stop()


def words(lines) -> list[str]:
    return [line.text for line in lines]


def test_what_was_appended_is_read_in_order(logs):
    before = time.time()
    logs.append("build/a1", "one", "two\nthree")
    logs.append("build/a1", "four \x1b[31mred\x1b[0m \x1b[2J\x07")
    lines, ended = logs.read("build/a1")
    assert words(lines) == ["one", "two", "three", "four \x1b[31mred\x1b[0m "]
    assert [line.index for line in lines] == [0, 1, 2, 3]
    assert before - 1 <= lines[0].at <= time.time() + 1
    assert not ended


def test_reading_on_from_an_index(logs):
    logs.append("build/a1", *"abcdef")
    assert words(logs.read("build/a1", 4)[0]) == ["e", "f"]
    assert logs.read("build/a1", 6)[0] == []
    assert words(logs.read("build/a1", -3)[0]) == list("abcdef")
    assert words(logs.tail("build/a1", 2)) == ["e", "f"]
    assert logs.tail("build/a1", 0) == []


def test_the_end_is_told_and_taken_back_by_more_lines(logs):
    logs.append("run/s-1", "a")
    logs.end("run/s-1")
    assert logs.read("run/s-1")[1]
    logs.append("run/s-1", "started again")
    lines, ended = logs.read("run/s-1")
    assert words(lines) == ["a", "started again"]
    assert not ended


def test_unknown_streams_are_empty_and_removed_ones_too(logs):
    assert logs.read("build/none") == ([], False)
    assert logs.tail("build/none", 5) == []
    logs.remove("build/none")
    logs.append("build/a1", "x")
    logs.remove("build/a1")
    assert logs.read("build/a1") == ([], False)


@pytest.mark.parametrize(
    "name",
    ["", "build", "../x", "build/../x", "build/..", "/etc/x", "build/a b", "build/.x", "build/a/b/c/d/e", "b\0/x"],
)
def test_names_that_could_leave_the_directory_are_refused(logs, name):
    for use in (lambda: logs.append(name, "x"), lambda: logs.read(name), lambda: logs.remove(name)):
        with pytest.raises(Invalid) as error:
            use()
        assert error.value.code == "LOG_STREAM"


def test_a_line_of_text_cannot_pretend_to_be_a_note(logs):
    logs.append("build/a1", "# end", "# gap 100", "")
    lines, ended = logs.read("build/a1")
    assert words(lines) == ["# end", "# gap 100", ""]
    assert not ended


def test_many_threads_write_at_once(logs):
    def write(name: str) -> None:
        for n in range(300):
            logs.append("build/a1", f"{name} {n}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = words(logs.read("build/a1")[0])
    assert len(lines) == 1200
    for name in "abcd":
        assert [line for line in lines if line.startswith(name)] == [f"{name} {n}" for n in range(300)]


def test_lines_survive_the_process(logs, tmp_path):
    code = (
        "from pathlib import Path; from orchestrator.logs.files import FileLogs\n"
        f"FileLogs(Path({str(tmp_path / 'logs')!r})).append('build/a1', 'kept')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    assert words(logs.read("build/a1")[0]) == ["kept"]


def test_past_the_cap_indexes_stay_and_the_gap_is_told(tmp_path):
    logs = FileLogs(tmp_path, cap=10_000_000, caps={"build": 40_000})
    for n in range(5000):
        logs.append("build/a1", f"line {n}")
    lines, _ = logs.read("build/a1")
    assert words(lines[:200]) == [f"line {n}" for n in range(200)]
    gap, after = lines[200], lines[201:]
    assert "left out" in gap.text
    assert all(line.text == f"line {line.index}" for line in after)
    assert gap.index + 1 == after[0].index
    assert lines[-1].index == 4999
    inside, _ = logs.read("build/a1", start=300)
    assert f"{after[0].index - 300:,} lines" in inside[0].text
    assert inside[1:] == after
    assert logs.tail("build/a1", 3) == lines[-3:]
    assert words(logs.read("build/a1", start=4999)[0]) == ["line 4999"]
    logs.append("run/a1", *["uncapped as yet"] * 5000)
    assert len(logs.read("run/a1")[0]) == 5000


def test_a_follower_gets_old_and_new_lines_and_the_end(logs):
    async def main():
        logs.append("build/a1", "old", "older")
        got = []
        first = asyncio.Event()

        async def follow():
            async for line in logs.follow("build/a1", start=1):
                got.append(line.text)
                first.set()

        task = asyncio.create_task(follow())
        await asyncio.wait_for(first.wait(), 10)
        await asyncio.to_thread(logs.append, "build/a1", "new")
        await asyncio.to_thread(logs.end, "build/a1")
        await asyncio.wait_for(task, 10)
        return got

    assert asyncio.run(main()) == ["older", "new"]


def test_a_follower_is_woken_by_a_bell_that_another_machine_rang(redis, tmp_path, monkeypatch):
    from orchestrator.bells.redis import RedisBell
    from orchestrator.logs import files

    monkeypatch.setattr(files, "_LOOK_EVERY", 60.0)  # nobody looks by himself: only the bell can wake
    bells = [RedisBell(redis.url, LocalBell()) for _ in range(2)]
    for bell in bells:
        bell.start()
    eventually(lambda: bells[0].ring("warm") or bells[1].wait("warm", 0.2), 20)
    writer, reader = (FileLogs(tmp_path / "logs", bell=bell) for bell in bells)

    async def main():
        task = asyncio.create_task(anext(reader.follow("build/a1")))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await asyncio.to_thread(writer.append, "build/a1", "new")
        line = await asyncio.wait_for(task, 20)
        return line.text, time.monotonic() - began

    text, took = asyncio.run(main())
    assert text == "new" and took < 10
    for bell in bells:
        bell.stop()


def test_a_follower_may_come_before_the_first_line(logs):
    async def main():
        async def one():
            return [line.text async for line in logs.follow("run/later")]

        tasks = [asyncio.create_task(one()) for _ in range(50)]
        await asyncio.sleep(0)
        logs.append("run/later", "here")
        logs.end("run/later")
        return await asyncio.wait_for(asyncio.gather(*tasks), 10)

    assert asyncio.run(main()) == [["here"]] * 50


def test_a_follower_survives_the_cap(tmp_path):
    """Whatever was left out is told; no line comes twice or out of order."""
    logs = FileLogs(tmp_path, cap=20_000)

    def write():
        for n in range(4000):
            logs.append("build/a1", f"line {n}")
        logs.end("build/a1")

    async def main():
        writer = threading.Thread(target=write)
        writer.start()
        got = [line async for line in logs.follow("build/a1")]
        writer.join()
        return got

    got = asyncio.run(asyncio.wait_for(main(), 60))
    assert [line.index for line in got] == sorted({line.index for line in got})
    assert got[-1].text == "line 3999"
    assert all(line.text == f"line {line.index}" for line in got if "left out" not in line.text)
    expected = 0
    for line in got:
        assert line.index == expected or "left out" in line.text
        expected = line.index + 1


def test_a_follower_who_leaves_leaves_nothing(logs):
    async def main():
        async def follow():
            async for _ in logs.follow("build/a1"):
                pass

        task = asyncio.create_task(follow())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    threads = threading.active_count()
    assert asyncio.run(main()) == 1
    eventually(lambda: threading.active_count() <= threads)


def test_a_hundred_thousand_lines_are_read_quickly(logs):
    logs.append("build/a1", *(f"line number {n} of a long build log" for n in range(100_000)))
    began = time.perf_counter()
    lines, _ = logs.read("build/a1")
    assert len(lines) == 100_000
    assert time.perf_counter() - began < 5.0  # takes about 0.2 s; the limit only catches quadratic reading
