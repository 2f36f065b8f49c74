"""The control plane with 10,000 sleeping Spaces: what it costs when nothing happens, how fast lists are, how fast it is back
after a restart. `sleepers` writes the rows through the store; anything else that can do so may be given instead."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil

from tests import processes
from tests.bench import rig
from tests.bench.figures import Figure
from tests.podium import Podium
from tests.support import eventually

SPACES = 10_000
QUIET = 20.0  #: seconds of nothing
SETTLED = 20.0  #: seconds after the start in which Podium may look at everything, and write its routes down, once

Put = Callable[[Path, str, int], None]  #: (data directory, owner's name, how many) -> None, while Podium is stopped


def sleepers(data: Path, owner: str, count: int) -> None:
    """Rows of `count` Spaces that were built, ran, and went to sleep a day ago."""
    from orchestrator.domain.decide import RouteState
    from orchestrator.domain.keys import build_key
    from orchestrator.domain.records import Build, Space
    from orchestrator.domain.seen import BuildState, Image
    from orchestrator.domain.space import Visibility, Wish
    from orchestrator.domain.stage import Stage
    from orchestrator.settings import Settings
    from orchestrator.store.engine import Store

    then = time.time() - 86_400
    image = Image("0" * 24, "gradio", ("python", "app.py"), source=str(data), environment=str(data))
    store = Store(Settings(data=data).database)
    try:
        with store.write() as tx:
            who = tx.accounts.owner_named(owner)
            assert who is not None
            for number in range(count):
                space_id, revision = f"{number:024x}", f"{number:040x}"
                wish = Wish(space_id, revision=revision, sleep_after=3600.0)
                space = Space(
                    space_id, who.name, who.id, f"sleeper-{number}", f"{owner}-sleeper-{number}", Visibility.PUBLIC, wish,
                    creator_id=who.id, sha=revision, card={"title": f"Sleeper {number}", "emoji": "😴"}, sdk="gradio",
                    created_at=then, updated_at=then + number, stage=Stage.SLEEPING, stage_since=then, route=RouteState.WAKE,
                    last_activity=then,
                )  # fmt: skip
                tx.spaces.add(space, look_at=None)
                key = build_key(space_id, revision, 0)
                tx.builds.add(Build(key, space_id, 1, revision, 0, BuildState.SUCCEEDED, then, then, image=image))
    finally:
        store.close()


def run(podium: Podium, folder: Path, put: Put = sleepers) -> list[Figure]:
    """Uses a Podium of its own, since it stops it and fills it."""
    del podium
    with rig.podium(folder / "crowd") as crowd:
        crowd.stop()
        put(crowd.data, crowd.owner, SPACES)
        ready = rig.seconds(crowd.start)
        listed = crowd.request("GET", f"/api/spaces?author={crowd.owner}&limit=5", token=crowd.token).json()
        assert len(listed) == 5, f"the rows are not there: {listed}"
        assert listed[0]["id"].startswith(f"{crowd.owner}/sleeper-")
        first = idle(crowd)
        figures = [
            Figure(
                "CPU when nothing happens",
                first,
                1.0,
                "% of a core",
                f"{SPACES} sleeping Spaces, over {QUIET:g} s, all of Podium",
            ),
            Figure(
                "list by the API", milliseconds(crowd, "/api/spaces?limit=100"), 100, "ms", "100 of them, median of 20"
            ),
            Figure("list page", milliseconds(crowd, "/"), 100, "ms", "as a visitor, median of 20"),
            Figure("restart to ready", ready, 5.0, "s", "from `podium up` to /readyz"),
        ]
        return figures


def idle(podium: Podium) -> float:
    """Per cent of one core that all of Podium's own processes use while nothing happens; the first seconds after the start
    do not count."""
    ours = [
        psutil.Process(process.pid) for word in ("up", "control", "gateway", "builder") for process in podium.part(word)
    ]

    def used(seconds: float) -> float:
        before, began = processes.cpu_seconds(ours), time.monotonic()
        eventually(lambda: time.monotonic() > began + seconds, seconds + 5)
        return 100 * (processes.cpu_seconds(ours) - before) / (time.monotonic() - began)

    used(SETTLED)
    return used(QUIET)


def milliseconds(podium: Podium, path: str) -> float:
    podium.http.get(path)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        answer = podium.http.get(path, follow_redirects=True)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return median(times)
