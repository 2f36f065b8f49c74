"""Instances of no Space: what a crash left behind, or somebody's restored database. Owns which of them are stopped, and the fuse
that stops none when there are so many that it is the database that must be wrong."""

import logging
from collections.abc import Callable, Container, Sequence

from orchestrator.domain.seen import InstanceSeen

log = logging.getLogger(__name__)
MANY = 5  #: that may be stopped at once; more are a sign of an old or wrong database
OLD = 600.0  #: seconds that an instance is left alone while Podium runs, and between two looks


def strays(found: Sequence[InstanceSeen], known: Container[str]) -> list[str]:
    """Those of `found` whose Space is not `known`, to be stopped. Pure but for its complaint."""
    lost = [one.id for one in found if one.space_id not in known]
    if len(lost) > MANY and 5 * len(lost) > len(found):
        log.error(
            "%d of %d running instances belong to no Space of this database, so none of them is stopped: is it the right "
            "database? If it is, stop them by hand; their names begin with %s",
            len(lost), len(found), lost[0],
        )  # fmt: skip
        return []
    return lost


class StrayCollector:
    """Looks now and then; one is stopped that belonged to nobody in two looks, and is not new."""

    def __init__(
        self, look: Callable[[], Sequence[InstanceSeen]], known: Callable[[], Container[str]], stop: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._look, self._known, self._stop, self._clock = look, known, stop, clock
        self._suspects: set[str] = set()
        self._due = clock() + OLD

    def collect(self) -> None:
        """To be called often. Raises Unavailable."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + OLD
        found = self._look()  # before the rows: a Space that is made meanwhile has its row before its instance
        lost = set(strays(found, self._known()))
        old = {one.id for one in found if one.started_at < now - OLD}
        for name in sorted(lost & old & self._suspects):
            log.warning("stopping %s: its Space is not in the database", name)
            self._stop(name)
        self._suspects = lost
