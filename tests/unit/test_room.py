"""The queue for hardware: order, places, what never fits, and no overtaking."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.hardware import Hardware, Toleration
from orchestrator.domain.room import Waiting, in_order, never_fits, room, suits
from orchestrator.domain.seen import Held, NodeSeen, Taint

GPU = "nvidia.com/gpu"
ONE = Hardware("t4", "T4 small", 4, 1024**3, 1, exclusive=True, accelerator="Nvidia T4", resource=GPU, count=1)
FOUR = replace(ONE, name="t4x4", count=4)
CPU = Hardware("cpu-basic", "CPU", 2, 1024**3, 1)


def node(name="n", has=4, *held: tuple[str, int], **more) -> NodeSeen:
    given = tuple(Held(f"i-{space}", space, resources={GPU: count}) for space, count in held)
    return NodeSeen(name, resources={GPU: has} if has else {}, held=given, **more)


def why(hardware, *nodes, waiting=(), me="me", since=100.0) -> str:
    found = room(me, hardware, nodes, waiting, since)
    return "free" if found.free else found.reason


def test_what_is_not_counted_has_no_room():
    assert room("me", CPU, [node()], (), 1.0) is None
    assert room("me", ONE, [], (), 1.0) is None
    assert room("me", replace(ONE, elastic=True), [node(has=0)], (), 1.0) is None


def test_figures_and_place():
    assert why(ONE, node()) == "free"
    assert why(ONE, node("n", 1, ("a", 1))) == "waiting for Nvidia T4: 0 of 1 free, you are next"
    ahead = [Waiting("b", ONE, 50.0), Waiting("c", ONE, 60.0), Waiting("d", ONE, 200.0)]
    assert why(ONE, node("n", 1, ("a", 1)), waiting=ahead) == "waiting for Nvidia T4: 0 of 1 free, 2 ahead of you"
    assert why(FOUR, node("n", 4, ("a", 1))) == "waiting for 4 x Nvidia T4: 3 of 4 free, you are next"
    away = node("m", 4, ready=False, trouble="NotReady")
    assert why(ONE, away) == "waiting for Nvidia T4: 0 of 4 free, you are next; m is not ready (NotReady)"


def test_first_come_first_served():
    ahead = [Waiting("a", ONE, 50.0)]
    assert why(ONE, node(has=2), waiting=ahead) == "free"
    assert why(ONE, node(has=1), waiting=ahead).endswith("1 of 1 free, 1 ahead of you")
    assert why(ONE, node(has=1), waiting=[Waiting("a", ONE, 150.0)]) == "free"
    assert why(ONE, node(has=1), waiting=[Waiting("a", ONE, 100.0)], me="b").endswith("1 ahead of you")
    assert [one.space_id for one in in_order([Waiting("b", ONE, 1.0), Waiting("a", ONE, 1.0)])] == ["a", "b"]


def test_the_big_one_is_not_overtaken_by_small_ones():
    big = [Waiting("big", FOUR, 50.0)]
    busy = node("n", 4, ("a", 1))
    assert why(ONE, busy, waiting=big) == "waiting for Nvidia T4: 3 of 4 free, 1 ahead of you"
    assert why(ONE, busy, node("other", 1), waiting=big) == "free"  # of no use to the big one
    assert why(ONE, node("n", 2), waiting=big) == "free"  # it can never fit, so it keeps nobody waiting


def test_one_that_holds_its_hardware_is_not_in_the_queue():
    launched = [Waiting("a", ONE, 50.0)]
    assert why(ONE, node("n", 2, ("a", 1)), waiting=launched) == "free"


def test_what_the_space_has_itself_counts_as_free():
    mine = node("n", 1, ("me", 1))
    found = room("me", ONE, [mine], [], 100.0)
    assert found.free and found.holders == {"i-me"}
    assert why(ONE, mine, waiting=[Waiting("a", ONE, 50.0)]) == "free"  # a new version of what runs queues for nothing
    more = node("n", 4, ("me", 1), ("other", 1))
    assert why(replace(ONE, count=3), more) == "free"
    assert why(replace(ONE, count=3), more, waiting=[Waiting("a", ONE, 50.0)]).endswith("2 of 4 free, 1 ahead of you")


def test_others_things_take_room():
    assert why(ONE, NodeSeen("n", resources={GPU: 1}, held=(Held("", "", resources={GPU: 1}),))) != "free"


def test_never_fits_says_figures():
    assert never_fits(FOUR, [node(has=2), node("m", 3)]) == "no node has 4 x nvidia.com/gpu; the largest has 3"
    assert never_fits(FOUR, [node(has=4, ready=False)]) == ""
    assert never_fits(FOUR, []) == ""
    assert never_fits(replace(CPU, cpu=64), [NodeSeen("n", cpu=4, memory=1)]) == ""
    full = NodeSeen("n", cpu=4, memory=2 * 1024**3, resources={GPU: 1}, reserves=1.0)
    assert never_fits(replace(CPU, cpu=64), [full]) == "no node has 64 CPUs; the largest has 4"
    assert never_fits(replace(CPU, memory=4 * 1024**3), [full]) == "no node has 4 GB of memory; the largest has 2 GB"
    assert never_fits(replace(CPU, cpu=64, memory=4 * 1024**3), [replace(full, reserves=0.05)]) == ""
    assert why(FOUR, node(has=1)).endswith("no node has 4 x nvidia.com/gpu; the largest has 1")


def test_labels_and_taints():
    tainted = NodeSeen("n", resources={GPU: 1}, taints=(Taint("gpu", "yes"),), labels={"a": "b"}, reserves=1.0)
    assert not suits(ONE, tainted)
    assert suits(replace(ONE, tolerations=(Toleration("gpu", "yes"),)), tainted)
    assert suits(replace(ONE, tolerations=(Toleration("", operator="Exists"),)), tainted)
    assert not suits(replace(ONE, tolerations=(Toleration("gpu", "no"),)), tainted)
    assert not suits(replace(ONE, tolerations=(Toleration("gpu", "yes", "NoExecute"),)), tainted)
    picky = replace(ONE, node_selector={"a": "c"}, tolerations=(Toleration("gpu", operator="Exists"),))
    assert never_fits(picky, [tainted]) == "no node has the labels a=c"
    assert suits(picky, replace(tainted, reserves=0.0))  # this machine alone: there is nothing to select
    assert suits(ONE, replace(tainted, taints=(Taint("gpu", effect="PreferNoSchedule"),)))


@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=4),
    st.lists(st.integers(1, 8), min_size=1, max_size=8),
)
def test_who_goes_together_fits_together(sizes, counts):
    """However many are told that there is room, together they take no more than there is; and the first always goes."""
    nodes = [node(f"n{number}", has) for number, has in enumerate(sizes)]
    queue = [Waiting(f"s{n}", replace(ONE, name=f"g{count}", count=count), float(n)) for n, count in enumerate(counts)]
    going = [w for w in queue if room(w.space_id, w.hardware, nodes, queue, w.since).free]
    assert sum(w.hardware.count for w in going) <= sum(sizes)
    able = [w for w in queue if not never_fits(w.hardware, nodes)]
    assert able[:1] == going[:1]
