"""How far a Space is: the phases of its build, the steps of its start, what is usual, and what becomes of its instances."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder import phases as builders
from builder.phases import Phases
from orchestrator.domain.decide import Decision, RouteState, Stop
from orchestrator.domain.keys import build_key, instance_id
from orchestrator.domain.progress import PHASES, begun, of_run, seconds, steps, usual
from orchestrator.domain.records import Build, Run, Space
from orchestrator.domain.runs import Looked, noted
from orchestrator.domain.seen import BuildSeen, BuildState, Fault, Image, InstanceSeen, InstanceState
from orchestrator.domain.space import Visibility, Wish
from orchestrator.domain.stage import Stage

ID, SHA, OLD = "a" * 24, "1" * 40, "2" * 40
IMAGE = Image("i", "gradio", ("python",))
WISH = Wish(ID, SHA)
KEY = WISH.launch_key(IMAGE.id)
SPACE = Space(ID, "ada", "b" * 24, "demo", "ada-demo", Visibility.PUBLIC, WISH, stage_since=100.0)
RUN = Run(1, instance_id(ID, KEY), KEY, ID, 2, SHA, "cpu-basic", 120.0, 120.0)


def build(state: BuildState, revision: str = SHA, **values: object) -> Build:
    image = IMAGE if state is BuildState.SUCCEEDED else None
    made = Build(build_key(ID, revision, 0), ID, 2, revision, 0, state, 100.0, 100.0, started_at=101.0, image=image)
    return replace(made, **values)


def told(stage: Stage, builds, runs=()) -> list[tuple]:
    found = steps(replace(SPACE, stage=stage), builds, runs)
    return [(one.phase, one.state, one.took if one.state != "now" else one.since) for one in found]


def test_every_phase_of_a_builder_has_words():
    names = {value for name, value in vars(builders).items() if name.isupper()}
    assert names and names <= set(PHASES)


def test_a_builder_tells_each_phase_as_it_begins_and_their_seconds_add_up():
    now, said = [0.0], []
    phases = Phases(said.append, lambda: now[0])
    for name, took in (("clone", 1.0), ("resolve", 2.0), ("push", 3.0), ("resolve", 4.0), ("resolve", 0.5)):
        phases.begin(name)
        now[0] += took
    ended = phases.ended()
    assert said == ["clone", "resolve", "push", "resolve"]
    assert ended == {"clone": 1.0, "push": 3.0, "resolve": 6.5, "total": 10.5} and list(ended)[-2] == "resolve"


@given(st.lists(st.tuples(st.sampled_from(sorted(PHASES.keys() - {"queued"})), st.floats(0.0, 1e4)), max_size=12))
def test_what_lasts_began_when_all_before_it_had_passed(history):
    now, row = 1000.0, {"queued": 7.0}
    for name, took in history:
        row, began = begun(row, 1000.0, now, name), now
        running = build(BuildState.RUNNING, started_at=1000.0, phases=row)
        lasting = [one for one in steps(replace(SPACE, stage=Stage.BUILDING), [running], ()) if one.state == "now"]
        assert [one.phase for one in lasting] == [name]
        assert lasting[0].since == pytest.approx(began, abs=0.1)
        now += took


def test_while_it_builds_what_comes_is_what_came_last_time():
    good = build(BuildState.SUCCEEDED, OLD, phases={"clone": 0.2, "install": 30.0, "files": 0.5, "push": 4.0})
    running = build(BuildState.RUNNING, phases={"queued": 1.0, "clone": 0.3, "install": 0.0})
    assert told(Stage.BUILDING, [running, good]) == [
        ("queued", "done", 1.0),
        ("clone", "done", 0.3),
        ("install", "now", pytest.approx(101.3)),
        ("files", "todo", None),
        ("push", "todo", None),
        ("schedule", "todo", None),
        ("start", "todo", None),
        ("ready", "todo", None),
    ]
    found = steps(replace(SPACE, stage=Stage.BUILDING), [running, good], ())
    assert [one.usual for one in found[2:5]] == [30.0, 0.5, 4.0]


def test_a_failed_build_ends_in_the_phase_that_failed():
    failed = build(BuildState.FAILED, phases={"queued": 1.0, "clone": 0.3, "resolve": 2.5, "total": 2.8})
    assert told(Stage.BUILD_ERROR, [failed])[1:] == [("clone", "done", 0.3), ("resolve", "bad", 2.5)]


def test_an_app_that_failed_ends_in_the_step_that_it_did_not_reach():
    good = build(BuildState.SUCCEEDED, phases={"clone": 0.1})
    failed = replace(RUN, placed_at=120.0, begun_at=121.0, ended_at=125.0, fault=Fault("APP_EXITED", "no torch"))
    assert told(Stage.RUNTIME_ERROR, [good], [failed])[-1] == ("ready", "bad", 5.0)
    assert told(Stage.APP_STARTING, [good], [failed])[-2:] == [("start", "now", 100.0), ("ready", "todo", None)]


def test_a_build_of_before_there_were_phases_is_one_step():
    old = build(BuildState.SUCCEEDED, phases={"look": 1.0, "venv": 2.0}, finished_at=111.0)
    assert told(Stage.RUNNING, [old])[:2] == [("queued", "done", 1.0), ("build", "done", 10.0)]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (None, [("schedule", "now", 100.0), ("start", "todo", None), ("ready", "todo", None)]),
        (RUN, [("schedule", "now", 120.0), ("start", "todo", None), ("ready", "todo", None)]),
        (replace(RUN, placed_at=121.0), [("schedule", "done", 1.0), ("start", "now", 121.0), ("ready", "todo", None)]),
        (
            replace(RUN, asked_at=110.0, placed_at=121.0, begun_at=125.0),
            [("schedule", "done", 11.0), ("start", "done", 4.0), ("ready", "now", 125.0)],
        ),
    ],
)
def test_a_start_is_told_step_by_step(run, expected):
    good = build(BuildState.SUCCEEDED, phases={"clone": 0.1})
    assert told(Stage.APP_STARTING, [good], [run] if run else [])[-3:] == expected


def test_a_space_that_wakes_does_not_tell_of_its_build_again():
    good = build(BuildState.SUCCEEDED, phases={"clone": 0.1, "install": 9.0}, finished_at=111.0)
    earlier = replace(RUN, placed_at=120.0, begun_at=121.0, ready_at=125.0, ended_at=900.0, launch_key="other")
    again = replace(RUN, id=2, asked_at=1000.0, started_at=1000.0, placed_at=1000.0)
    assert told(Stage.APP_STARTING, [good], [again, earlier]) == [
        ("build", "done", 10.0),
        ("schedule", "done", 0.0),
        ("start", "now", 1000.0),
        ("ready", "todo", None),
    ]


def test_clocks_that_differ_make_no_step_shorter_than_nothing():
    assert of_run(replace(RUN, placed_at=119.0, begun_at=118.5, ready_at=121.0)) == {
        "schedule": 0.0,
        "start": 0.0,
        "ready": 1.0,
    }


def test_what_is_usual_is_the_middle():
    assert usual([{"install": 1.0}, {"install": 100.0, "push": 2.0}, {"install": 3.0}]) == {"install": 3.0, "push": 2.0}
    assert seconds(build(BuildState.SUCCEEDED, phases={"push": 1.0, "clone": 2.0, "total": 3.0})) == {
        "clone": 2.0,
        "push": 1.0,
    }


# ------------------------------------------------------------------------------------------------------- instances

BUILD = BuildSeen(build_key(ID, SHA, 0), BuildState.SUCCEEDED, 1.0, IMAGE, number=2)
SEEN = InstanceSeen(instance_id(ID, KEY), ID, KEY, InstanceState.STARTING, 120.0)


def look(known, *instances, stage=Stage.APP_STARTING, do=(), faults=None, now=130.0, reason="") -> list[Run]:
    decision = Decision(stage, RouteState.WAIT, reason, tuple(do))
    return noted(known, Looked(SPACE, BUILD, instances, decision, faults or {}), now)


def test_an_instance_is_noted_once_and_its_marks_once():
    (made,) = look([], replace(SEEN, placed_at=120.0))
    assert (made.build, made.revision, made.started_at, made.placed_at, made.ended_at) == (2, SHA, 120.0, 120.0, None)
    assert look([made], replace(SEEN, placed_at=120.0)) == []
    (ready,) = look([made], replace(SEEN, state=InstanceState.READY, placed_at=500.0, begun_at=121.0, ready_at=125.0))
    assert (ready.placed_at, ready.begun_at, ready.ready_at) == (120.0, 121.0, 125.0)


def test_why_it_ended_is_what_was_decided():
    (made,) = look([], SEEN)
    stopping = replace(SEEN, state=InstanceState.READY)
    (asked,) = look([made], stopping, stage=Stage.SLEEPING, do=[Stop(SEEN.id)])
    assert asked.ended_at is None and "asleep" in asked.why
    assert look([asked], replace(stopping, state=InstanceState.STOPPING), stage=Stage.SLEEPING) == []
    (gone,) = look([asked], stage=Stage.SLEEPING, now=140.0)
    assert gone.ended_at == 140.0 and gone.why == asked.why and gone.fault is None


def test_one_that_is_called_back_runs_on():
    (made,) = look([], SEEN)
    (asked,) = look([made], SEEN, stage=Stage.SLEEPING, do=[Stop(SEEN.id)])
    (back,) = look([asked], SEEN)
    assert back.why == "" and back.ended_at is None


def test_one_that_failed_is_over_though_it_is_still_there():
    (made,) = look([], SEEN)
    fault = Fault("APP_EXITED", "no module named torch", "app.py:3")
    (failed,) = look([made], SEEN, faults={SEEN.id: fault})
    assert (failed.ended_at, failed.why, failed.fault) == (130.0, "app.py:3: no module named torch", fault)
    assert look([failed], replace(SEEN, state=InstanceState.STOPPING), now=135.0) == []
    assert look([failed], now=136.0) == []


def test_the_same_instance_again_is_another_run():
    (made,) = look([], SEEN)
    ended = replace(made, ended_at=125.0)
    (again,) = look([ended], replace(SEEN, started_at=200.0), now=201.0)
    assert (again.id, again.started_at) == (0, 200.0)


def test_what_vanished_says_so():
    (made,) = look([], SEEN)
    (gone,) = look([made])
    assert "outside" in gone.why
