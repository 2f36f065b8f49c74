"""How a run is shared out between processes (`-n 3`), and whose turn it is on the cluster. Owns no test and no fixture.

A file is run by one process. Files that would make the same things twice (a Podium with its environments), or are in each
other's way on the engine, are one lane: one process, one after the other. What takes longest comes first, so that the small
files at the end fill up whoever is free."""

import fcntl
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent.parent
_ENGINES = re.compile(r"[\[-](docker|kubernetes)[\]-]")  #: the parameter of a test that runs on each of them


class Part(NamedTuple):
    """Tests of a file or folder below tests/, or only those of them that run on one engine."""

    path: str
    engine: str = ""

    def holds(self, nodeid: str) -> bool:
        if not nodeid.startswith(f"tests/{self.path}"):
            return False
        found = _ENGINES.search(nodeid) if self.engine else None
        return not self.engine or (found is not None and found[1] == self.engine)


#: Only here are servers of the cluster stopped.
FAULTS = Part("e2e/test_cluster_faults.py")
_ON_THE_CLUSTER = (
    Part("contracts/test_kubernetes.py"),
    Part("contracts/test_runtime.py", "kubernetes"),
    Part("contracts/test_cluster_input.py"),
    Part("chart/"),
    Part("e2e/test_kubernetes.py"),
)
LANES = {
    "cluster": (FAULTS, *_ON_THE_CLUSTER[:2]),
    "podium": tuple(
        Part(f"{one}.py")
        for one in (
            "e2e/test_apps", "e2e/test_bad_input", "e2e/test_life", "browser/test_apps", "browser/test_admin",
            "browser/test_console", "browser/test_ways", "e2e/test_gradio_clients", "e2e/test_starters",
            "e2e/test_clients", "e2e/test_generations", "e2e/test_sign_in", "e2e/test_buckets", "e2e/test_large",
            "e2e/test_kinds",
        )
    ),
    "engine": (
        Part("contracts/test_runtime.py", "docker"),
        *(Part(f"contracts/test_{one}.py") for one in ("own_images", "image_builds", "registry")),
        *(Part(f"e2e/test_{one}.py") for one in ("docker", "registry", "builders")),
        *_ON_THE_CLUSTER[2:],
    ),
}  # fmt: skip
#: Long ones with nothing in common, longest first.
LONG = tuple(
    Part(f"{one}.py")
    for one in (
        "e2e/test_faults", "contracts/test_git_crashes", "browser/test_stories", "browser/test_every_page",
        "contracts/test_runtime", "browser/test_provider", "contracts/test_gateway", "contracts/test_git_http",
        "e2e/test_signed_in_apps", "e2e/test_hardware", "e2e/test_apart", "unit/test_web_pages", "unit/test_web_oidc",
        "unit/test_accounts", "contracts/test_builds",
    )
)  # fmt: skip
_ORDER = (*(part for lane in LANES.values() for part in lane), *LONG)


def rank(nodeid: str) -> int:
    """Where a test stands in the order; tests of one rank stay as they were collected."""
    return next((number for number, part in enumerate(_ORDER) if part.holds(nodeid)), len(_ORDER))


def lane(nodeid: str) -> str:
    """What goes to one process: the name of its lane, or its file."""
    found = (name for name, parts in LANES.items() if any(part.holds(nodeid) for part in parts))
    return next(found, nodeid.partition("::")[0])


class ByLane(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)


# ---------------------------------------------------------------------------------------------------------- the cluster


def turn(nodeid: str) -> int:
    """How a test needs the cluster: for itself, beside others (as locks of files call it), or not at all."""
    if FAULTS.holds(nodeid):
        return fcntl.LOCK_EX
    return fcntl.LOCK_SH if any(part.holds(nodeid) for part in _ON_THE_CLUSTER) else fcntl.LOCK_UN


class Turns:
    """Who stops servers of the cluster has it for himself: the others, also those of other runs, wait outside of their time
    limits."""

    def __init__(self, place: Path | None = None) -> None:
        self._place = place or Path(tempfile.gettempdir()) / f"podium-test-cluster-{os.getuid()}.lock"
        self._held, self._file = fcntl.LOCK_UN, -1

    def take(self, nodeid: str) -> None:
        """Before a test: wait until it may run. What it had is kept from one test to the next, with what they share."""
        wanted = turn(nodeid)
        if wanted == self._held:
            return
        if self._file < 0:
            self._file = os.open(self._place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_UN)  # a lock that is changed in place may be lost to another who waits
        fcntl.flock(self._file, wanted)
        self._held = wanted
