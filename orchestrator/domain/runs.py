"""What becomes of the instances of a Space, as rows that outlive them: a run for each time that one was launched. Pure: what a
look of the reconciler adds to the rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.domain.decide import Decision, Stop
from orchestrator.domain.records import Run, Space
from orchestrator.domain.seen import BuildSeen, Fault, InstanceSeen, InstanceState
from orchestrator.domain.stage import Stage

_GONE = "it was ended from outside"
_STOPPED = {
    Stage.SLEEPING: "fell asleep, since nobody used it",
    Stage.RUNNING: "a newer version took over",
    Stage.APP_STARTING: "made room for the next version",
}


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found and did. `faults`: instances that were found to have failed."""

    space: Space
    build: BuildSeen | None
    instances: Sequence[InstanceSeen]
    decision: Decision
    faults: Mapping[str, Fault]


def noted(known: Iterable[Run], looked: Looked, now: float) -> list[Run]:
    """The rows to write. `known`: the newest of this Space, those of all instances that are there among them."""
    rows = {(run.instance_id, run.started_at): run for run in known}
    stops = {action.instance_id for action in looked.decision.do if isinstance(action, Stop)}
    changed, there = [], set()
    for seen in looked.instances:
        key = (seen.id, seen.started_at)
        there.add(key)
        before = rows.get(key)
        if before is None and seen.state is InstanceState.STOPPING:
            continue  # from before there were rows
        run = before or _begun(looked, seen)
        if run.ended_at is not None:
            continue  # it has failed, and is on its way out
        marks = ("placed_at", "begun_at", "ready_at")
        run = replace(run, **{name: getattr(run, name) or getattr(seen, name) for name in marks})
        if fault := looked.faults.get(seen.id):
            run = replace(run, ended_at=now, why=fault.sentence(), fault=fault)
        elif seen.id in stops:
            run = replace(run, why=_STOPPED.get(looked.decision.stage) or looked.decision.reason)
        elif seen.state is not InstanceState.STOPPING:
            run = replace(run, why="")
        if run != before:
            changed.append(run)
    gone = (run for key, run in rows.items() if run.ended_at is None and key not in there)
    return changed + [replace(run, ended_at=now, why=run.why or _GONE) for run in gone]


def _begun(looked: Looked, seen: InstanceSeen) -> Run:
    space, build = looked.space, looked.build
    wanted = bool(build and build.image and seen.launch_key == space.wish.launch_key(build.image.id))
    asked = min(seen.started_at, space.queued_at or seen.started_at) if wanted else seen.started_at
    return Run(
        0,
        seen.id,
        seen.launch_key,
        space.id,
        build.number if build and wanted else 0,
        (space.wish.revision or "") if wanted else "",
        seen.hardware or (space.wish.hardware if wanted else ""),
        asked,
        seen.started_at,
    )
