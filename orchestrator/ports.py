"""The seams: what services need of the outside, each with (or about to have) two real forms. No implementation here.

    port       one machine                     cluster
    Runtime    runtimes/process.py             runtimes/docker.py, runtimes/kubernetes.py
    Builds     builds/local.py                 (the same, run by builders on other machines)
    Doorbell   (builders look by themselves)   builds/celery.py
    Bell       services/bell.py                bells/redis.py
    Logs       logs/files.py                   (the same on a volume, with that bell)
    Repos      repos/git.py                    (the same on a volume)
    Objects    objects/disk.py                 objects/s3.py (in ports_objects.py)
    Store      store/ on SQLite                store/ on PostgreSQL
    Names      names/dns.py                    (the same; tests say what DNS would)

All methods may be called from any thread. Absent things are success for verbs that remove. Times are epoch seconds.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.large import Pointer
from orchestrator.domain.load import Load
from orchestrator.domain.push import Pushed, RefUpdate
from orchestrator.domain.seen import Event, Fault, FaultKind, Image, InstanceSeen, NodeSeen
from orchestrator.domain.tree import Change, Commit, TreeEntry
from orchestrator.errors import Unavailable

# --------------------------------------------------------------------------------------------------------- runtime


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """Everything a runtime needs to start one instance. `env` holds what the author's contract promises plus variables
    and secrets; the runtime adds what only it knows (ports, HOME)."""

    instance_id: str
    space_id: str
    launch_key: str
    image: Image
    hardware: Hardware
    env: Mapping[str, str]
    replicas: int = 1


class Runtime(Protocol):
    """Runs instances. A crash of Podium does not end them: after a restart `list` finds them again."""

    #: Why an instance has one replica only, as the rest of a sentence; "" where it may have several, and `scale` is there.
    single: str

    def launch(self, spec: LaunchSpec) -> None:
        """Start the instance, or do nothing if one of this id is there; one that still drains is called back. Returns at
        once. Raises Unavailable when this machine cannot; what the app does wrong shows in `list` as a fault."""

    def list(self, space_id: str | None = None) -> list[InstanceSeen]:
        """All instances, dead ones too until stopped."""

    def stop(self, instance_id: str, drain: float = 0.0) -> None:
        """Ask to stop after `drain` seconds, end it after the grace time, then remove what is left of it. Returns at once;
        meanwhile it is listed as STOPPING. Absent: nothing."""

    def scale(self, instance_id: str, replicas: int, drain: float = 0.0) -> None:
        """Have so many replicas of an instance; those that stay go on as they are. Those that are too many are in no address
        any more at once, and stopped after `drain` seconds. Returns at once. Absent: nothing. Raises Unavailable."""

    def forget_space(self, space_id: str) -> None:
        """Remove the volume of a deleted Space."""

    def events(self, space_id: str) -> Sequence[Event]:
        """What a cluster says about the Space's instances, newest first, as long as it keeps that; none where there is no
        cluster. Raises Unavailable."""

    def capacity(self) -> tuple[NodeSeen, ...]:
        """The nodes that run instances, what each may give and who has what of it; () when that cannot be known. Instances
        that were launched and are on no node yet are in none. May be some seconds old; asked every few seconds, so keep
        it cheap. Raises Unavailable."""

    def loads(self) -> "Mapping[str, Load] | None":
        """What each instance takes of its hardware now, by its id, asked for all of them at once; one that nothing is known of is
        missing. None: nobody here can tell. May take some seconds; asked once a minute, and while somebody watches."""

    def check(self) -> None:
        """Raises Unavailable when what runs instances does not answer. May take some seconds."""

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """Call `changed(space_id)` whenever an instance of it became ready, exited or changed its fault. May miss some:
        the reconciler also looks by itself."""

    def close(self) -> None:
        """Stop watching; instances go on."""


# ---------------------------------------------------------------------------------------------------------- builds


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What a builder needs to know. `scope`: who else may share what is made (the Space's id when the build runs code of
    its own). `dependencies_of`: environment ids of this Space's last good build, reused while its dependency files do
    not change. `fresh`: resolve again, reuse nothing (factory rebuild)."""

    key: str
    space_id: str
    revision: str
    git_dir: str
    fence: int
    fresh: bool = False
    previous: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)  #: build arguments of an author's own Dockerfile
    secrets: Mapping[str, str] = field(default_factory=dict)  #: its secret mounts; in no image and no log
    large: Mapping[str, str] = field(default_factory=dict)  #: SHA-256 of a large object of the revision -> file with it


@dataclass(frozen=True, slots=True)
class BuildResult:
    """`image` when it succeeded, else `fault`. `previous`: what to hand to the next BuildOrder of this Space.
    `warnings` are sentences for the author; `phases` are seconds by name, in the order in which they were last at, and
    `total`."""

    image: Image | None
    fault: Fault | None = None
    fault_kind: FaultKind = FaultKind.BUILD
    warnings: tuple[str, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)
    previous: Mapping[str, str] = field(default_factory=dict)


class Builds(Protocol):
    """Runs builds somewhere. Knows no rows: `services/builds.py` claims, leases and saves."""

    def run(
        self,
        order: BuildOrder,
        log: Callable[[str], None],
        cancelled: Callable[[], bool],
        phase: Callable[[str], None] = lambda name: None,
    ) -> BuildResult:
        """Build now and return the result. Calls `log` with each line while it is written, and `phase` with the name of each
        phase (`domain/progress.py`) when it begins. Looks at `cancelled` at least every second and then raises Cancelled.
        Raises Unavailable when the fault is ours."""

    def exists(self, image: Image, doubted: bool = False) -> bool:
        """Whether the image can still be launched. `doubted`: a launch of it failed, so what was heard a moment ago does not
        count."""

    def collect(self, keep: Iterable[Image], dry: bool = False) -> int:
        """Remove what no image in `keep` needs and no build uses; returns the bytes freed. `dry`: only say how many bytes that
        would be, about."""

    def sizes(self) -> Mapping[str, int]:
        """Bytes of what builds keep, by what it is, in words. Raises Unavailable."""

    def check(self) -> str:
        """Where images are kept, when it answers; "" where that is no place of its own. Raises Unavailable."""


class Cancelled(Exception):
    """The build was told to stop."""


class BuilderDied(Unavailable):
    """What built ended without a word. This very build may be why, so it is tried only so often."""


class Doorbell(Protocol):
    """Calls builders of other machines to the queue, which is in the database. May lose and double rings."""

    def ring(self, key: str) -> None:
        """Have a builder look into the queue, because of this build. Takes at most some seconds. Raises Unavailable."""

    def waiting(self) -> int:
        """Rings that no builder has taken yet. Raises Unavailable."""


# ------------------------------------------------------------------------------------------------------------ logs


@dataclass(frozen=True, slots=True)
class LogLine:
    at: float
    text: str  #: without the newline, without control characters but SGR colours
    index: int = -1  #: its place in the stream; `index + 1` is the `start` to go on from


class Logs(Protocol):
    """Keeps lines by stream name (`build/<key>`, `run/<instance id>`), capped, and lets many read while one writes."""

    def append(self, stream: str, *lines: str) -> None: ...

    def end(self, stream: str) -> None:
        """No more lines will come."""

    def read(self, stream: str, start: int = 0) -> tuple[list[LogLine], bool]:
        """Lines from index `start`, and whether the stream has ended. Unknown stream: ([], False)."""

    def follow(self, stream: str, start: int = 0) -> AsyncIterator[LogLine]:
        """Lines from `start`, then new ones as they come, until the end."""

    def tail(self, stream: str, count: int) -> list[LogLine]: ...

    def remove(self, stream: str) -> None: ...


# ----------------------------------------------------------------------------------------------------------- repos


class Repos(Protocol):
    """Bare git repos by repo id. Paths come from ids, never from names. Reads are plumbing on objects, never a checkout."""

    def create(self, repo_id: str) -> None:
        """Make an empty repo with HEAD at main. Present: nothing."""

    def remove(self, repo_id: str) -> None:
        """Raises Unavailable while somebody writes to it for long: try again later."""

    def clear(self) -> None:
        """Remove what crashes left of repos that were being made or removed."""

    def git_dir(self, repo_id: str) -> str: ...

    def head(self, repo_id: str, ref: str = "refs/heads/main") -> str | None:
        """Commit id of a ref, None if absent."""

    def resolve(self, repo_id: str, revision: str) -> str:
        """Branch, tag, ref or (short) commit id -> 40 hex. Raises NotFound `RevisionNotFound`."""

    def refs(self, repo_id: str) -> dict[str, str]:
        """Full ref name -> commit id, heads and tags (peeled)."""

    def tree(self, repo_id: str, commit: str, path: str = "", recursive: bool = False) -> list[TreeEntry]:
        """Entries below a directory. Raises NotFound `EntryNotFound`."""

    def entry(self, repo_id: str, commit: str, path: str) -> TreeEntry:
        """One entry. Raises NotFound `EntryNotFound`."""

    def blob(self, repo_id: str, oid: str) -> Iterator[bytes]:
        """Chunks of a blob."""

    def read(self, repo_id: str, commit: str, path: str, limit: int) -> bytes | None:
        """A file's first `limit` bytes, None if absent."""

    def pointers(self, repo_id: str, oids: Iterable[str]) -> dict[str, Pointer]:
        """Which of these blobs are pointers to large objects; the caller has looked at their sizes."""

    def named(self, repo_id: str) -> set[str]:
        """SHA-256 of every large object that any revision names, also one that no ref leads to any more."""

    def log(self, repo_id: str, commit: str, skip: int = 0, limit: int = 50) -> list[Commit]: ...

    def count(self, repo_id: str, commit: str) -> int:
        """How many commits lead to this one, itself among them."""

    def commit(
        self,
        repo_id: str,
        ref: str,
        changes: Iterable[Change],
        message: str,
        author: tuple[str, str],
        parent: str | None = None,
        before_update: Callable[[str | None, str, str], None] = lambda old, new, quarantine: None,
    ) -> str:
        """One commit on top of `ref`, durable on return; returns its id. `before_update(old, new, quarantine)` runs when the
        objects are written and before they come in and the ref moves: it judges, and writes the push intent; nothing stays
        of what it refuses. Without `parent` a ref that moved meanwhile is taken as it is then, and `before_update` asked
        again. Raises Stale when `parent` is not the ref's value or a first commit was not the first, NotFound
        `EntryNotFound` for a delete of nothing, Invalid for a bad path."""

    def duplicate(
        self,
        source_id: str,
        commit: str,
        repo_id: str,
        message: str,
        author: tuple[str, str],
        before_update: Callable[[str | None, str, str], None] = lambda old, new, quarantine: None,
    ) -> str:
        """The files of a commit of `source_id` as the first commit on main of `repo_id`, which has none; returns its id.
        `before_update` as of `commit`."""

    def size(self, repo_id: str) -> int:
        """Bytes on disk."""

    def inspect(self, repo_id: str, updates: tuple[RefUpdate, ...], quarantine: str, file_limit: int) -> Pushed:
        """Facts about a push before it is accepted, with bounded work. `quarantine`: where git keeps its objects meanwhile,
        "" when they are in. Raises Invalid `GIT_PROTOCOL` for a quarantine that is not this repo's."""

    def sync(self, repo_id: str, *refs: str) -> None:
        """What these refs name now is durable on return."""

    def writing(self, repo_id: str) -> AbstractContextManager[None]:
        """What is in the repo now is not taken away meanwhile: for whoever relies on an object before a ref names it. May be
        nested. Raises NotFound for a repo that is gone, Unavailable."""

    def tidy(self, repo_id: str) -> bool:
        """Clear away what dead processes left, and keep reads fast. Loses nothing, may run beside anything. Returns whether
        something is there that may be a living process's: it is to be looked at again."""

    def tend(self, repo_id: str, kept: Iterable[str], grace: float) -> int:
        """Keep the repo small and fast: one pack and few others, refs in one file, and without what neither a ref nor one of
        the commits in `kept` has led to for `grace` seconds. May run beside anything, in any number of processes, and may
        take minutes; with nothing to do it is cheap. Returns the bytes freed. Raises NotFound for a repo that is gone."""


# ------------------------------------------------------------------------------------------------------------ bell


class Bell(Protocol):
    """Shortens waits; may lose rings. Everybody who waits on it also looks by himself."""

    def ring(self, topic: str) -> None: ...

    def wait(self, topic: str, timeout: float) -> bool:
        """True if rung since the last wait on this topic by this thread's subscriber, False on timeout."""

    def hearing(self, topic: str) -> AbstractContextManager[Callable[[float], Awaitable[bool]]]:
        """For coroutines: `await rung(timeout)` ends at once if the topic was rung since the last call, else at the next ring
        (True) or after `timeout` seconds (False)."""


# ----------------------------------------------------------------------------------------------------------- names


class Names(Protocol):
    """What DNS says, asked anew each time. Takes some seconds at most. Raises Unavailable with the reason in words when it
    does not answer; a name that is not there has no records."""

    def texts(self, name: str) -> tuple[str, ...]:
        """Values of the TXT records, the parts of each put together."""

    def addresses(self, name: str) -> tuple[str, ...]:
        """IPv4 and IPv6 addresses that a browser would be led to, through whatever CNAMEs."""


# ----------------------------------------------------------------------------------------------------------- store


class Store(Protocol):
    """The database. A write is durable when its block ends without an error; inside, everything or nothing. No network
    call and no subprocess inside a block. Raises Unavailable when the database does not answer.

    The groups of a transaction (`tx.accounts`, `.spaces`, `.builds`, `.runs`, `.pushes`, `.secrets`, `.audit`, `.hardware`,
    `.usage`, `.objects`, `.discussions`, `.webhooks`, `.oauth`, `.identities`, `.domains`, …) and their methods are those of the
    files of the same names in `store/`, on the values of the domain."""

    def read(self) -> AbstractContextManager[Any]: ...

    def write(self) -> AbstractContextManager[Any]: ...
