"""The phases of a build: what it is at now, told as it begins, and how long each took. One phase ends where the next begins, so
that together they are the time of the build. The names are a contract: rows of builds hold them, pages put them into words."""

import time
from collections.abc import Callable

CLONE = "clone"  #: reading the revision and its configuration
BASE = "base"  #: preparing the image below all others; once, after an admin changed it
WAIT = "wait"  #: another build is making what this one needs
RESOLVE = "resolve"  #: which versions of the packages
INSTALL = "install"  #: fetching and installing them
BUILD = "build"  #: running the author's own Dockerfile
FILES = "files"  #: putting the app's files into place
PUSH = "push"  #: sending to a registry


class Phases:
    """`tell(name)` is called when a phase begins."""

    def __init__(
        self, tell: Callable[[str], None] = lambda name: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._clock = tell, clock
        self._began = self.start = clock()
        self._now = ""
        self._seconds: dict[str, float] = {}

    def begin(self, name: str) -> None:
        """End the phase before; one that comes again goes on counting."""
        if name == self._now:
            return
        self._end()
        self._now = name
        self._tell(name)

    def ended(self) -> dict[str, float]:
        """Seconds by phase, in the order in which they were last at, and `total`."""
        self._end()
        self._now = ""
        told = {name: round(seconds, 3) for name, seconds in self._seconds.items()}
        return {**told, "total": round(self._clock() - self.start, 3)}

    def _end(self) -> None:
        now = self._clock()
        if self._now:  # taken out and put in again: the one that a build failed in is the last
            self._seconds[self._now] = self._seconds.pop(self._now, 0.0) + now - self._began
            self._began = now
