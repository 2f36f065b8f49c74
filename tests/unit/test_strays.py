"""Instances that belong to no Space, found while Podium runs: stopped once that is certain, and none when too many are."""

import pytest

from orchestrator.domain.seen import InstanceSeen, InstanceState
from orchestrator.errors import Unavailable
from orchestrator.services.strays import MANY, OLD, StrayCollector


class World:
    def __init__(self) -> None:
        self.now, self.known, self.stopped = 10_000.0, {"mine"}, []
        self.instances = {"s-mine-1": "mine"}
        self.collector = StrayCollector(self.look, lambda: set(self.known), self.stopped.append, lambda: self.now)

    def look(self) -> list[InstanceSeen]:
        return [InstanceSeen(i, space, "k", InstanceState.READY, 1.0) for i, space in self.instances.items()]

    def later(self) -> list[str]:
        self.now += OLD
        self.collector.collect()
        return self.stopped


def test_one_is_stopped_when_two_looks_agree():
    world = World()
    world.instances["s-gone-1"] = "gone"
    world.collector.collect()
    assert world.stopped == [] and world.later() == [], "one look is not enough"
    assert world.later() == ["s-gone-1"]


def test_one_whose_space_is_there_after_all_stays():
    world = World()
    world.instances["s-new-1"] = "new"
    world.later()
    world.known.add("new")
    assert world.later() == world.later() == []


def test_a_wrong_database_stops_nothing():
    world = World()
    world.instances |= {f"s-x{n}-1": f"x{n}" for n in range(MANY + 1)}
    assert world.later() == world.later() == world.later() == []


def test_a_cluster_that_does_not_answer_is_asked_again_later():
    world = World()
    world.collector._look = lambda: (_ for _ in ()).throw(Unavailable("away"))
    with pytest.raises(Unavailable):
        world.later()
    assert world.stopped == []
