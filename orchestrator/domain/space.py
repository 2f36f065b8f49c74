"""What a Space is asked to be: the wish, its names, who may do what. Pure."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from orchestrator.domain.keys import build_key, launch_key
from orchestrator.errors import Invalid

SLEEP_MIN = 1.0  #: seconds
MAIN = "refs/heads/main"  #: the only ref that deploys

_NAME = re.compile(r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?", re.ASCII)
#: What no repo is called, so that no address reads as one of the API's or of git's.
RESERVED_NAMES = frozenset(["api", "git", "internal", "oauth"])
#: What no owner is called: first steps of addresses of the console, now or later, and the Hub's own reserved words.
RESERVED_OWNERS = RESERVED_NAMES | {
    "admin", "assets", "avatars", "buckets", "by-subdomain", "cas", "collections", "datasets", "device", "docs",
    "explore", "hardware", "healthz", "join", "kernels", "login", "logout", "metrics", "models", "new",
    "notifications", "open", "papers", "podium", "readyz", "resolve-cache", "schema", "search", "semantic-search",
    "settings", "spaces", "static", "templates", "uploads", "v1", "zero-gpu",
}  # fmt: skip
_RESERVED_LABELS = frozenset(
    ["www", "api", "admin", "static", "mail", "autodiscover", "wpad", "localhost", "console", "podium", "hub"]
)


class Visibility(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"
    PROTECTED = "protected"  #: app public, code private


class Role(IntEnum):
    """What a caller may do with a repo; ordered, so that `role >= Role.WRITE` reads well."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3

    @classmethod
    def named(cls, name: str) -> "Role":
        try:
            return cls[name.upper()]
        except KeyError:
            raise Invalid("ROLE", f"unknown role {name!r}; write read, write or admin") from None


def check_name(name: str, what: str = "name", reserved: frozenset[str] = RESERVED_NAMES) -> str:
    """The name itself if it may name a repo or, with RESERVED_OWNERS, an owner. Raises Invalid `NAME` with the rule in words."""
    if name.lower() in reserved:
        raise Invalid("NAME", f"{what} {name!r} is reserved; choose another")
    if not _NAME.fullmatch(name) or "--" in name or ".." in name or name.lower().endswith((".git", ".ipynb")):
        shown = name if len(name) <= 100 and name.isprintable() else ascii(name[:100])
        raise Invalid(
            "NAME",
            f"{what} {shown!r} cannot be used; write 1 to 96 letters, digits, '-', '_' or '.', not starting or ending in "
            "'-' or '.', without '--' or '..', not ending in '.git'",
        )
    return name


def check_fullname(text: str) -> str:
    """The name that people read, with single spaces. Raises Invalid `PROFILE`."""
    text = " ".join(text.split())
    if len(text) > 100 or not text.isprintable():
        raise Invalid("PROFILE", "a full name has at most 100 printable characters")
    return text


def subdomain(owner: str, name: str, taken: Callable[[str], bool] = lambda label: False) -> str:
    """The host label of a Space: `acme/My_Demo` -> `acme-my-demo`, at most 63 characters. `a-b/c` and `a/b-c` would
    collide, and a long name would not fit: then a short hash of the id is added. `taken` tells whether a label is in use."""
    label = re.sub(r"[^a-z0-9]+", "-", f"{owner}-{name}".lower()).strip("-") or "space"
    digest = hashlib.sha256(f"{owner}/{name}".lower().encode()).hexdigest()[:6]
    if len(label) > 63:
        label = f"{label[:56].rstrip('-')}-{digest}"
    if label in _RESERVED_LABELS or label == "space" or label.startswith("xn-") or taken(label):
        label = f"{label[:56].rstrip('-')}-{digest}"
    return label


def sleep_seconds(value: float) -> float | None:
    """The `sleep_after` of a wish for what people write: seconds, or -1 for never. Raises Invalid `SLEEP_TIME`."""
    if value == -1:
        return None
    if not SLEEP_MIN <= value <= 10 * 365 * 86400:
        raise Invalid("SLEEP_TIME", f"sleep time is {value:g}; write at least {SLEEP_MIN:g} seconds, or -1 for never")
    return float(value)


@dataclass(frozen=True, slots=True)
class Wish:
    """What must be. Written by the API and by pushes; commands are counters, so none is lost or done twice."""

    space_id: str
    revision: str | None = None  #: commit to run; None until something was pushed to main
    rebuilds: int = 0  #: factory rebuilds asked for
    paused: bool = False
    deleted: bool = False
    hardware: str = "cpu-basic"
    sleep_after: float | None = 172800.0  #: seconds without use until it sleeps; None: never
    env_version: int = 0
    restarts: int = 0
    goes_first: bool = (
        False  #: the old instance leaves at once, rather than serving on until the wanted hardware is free
    )
    hardware_until: float | None = None  #: epoch seconds; then it goes back to the default flavour
    replicas: int = 1  #: equal copies of what runs; no part of its keys, since a change of it launches nothing anew
    taken_down: str = ""  #: why an admin took it down: paused for everybody until an admin puts it back
    frozen: bool = False  #: pushes to main are stored and wait: `revision` does not follow them
    held: str | None = None  #: the newest commit of main that waits for the thaw

    @property
    def build_key(self) -> str | None:
        """Names what must be built; None until something was pushed."""
        return None if self.revision is None else build_key(self.space_id, self.revision, self.rebuilds)

    @property
    def paused_because(self) -> str:
        """Who stopped it, and why; "" when nobody did."""
        if self.taken_down:
            return f"taken down by an admin: {self.taken_down}"
        return "paused by its owner" if self.paused else ""

    def after_push(self, head: str) -> dict[str, str | None]:
        """What of it changes when main is at `head`: it runs, or waits for the thaw."""
        return {"held": head} if self.frozen else {"revision": head, "held": None}

    def launch_key(self, image_id: str) -> str:
        """Names what must be running once the wanted build has made this image."""
        return launch_key(image_id, self.hardware, self.env_version, self.restarts)
