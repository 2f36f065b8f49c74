"""What the Space page tells of each stage."""

from dataclasses import replace

import pytest

from orchestrator.domain.decide import RouteState
from orchestrator.domain.keys import build_key
from orchestrator.domain.records import Build, Space
from orchestrator.domain.seen import BuildState, Failures, Fault, Image
from orchestrator.domain.space import Visibility, Wish
from orchestrator.domain.stage import Stage
from web.story import FIRST_COMMIT, story, wanted_build

ID, SHA, OLD = "a" * 24, "1" * 40, "2" * 40
SPACE = Space(ID, "ada", "b" * 24, "demo", "ada-demo", Visibility.PUBLIC, Wish(ID, SHA), stage_since=100.0)


def build(state: BuildState, revision: str = SHA, **values: object) -> Build:
    image = Image("i", "gradio", ("python",)) if state is BuildState.SUCCEEDED else None
    key = build_key(ID, revision, 0)
    made = Build(key, ID, 1, revision, 0, state, 100.0, 100.0, started_at=101.0, finished_at=111.0, image=image)
    return replace(made, **values)


def steps(space: Space, *builds: Build) -> list[tuple[str, str]]:
    return [(step.phase, step.state) for step in story(space, list(builds), 200.0).steps]


def at(stage: Stage, **values: object) -> Space:
    return replace(SPACE, stage=stage, **values)


def test_queued():
    queued = build(BuildState.QUEUED, started_at=None, finished_at=None)
    assert steps(at(Stage.BUILDING), queued)[0] == ("queued", "now")


def test_building_tells_what_is_usual():
    running = build(BuildState.RUNNING, finished_at=None, phases={"queued": 1.0, "resolve": 0.0})
    before = build(BuildState.SUCCEEDED, OLD, phases={"queued": 1.0, "resolve": 2.0, "install": 8.0, "total": 10.0})
    told = story(at(Stage.BUILDING, deadline=900.0), [running, before], 200.0)
    assert [(s.phase, s.state) for s in told.steps] == [
        ("queued", "done"),
        ("resolve", "now"),
        ("install", "todo"),
        ("schedule", "todo"),
        ("start", "todo"),
        ("ready", "todo"),
    ]
    assert (told.usual, told.deadline, told.log) == (10.0, 900.0, "build")


def test_failed_build_tells_its_hint_and_what_next():
    failed = build(BuildState.FAILED, fault=Fault("X", "no such package", "requirements.txt:2", "is it spelled so?"))
    told = story(at(Stage.BUILD_ERROR, reason="requirements.txt:2: no such package"), [failed], 200.0)
    assert told.reason == "requirements.txt:2: no such package"
    assert told.hint == "is it spelled so?"
    assert ("build", "bad") in [(s.phase, s.state) for s in told.steps]
    assert "Push a fix" in told.next


def test_crashed_app_shows_the_run_log():
    fault = Fault("APP_EXITED", "it stopped", hint="add torch")
    told = story(at(Stage.RUNTIME_ERROR, failures=Failures("k", 3, 1.0, fault)), [build(BuildState.SUCCEEDED)], 200.0)
    assert (told.log, told.hint, told.tone) == ("run", "add torch", "bad")
    assert ("schedule", "bad") in [(s.phase, s.state) for s in told.steps]


def test_an_old_version_that_serves_keeps_the_frame():
    assert story(at(Stage.BUILD_ERROR, route=RouteState.OPEN), [build(BuildState.FAILED)], 200.0).serving


@pytest.mark.parametrize(
    ("space", "builds", "empty"),
    [
        (replace(SPACE, wish=Wish(ID)), [], True),
        (at(Stage.BUILDING), [build(BuildState.RUNNING, title=FIRST_COMMIT)], True),
        (at(Stage.NO_APP_FILE), [build(BuildState.FAILED, title=FIRST_COMMIT)], True),
        (at(Stage.NO_APP_FILE), [build(BuildState.FAILED, title="Mine")], False),
        (at(Stage.BUILDING), [build(BuildState.RUNNING, title=FIRST_COMMIT), build(BuildState.SUCCEEDED, OLD)], False),
        (at(Stage.BUILDING), [], False),
    ],
)
def test_who_has_pushed_nothing_is_told_how(space, builds, empty):
    assert story(space, builds, 200.0).empty is empty


def test_a_passed_deadline_is_not_shown():
    assert story(at(Stage.APP_STARTING, deadline=150.0), [build(BuildState.SUCCEEDED)], 200.0).deadline is None


def test_every_stage_has_a_story():
    for stage in Stage:
        told = story(at(stage), [build(BuildState.SUCCEEDED)], 200.0)
        assert told.words and told.tone in ("good", "busy", "calm", "bad")


def test_the_wanted_build_is_that_of_the_wished_revision():
    good = build(BuildState.SUCCEEDED)
    assert wanted_build(SPACE, [build(BuildState.SUCCEEDED, OLD), good]) is good
    assert wanted_build(replace(SPACE, wish=Wish(ID)), [good]) is None
