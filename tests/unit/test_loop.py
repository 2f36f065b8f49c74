"""Background loops: when they come round, that no failure ends them, and how they end."""

import logging
import threading

import pytest

from orchestrator.errors import Unavailable
from orchestrator.services.bell import LocalBell
from orchestrator.services.loop import Loop
from tests.support import eventually

DAY = 86400.0


@pytest.fixture
def started():
    """Loops that are ended afterwards."""
    loops = []

    def start(*args, **options):
        loops.append(Loop(*args, **options))
        loops[-1].start()
        return loops[-1]

    yield start
    for loop in loops:
        loop.stop()


def threads(name):
    return [one for one in threading.enumerate() if one.name == name or one.name.startswith(f"{name}-")]


# ---------------------------------------------------------------------------------------------------------- its pauses


class Passing:
    """A bell and an end for which no time passes: notes who waits for how long, and ends after `rounds`."""

    def __init__(self, rounds):
        self.waited, self.rounds = [], rounds

    def wait(self, *what):
        self.waited.append(what)
        return self.is_set()

    def is_set(self):
        return self.rounds <= 0


def pauses(rounds, round, **options):
    """What was waited for in so many rounds: (topic, seconds) that a ring ends, (seconds,) that it does not."""
    passing = Passing(rounds)

    def counted():
        passing.rounds -= 1
        return round()

    loop = Loop("test", 60.0, counted, bell=passing, topic="spaces", **options)
    loop.ending = passing
    loop._run()
    return [one for one in passing.waited if one != (0.0,)]


def test_the_first_round_is_at_once_unless_it_is_to_wait():
    assert pauses(2, lambda: None) == [("spaces", 60.0)]
    assert pauses(2, lambda: None, first=5.0) == [("spaces", 5.0), ("spaces", 60.0)]


def test_a_round_may_say_when_the_next_is():
    answers = iter([3.5, 0.0, 0.0, None, -1.0])
    assert pauses(5, lambda: next(answers)) == [("spaces", 3.5), ("spaces", 60.0)]


def test_it_rests_after_each_round_whoever_rings():
    assert pauses(3, lambda: None, rest=10.0) == [(10.0,), ("spaces", 50.0), (10.0,), ("spaces", 50.0), (10.0,)]


def test_after_a_failure_it_hears_no_ring_for_a_while():
    def fails():
        raise Unavailable("away")

    assert pauses(2, fails) == [(60.0,), (60.0,)]
    assert pauses(2, fails, again=1.0) == [(1.0,), (1.0,)]


# ------------------------------------------------------------------------------------------------------------- its life


def test_failures_of_rounds_do_not_end_it(started, caplog):
    caplog.set_level(logging.DEBUG)
    ways = [ValueError("a bug"), Unavailable("no database"), Unavailable("no database"), None, Unavailable("again")]
    done = []

    def round():
        done.append(None)
        problem = ways[len(done) - 1] if len(done) <= len(ways) else None
        if problem:
            raise problem

    started("test", 0.001, round, again=0.001)
    eventually(lambda: len(done) > 8)
    said = [(one.levelname, one.message, bool(one.exc_info)) for one in caplog.records]
    assert said == [
        ("ERROR", "test: a round failed", True),
        ("WARNING", "test: no database", False),
        ("DEBUG", "test: no database", False),
        ("INFO", "test: goes on", False),
        ("WARNING", "test: again", False),
        ("INFO", "test: goes on", False),
    ]


@pytest.mark.parametrize("options", [{}, {"first": DAY}, {"rest": DAY}, {"topic": "x"}], ids=str)
def test_stopping_in_the_middle_of_a_pause(started, options):
    done = []
    loop = started("pausing", DAY, lambda: done.append(1), **options)
    eventually(lambda: done or "first" in options)
    loop.stop()
    assert not threads("pausing")


def test_stopping_after_a_failure(started):
    failed = threading.Event()

    def round():
        failed.set()
        raise Unavailable("away")

    loop = started("failing", DAY, round)
    assert failed.wait(10)
    loop.stop()
    assert not threads("failing")


def test_a_round_that_goes_on_is_not_waited_for_without_end(started):
    begun, free = threading.Event(), threading.Event()

    def round():
        begun.set()
        free.wait()

    loop = started("long", DAY, round, join=0.01)
    assert begun.wait(10)
    loop.stop()
    assert threads("long") and loop.ending.is_set()
    free.set()
    eventually(lambda: not threads("long"))


def test_a_round_may_look_whether_it_is_to_end():
    begun = threading.Event()

    def round():
        begun.set()
        assert loop.ending.wait(DAY)

    loop = Loop("looking", DAY, round)
    loop.start()
    assert begun.wait(10)
    loop.stop()
    assert not threads("looking")


def test_a_nudge_ends_the_pause(started):
    done = []
    loop = started("nudged", DAY, lambda: done.append(1))
    eventually(lambda: done)
    loop.nudge()
    eventually(lambda: len(done) == 2)


def test_a_nudge_during_a_round_is_not_lost(started):
    done, going, go = [], threading.Event(), threading.Event()

    def round():
        done.append(1)
        if len(done) == 1:
            going.set()
            go.wait(10)

    loop = started("busy", DAY, round)
    assert going.wait(10)
    loop.nudge()
    go.set()
    eventually(lambda: len(done) == 2)


def test_a_ring_of_its_topic_ends_the_pause_of_all_its_threads(started):
    bell, done = LocalBell(), set()
    loop = started("crew", DAY, lambda: done.add(threading.current_thread().name), bell=bell, topic="builds", threads=3)
    eventually(lambda: len(done) == 3)
    done.clear()
    bell.ring("builds")
    eventually(lambda: done == {"crew-0", "crew-1", "crew-2"})
    loop.stop()
    assert not threads("crew")


def test_no_round_begins_after_it_was_told_to_stop_soon(started):
    done, going, go = [], threading.Event(), threading.Event()

    def round():
        done.append(1)
        going.set()
        go.wait(10)
        return 0.0

    loop = started("soon", DAY, round)
    assert going.wait(10)
    loop.stop_soon()
    go.set()
    eventually(lambda: not threads("soon"))
    assert done == [1]
