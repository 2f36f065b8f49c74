"""How each part of Podium is. A loop asks the parts, each in a thread of its own, so that one that hangs holds up none; a page
reads what they said last. Processes are known by their pulse, gateways by the feed that they listen to."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.domain.caller import Caller, require_admin
from orchestrator.domain.parts import Heard, Part
from orchestrator.domain.seen import BuildState
from orchestrator.errors import PodiumError
from orchestrator.ports import Store
from orchestrator.services.loop import Loop
from orchestrator.services.pulse import Pulse
from orchestrator.services.routes import RouteFeed

log = logging.getLogger(__name__)
EVERY = 60.0  #: seconds between two rounds
FRESH = 10.0  #: seconds after which somebody who looks has the parts asked again, for the next look
SILENT = 150.0  #: seconds without a word after which a process is missed
SLOW = 5.0  #: seconds that a part may take to answer
LATE = 60.0  #: seconds that a build waits before something is wrong with the builders
_ORDER = ("bad", "busy", "good")
_KINDS = {"control": "Control plane", "gateway": "Gateway", "builder": "Builder"}
_GONE = {
    "control": "If it was not stopped on purpose, start it again; its log says why it ended.",
    "gateway": "If it was not stopped on purpose, look whether it reaches a control plane; it serves by the routes it knew.",
    "builder": "If it was not stopped on purpose, start it again; what it built is built elsewhere.",
}


@dataclass(frozen=True, slots=True)
class Check:
    """`ask()` returns what there is to say, and raises what is wrong. `advice`: what to do then."""

    name: str
    ask: Callable[[], str]
    advice: str = ""


class _Asked:
    """What one check found, and since when it is so."""

    def __init__(self, check: Check, clock: Callable[[], float]) -> None:
        self.check, self._clock = check, clock
        self.begun: float | None = None  #: since when it is being asked
        self.ended = float("-inf")
        self._part = Part(check.name, "busy", "not asked yet")

    def start(self) -> None:
        if self.begun is None:
            self.begun = self._clock()
            threading.Thread(target=self.run, name=f"check {self.check.name}", daemon=True).start()

    def run(self) -> None:
        try:
            self._take("good", self.check.ask())
        except PodiumError as error:
            self._take("bad", str(error))
        except Exception as error:
            log.exception("checking %s", self.check.name)
            self._take("bad", f"it could not be asked: {type(error).__name__}")
        finally:
            self.begun, self.ended = None, self._clock()

    def _take(self, tone: str, words: str) -> None:
        since = self._part.since if self._part.tone == tone else self._clock()
        self._part = Part(self.check.name, tone, words, "" if tone == "good" else self.check.advice, since)

    def part(self) -> Part:
        begun = self.begun
        if begun is not None and self._clock() - begun > SLOW:
            words = f"has not answered for {self._clock() - begun:.0f} seconds"
            return Part(self.check.name, "bad", words, self.check.advice, begun)
        return self._part


class Health:
    """`name`: what this control plane calls itself among others. `ready()`: what keeps it from serving."""

    def __init__(
        self,
        store: Store,
        name: str,
        version: str,
        feed: RouteFeed,
        checks: Sequence[Check] = (),
        ready: Callable[[], list[str]] = list,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._feed, self._ready, self._clock = store, feed, ready, clock
        self._pulse = Pulse(store, "control", name, version, feed.listening, clock)
        self._checks = [_Asked(check, clock) for check in (self._of_database(), *checks)]
        self._loop = Loop("health", EVERY, self._ask_all)

    # ---------------------------------------------------------------------------------------------------- the rounds

    def start(self) -> None:
        self._pulse.start()
        self._loop.start()

    def stop(self) -> None:
        self._loop.stop()
        self._pulse.stop()

    def _ask_all(self) -> None:
        for one in self._checks:
            one.start()

    def check(self) -> None:
        """Ask every part now, one after the other."""
        for one in self._checks:
            one.run()

    def _of_database(self) -> Check:
        def ask() -> str:
            begun = time.perf_counter()
            with self._store.read() as tx:
                tx.spaces.route_seq()
            return f"answers in {(time.perf_counter() - begun) * 1000:.1f} ms"

        return Check("Database", ask, "Apps that run are served on. Look at its log, its disk and the way to it.")

    # ------------------------------------------------------------------------------------------------------- looking

    def parts(self, caller: Caller) -> list[Part]:
        """Every part, worst first. Reads the database once and waits for nothing else. Raises Forbidden, Unavailable."""
        require_admin(caller)
        now = self._clock()
        with self._store.read() as tx:
            heard, sequence = tx.figures.heard(), tx.spaces.route_seq()
            builders = self._of_builds(tx, heard, now)
        here = self._pulse.me()
        for one in self._checks:
            if now - one.ended > FRESH:
                one.start()
        others = [one for one in heard if one.name != here.name]
        live = {one.name: one for one in self._feed.listening()}
        found = [self._of_us(here), *(self._of(live.get(one.name, one), sequence, now) for one in others), builders]
        found += [self._of(one, sequence, now) for name, one in live.items() if name not in {o.name for o in others}]
        found += [one.part() for one in self._checks]
        return sorted(found, key=lambda part: _ORDER.index(part.tone))

    def _of_us(self, me: Heard) -> Part:
        trouble = self._ready()
        words = "; ".join(trouble) or f"ready, version {me.version}"
        advice = "Its log says more; while it is not ready apps that run are served on." if trouble else ""
        return Part(f"Control plane {me.name.partition(' ')[2]}", "bad" if trouble else "good", words, advice, me.since)

    def _of(self, one: Heard, sequence: int, now: float) -> Part:
        name = f"{_KINDS.get(one.kind, one.kind)} {one.name.partition(' ')[2]}"
        if now - one.at > SILENT:
            return Part(name, "busy", f"not heard of, version {one.version}", _GONE.get(one.kind, ""), one.at)
        if one.kind != "gateway":
            return self._versioned(Part(name, "good", f"heard of, version {one.version}", "", one.since), one)
        has = one.detail.get("sequence", 0)
        behind = sequence - has
        words = f"has route change {has}" + (f", {behind} behind" if behind > 0 else ", the newest")
        return self._versioned(Part(name, "good", f"{words}, version {one.version}", "", one.since), one)

    def _versioned(self, part: Part, one: Heard) -> Part:
        """Versions side by side are fine for as long as an upgrade takes."""
        ours = self._pulse.me().version
        if one.version == ours:
            return part
        return Part(
            part.name,
            "busy",
            part.words,
            f"This control plane is {ours}: bring both to one version.",
            part.since,
        )

    def _of_builds(self, tx, heard: list[Heard], now: float) -> Part:
        queued = [build for build in tx.builds.lately(1) if build.state is BuildState.QUEUED]
        waiting, running = tx.builds.open()
        late = [build for build in queued if waiting and not running and now - build.since > LATE]
        words = f"{running} at work, {waiting} waiting"
        if late:
            advice = "Look whether the builders run, and what their logs say."
            return Part("Builds", "bad", f"{words}: nobody takes what waits", advice, min(b.since for b in late))
        return Part("Builds", "good", words)
