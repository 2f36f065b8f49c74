"""The table of routes: what the gateway knows about every Space. Owns the meaning of feed messages; reads no socket and no
file. A lookup costs the same with ten routes and with a hundred thousand."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from sys import intern
from time import monotonic

from orchestrator.gateway import outcome

log = logging.getLogger(__name__)

_SETTLING = 600.0  #: seconds for which sessions without a cookie stay where they are when a replica is added
_STATES = frozenset({outcome.OPEN, outcome.WAIT, outcome.WAKE, outcome.CLOSED})
_SPACE = re.compile(r"[A-Za-z0-9._/-]{1,200}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.*\[\]:-]{1,300}")  # nothing that could end the directive
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,4096}")
_NOT_CUSTOM = frozenset(
    (
        "alt-svc", "connection", "content-encoding", "content-length", "content-type", "date", "host", "keep-alive",
        "location", "nel", "public-key-pins", "report-to", "set-cookie", "strict-transport-security", "te", "trailer",
        "transfer-encoding", "upgrade", "x-frame-options",
    )
)  # fmt: skip


class Route:
    """One Space as the feed tells it. `since` and `deadline` in epoch seconds. `hosts`: domains of its people's own, where it is
    served too. `ancestors`: CSP sources of who may frame it. `steps`: how far it is while somebody may wait: (words, done | now |
    bad | todo, seconds it took, since when it lasts, seconds that are usual). `extra`: header lines added to each of the app's
    answers; `overrides`: lower-case names of app headers that they replace. `addresses`: of all its replicas. `pools`: its open
    connections by address, see `pool.Pool`; `pool`: those of its only replica, None while there are none."""

    __slots__ = (
        "address", "addresses", "ancestors", "custom", "deadline", "embed", "epoch", "extra", "hosts", "id", "instance", "label",
        "origins", "overrides", "pool", "pools", "private", "reason", "_settled", "_settles", "since", "space", "stage", "state",
        "steps", "title",
    )  # fmt: skip

    def __init__(self, message: dict, public_url: str) -> None:
        """`public_url`: of the console, which may always frame it. Raises KeyError, TypeError or ValueError when the message is
        no route."""
        self.label = message["label"].encode("ascii")
        self.space = str(message["space"])
        if not _SPACE.fullmatch(self.space):
            raise ValueError(f"{self.space!r} is no id of a Space")
        self.id = str(message.get("id") or message["label"])
        self.state = intern(message["state"])
        if self.state not in _STATES:
            raise ValueError(f"unknown state {self.state!r}")
        self.address = str(message.get("address") or "")
        if self.state == outcome.OPEN and not is_address(self.address):
            raise ValueError(f"an open route needs an address, found {self.address!r}")
        self.addresses = tuple(map(str, message.get("addresses") or (self.address,)))
        if self.state == outcome.OPEN and not all(map(is_address, self.addresses)):
            raise ValueError(f"an open route needs addresses, found {self.addresses!r}")
        self.instance = str(message.get("instance") or "")
        self.private = bool(message.get("private"))
        self.epoch = int(message.get("epoch") or 0)
        self.stage = intern(str(message.get("stage") or ""))
        self.reason = intern(str(message.get("reason") or ""))
        self.since = message.get("since")
        self.deadline = message.get("deadline")
        self.embed = bool(message.get("embed"))
        self.title = str(message.get("title") or "")
        steps = message.get("steps") or ()
        self.steps = tuple((str(words), str(state), took, at, usual) for words, state, took, at, usual, *_ in steps)
        self.custom = _custom(message["headers"]) if message.get("headers") else None
        self.overrides = frozenset(name.lower().encode() for name in self.custom) if self.custom else None
        self.hosts = () if self.private else tuple(host.encode("ascii") for host in message.get("hosts") or ())
        told = message.get("ancestors")
        self.origins = None if told is None else tuple(str(one) for one in told if _ORIGIN.fullmatch(one))
        self.ancestors, self.extra = _framing(public_url, self.embed, self.origins)
        if self.custom:
            self.extra += b"".join(b"%b: %b\r\n" % (n.encode(), v.encode()) for n, v in self.custom.items())
        self.pool = None
        self.pools = {}
        self._settled, self._settles = self.addresses, 0.0

    def message(self) -> dict:
        """The route as a feed message, to keep it on disk."""
        several = {"addresses": self.addresses} if len(self.addresses) > 1 else {}
        return several | {
            "label": self.label.decode(), "space": self.space, "id": self.id, "state": self.state,
            "address": self.address, "instance": self.instance, "private": self.private, "epoch": self.epoch,
            "stage": self.stage, "reason": self.reason, "since": self.since, "deadline": self.deadline,
            "headers": self.custom or {}, "embed": self.embed, "title": self.title, "steps": self.steps,
            "hosts": [host.decode() for host in self.hosts], "ancestors": self.origins,
        }  # fmt: skip

    def take_over(self, old: "Route") -> list[object]:
        """Go on with the connections of the route before where they lead to the same replicas; the others are returned."""
        same = self.state == outcome.OPEN and (self.space, self.instance) == (old.space, old.instance)
        if same and len(self.addresses) > 1:
            self._settle(old, monotonic())
        self.pools = {where: pool for where, pool in old.pools.items() if same and where in self.addresses}
        self.pool = self.pools.get(self.address) if len(self.addresses) == 1 else None
        return [pool for where, pool in old.pools.items() if where not in self.pools]

    def settled(self, now: float) -> tuple[str, ...]:
        """The replicas that take whoever may be in the middle of something and cannot be told from a newcomer: those that were
        there before the last one came, for some minutes."""
        return self._settled if now < self._settles else self.addresses

    def _settle(self, old: "Route", now: float) -> None:
        there = tuple(address for address in old.settled(now) if address in self.addresses)
        if there and not set(self.addresses) <= set(old.addresses):
            self._settled, self._settles = there, now + _SETTLING
        elif there:
            self._settled, self._settles = there, old._settles


@lru_cache(1024)
def _framing(public_url: str, embed: bool, origins: tuple[str, ...] | None) -> tuple[str, bytes]:
    """Who may frame an app, and the header line that says so. The same objects for all that say the same: memory for 100,000."""
    if embed and origins is None:
        return "*", b""
    ancestors = " ".join((public_url, "'self'", *(origins or () if embed else ())))
    return ancestors, f"Content-Security-Policy: frame-ancestors {ancestors}\r\n".encode()


def is_address(text: str) -> bool:
    """`host:port` or `unix:/path`?"""
    if text.startswith("unix:/"):
        return len(text) > len("unix:/")
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536


def _custom(headers: dict) -> dict[str, str] | None:
    kept = {
        name: value
        for name, value in headers.items()
        if isinstance(value, str)
        and _HEADER_NAME.fullmatch(name)
        and _HEADER_VALUE.fullmatch(value)
        and name.lower() not in _NOT_CUSTOM
        and not name.lower().startswith("x-podium-")
    }
    return kept or None


class Table:
    """Every route by label. `on_change(label, route or None)` is told about each route that is new, different or gone,
    `on_retire(pool)` about connections that belong to no route any more, `on_synced()` when the table is what the control
    plane says."""

    def __init__(
        self,
        public_url: str,
        on_change: Callable[[bytes, Route | None], None] = lambda label, route: None,
        on_retire: Callable[[object], None] = lambda pool: None,
        on_synced: Callable[[], None] = lambda: None,
    ) -> None:
        self._public_url = public_url
        self._routes: dict[bytes, Route] = {}
        self._hosts: dict[bytes, bytes] = {}  # domain of people's own -> label
        self._fresh: set[bytes] | None = None  # labels put since the last reset
        self._on_change = on_change
        self._on_retire = on_retire
        self._on_synced = on_synced
        self.keys: dict[str, str] = {}
        self.informed = False  #: a whole snapshot was seen, from the feed or from disk
        self.current = False  #: it is what the control plane says, as far as anybody knows
        self.version = 0  #: grows with every change
        self.get = self._routes.get  #: label -> Route or None
        self.label_at = self._hosts.get  #: domain of people's own -> label of the Space that is served there, or None

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[Route]:
        return iter(list(self._routes.values()))

    def apply(self, line: bytes) -> None:
        """Take one line of the feed. A line that cannot be understood is logged and skipped: the next snapshot mends it."""
        try:
            message = json.loads(line)
            self._take(message)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("skipped a feed message: %r: %.200r", error, line)

    def interrupted(self) -> None:
        """The feed broke off: a snapshot that was under way says nothing about the labels it did not reach."""
        self._fresh = None
        self.current = False

    def _take(self, message: dict) -> None:
        if "put" in message:
            self._put(Route(message["put"], self._public_url))
        elif "drop" in message:
            self._drop(message["drop"].encode("ascii"))
        elif "keys" in message:
            self.keys = {str(name): str(value) for name, value in message["keys"].items()}
            self.version += 1
        elif "reset" in message:
            self._fresh = set()
        elif "synced" in message:
            if self._fresh is not None:
                for label in self._routes.keys() - self._fresh:
                    self._drop(label)
            self._fresh = None
            self.informed = self.current = True
            self.version += 1
            self._on_synced()

    def _put(self, route: Route) -> None:
        if self._fresh is not None:
            self._fresh.add(route.label)
        old = self._routes.get(route.label)
        if old is not None:
            for pool in route.take_over(old):
                self._on_retire(pool)
        self._routes[route.label] = route
        if old is not None:
            self._leave(old)
        self._hosts.update(dict.fromkeys(route.hosts, route.label))
        self.version += 1
        self._on_change(route.label, route)

    def _leave(self, route: Route) -> None:
        for host in route.hosts:
            if self._hosts.get(host) == route.label:  # another one may have it by now
                del self._hosts[host]

    def _drop(self, label: bytes) -> None:
        old = self._routes.pop(label, None)
        if self._fresh is not None:
            self._fresh.discard(label)
        if old is not None:
            self._leave(old)
            for pool in old.pools.values():
                self._on_retire(pool)
            self.version += 1
            self._on_change(label, None)
