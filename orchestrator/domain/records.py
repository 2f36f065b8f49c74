"""The rows of the store as plain values: what a service reads and writes. No behaviour."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.domain.decide import RouteState
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.seen import BuildState, Failures, Fault, FaultKind, Image
from orchestrator.domain.space import Role, Visibility, Wish
from orchestrator.domain.stage import Stage


@dataclass(frozen=True, slots=True)
class Owner:
    """A user or an organisation; they share one namespace. Ids are 24 hex digits."""

    id: str
    name: str
    kind: str = "user"  #: user | org
    fullname: str = ""
    email: str = ""
    is_admin: bool = False
    password_hash: str = ""
    created_at: float = 0.0
    private_by_default: bool = False  #: of an organisation: its new repos, unless somebody says otherwise

    @property
    def visibility(self) -> Visibility:
        """Of a new repo of which nobody says who may see it."""
        return Visibility.PRIVATE if self.private_by_default else Visibility.PUBLIC


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; only its SHA-256 is kept. `role`: read | write | fineGrained. `grants`: of a fine-grained one, as
    `domain/grants.py` writes them.

    One that OAuth gave has the id of its client, and belongs to a family: all that came of one consent, by the id of the
    first. `scope`: what a Space was allowed. The refresh token beside it works once."""

    id: str
    user_id: str
    name: str
    role: str
    hash: str
    hint: str = ""
    created_at: float = 0.0
    last_used_at: float | None = None
    expires_at: float | None = None
    revoked_at: float | None = None
    grants: dict[str, Any] | None = None
    client_id: str = ""
    family: str = ""
    scope: str = ""
    refresh_hash: str | None = None
    refresh_expires_at: float | None = None
    refreshed_as: str = ""  #: id of the token that its refresh token gave


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser, or (`once`) a sign-in link that was not used yet. Only the SHA-256 is kept."""

    hash: str
    user_id: str
    created_at: float
    expires_at: float
    once: bool = False
    address: str = ""  #: where it was signed in from
    agent: str = ""  #: and what the browser called itself


class _Placed:
    """What every repo is named by, whatever its kind."""

    __slots__ = ()

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def path(self) -> str:
        """Where its page, its files and its git remote are, below the console's URL."""
        return self.kind.prefix + self.full_name

    @property
    def private(self) -> bool:
        return self.visibility is Visibility.PRIVATE


@dataclass(frozen=True, slots=True)
class Space(_Placed):
    """A Space: its repo, its wish, and the last sighting of it."""

    id: str
    owner: str  #: name of the owner
    owner_id: str
    name: str
    label: str  #: host label, unique
    visibility: Visibility
    wish: Wish
    creator_id: str = ""
    sha: str | None = None  #: head of main
    card: dict[str, Any] = field(default_factory=dict)  #: front matter at the head of main
    sdk: str | None = None
    created_at: float = 0.0
    updated_at: float = 0.0
    access_epoch: int = 0  #: raised when access is taken away: older cookies stop working
    stage: Stage = Stage.NO_APP_FILE
    reason: str = ""
    stage_since: float = 0.0
    deadline: float | None = None
    route: RouteState = RouteState.CLOSED
    address: str = ""
    addresses: tuple[str, ...] = ()  #: of all replicas that answer, `address` first; () where that is the only one
    instance: str = ""
    running_revision: str | None = None  #: what the routed instance was made of
    route_seq: int = 0
    image: Image | None = None  #: of the routed instance: custom headers and embedding follow what serves
    last_activity: float = 0.0
    failures: Failures = Failures()
    hardware_asked: str = ""  #: flavour that an admin has not decided about yet
    running_hardware: str = ""  #: flavour of the routed instance
    queued_at: float | None = None  #: since when it waits for hardware, or has a place kept while it starts
    likes: int = 0
    downloads: int = 0  #: of the last 30 days
    downloads_all: int = 0
    discussions_disabled: bool = False
    hosts: tuple[str, ...] = ()  #: domains of its people's own that are proven (domain/own_domain.py)
    embed_origins: tuple[str, ...] | None = None  #: sites that may frame the app; None: any

    @property
    def gated(self) -> str:
        """A Space has no gate: whoever may see its code may read it."""
        return ""

    @property
    def deleted(self) -> bool:
        return self.wish.deleted

    @property
    def kind(self) -> RepoKind:
        return RepoKind.SPACE

    @property
    def code_private(self) -> bool:
        return self.visibility is not Visibility.PUBLIC


@dataclass(frozen=True, slots=True)
class Repo(_Placed):
    """A model or a dataset: files that nothing is built of. Reads like a Space wherever only files matter."""

    id: str
    kind: RepoKind
    owner: str  #: name of the owner
    owner_id: str
    name: str
    visibility: Visibility = Visibility.PUBLIC  #: never PROTECTED: there is no app to show
    creator_id: str = ""
    sha: str | None = None  #: head of main
    card: dict[str, Any] = field(default_factory=dict)  #: front matter at the head of main
    gated: str = ""  #: "" | auto | manual: who asks for the files is let in at once, or by one who may write
    discussions_disabled: bool = False
    likes: int = 0
    downloads: int = 0  #: of the last 30 days
    downloads_all: int = 0
    deleted: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def code_private(self) -> bool:
        return self.private


AnyRepo = Space | Repo


@dataclass(frozen=True, slots=True)
class Collaborator:
    """A user who may read or write one repo, whatever they are to its owner."""

    repo_id: str
    user_id: str
    role: Role
    invited_by: str
    created_at: float


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a user asked of a gated repo. `status`: pending | accepted | rejected. `answers`: what they wrote into its form."""

    id: str
    repo_id: str
    user_id: str
    status: str
    created_at: float
    answers: dict[str, Any] = field(default_factory=dict)
    granted_by: str = ""  #: who let them in without being asked
    reason: str = ""  #: of a rejection


@dataclass(frozen=True, slots=True)
class Build:
    """One build: a lease with a fencing number. `number` counts per Space, from 1."""

    key: str
    space_id: str
    number: int
    revision: str
    rebuilds: int
    state: BuildState
    since: float
    created_at: float
    actor: str = ""
    title: str = ""  #: of the commit
    fence: int = 0
    lease_owner: str = ""
    lease_until: float = 0.0
    attempts: int = 0
    deadline: float | None = None
    image: Image | None = None
    fault: Fault | None = None
    fault_kind: FaultKind = FaultKind.BUILD
    warnings: tuple[str, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)  #: see domain/progress.py
    previous: dict[str, str] = field(default_factory=dict)
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The time from the launch of an instance to its end: its id comes again after a sleep, with another start. Outlives it.
    `build` is the number of the build that it runs, 0 where that is not known. `asked_at`: since when it had to wait for its
    hardware, else its start; `placed_at`: it has a machine; `begun_at`: its program was started; `ready_at`: it answered first.
    `why`: why it ended, or will."""

    id: int
    instance_id: str
    launch_key: str
    space_id: str
    build: int
    revision: str
    hardware: str
    asked_at: float
    started_at: float
    placed_at: float | None = None
    begun_at: float | None = None
    ready_at: float | None = None
    ended_at: float | None = None
    why: str = ""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A push that was acknowledged or is about to be: written before the ref moves, settled when its effect is certain."""

    id: int
    repo_id: str
    ref: str
    old: str
    new: str
    actor: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Setting:
    """A secret (`secret`, value encrypted by services/vault.py) or a variable of a Space."""

    key: str
    value: str
    secret: bool
    description: str = ""
    updated_at: float = 0.0


class RequestState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  #: by its people, or by a later request


@dataclass(frozen=True, slots=True)
class HardwareRequest:
    """A wish for hardware that an admin decides about; an approved one is the permission. `expires_at`: when the Space goes
    back to the default flavour."""

    id: str
    space_id: str
    flavor: str
    asker: str
    created_at: float
    note: str = ""
    state: RequestState = RequestState.PENDING
    decided_by: str = ""
    decided_at: float | None = None
    reason: str = ""
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The time that one instance had its hardware, from `begin` to `until`; extended while it runs. The price of an hour is
    that of its first second. Outlives the Space."""

    instance_id: str
    started_at: float  #: an instance's id comes again after a sleep, with another start
    space_id: str
    space: str
    owner_id: str
    owner: str
    hardware: str
    price: float
    begin: float
    until: float
    running: bool = True


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Usage added up. `cost` in the catalogue's currency."""

    owner: str
    space: str
    hardware: str
    seconds: float
    cost: float


@dataclass(frozen=True, slots=True)
class AuditRow:
    at: float
    actor: str
    action: str
    target: str
    detail: dict[str, Any] = field(default_factory=dict)
    address: str = ""  #: of the client, "" for what Podium does by itself and for its command line
