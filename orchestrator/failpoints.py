"""Places where tests make a process die, to prove that nothing acknowledged is lost. Does nothing unless `enable` was called,
which only the hidden setting `failpoint` and the tests do."""

import os
import signal

PUSH = frozenset(["before_intent", "after_intent", "before_ref", "after_ref", "before_landed", "after_landed"])
LOOK = frozenset(
    ["after_submit", "after_secret", "after_launch", "after_save"]
)  #: of the reconciler; after_secret: in a cluster
BUILD = frozenset(["after_claim", "after_image"])
CARE = frozenset(["after_pack", "after_index", "after_refs"])  #: of a repo's packs
NAMES = PUSH | LOOK | BUILD | CARE
_enabled: set[str] = set()


def enable(*names: str) -> None:
    """Die by SIGKILL when one of these is next reached. Raises ValueError for an unknown name."""
    if unknown := set(names) - NAMES:
        raise ValueError(f"unknown failpoint {sorted(unknown)}; known are {sorted(NAMES)}")
    _enabled.update(names)


def hit(name: str) -> None:
    """The line to write at a durable step."""
    if name in _enabled:
        os.write(2, f"dying at failpoint {name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
