"""What the API is made of: services and plain values, put together by wiring.py. No route reads settings or makes an adapter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.domain.seen import Event
from orchestrator.ports import Bell, Logs, Repos
from orchestrator.services.accounts import Accounts
from orchestrator.services.allotment import Allotment
from orchestrator.services.bucket_feed import BucketFeed
from orchestrator.services.bucket_files import BucketFiles
from orchestrator.services.buckets import Buckets
from orchestrator.services.builds import BuildQueue
from orchestrator.services.collaborators import Collaborators
from orchestrator.services.collections import Collections
from orchestrator.services.community import Community
from orchestrator.services.devices import Devices
from orchestrator.services.domains import Domains
from orchestrator.services.downloads import Downloads
from orchestrator.services.duplicates import Duplicates
from orchestrator.services.environment import Environment
from orchestrator.services.gates import Gates
from orchestrator.services.health import Health
from orchestrator.services.identities import Identities
from orchestrator.services.imports import Imports
from orchestrator.services.invitations import Invitations
from orchestrator.services.large_files import LargeFiles
from orchestrator.services.likes import Likes
from orchestrator.services.links import SignedLinks
from orchestrator.services.loads import Loads
from orchestrator.services.moves import Moves
from orchestrator.services.notifications import Notifications
from orchestrator.services.oauth import OAuth
from orchestrator.services.oversight import Oversight
from orchestrator.services.people import People
from orchestrator.services.pushes import Pushes
from orchestrator.services.repos import Repositories
from orchestrator.services.routes import RouteFeed
from orchestrator.services.shares import Shares
from orchestrator.services.signing import Signing
from orchestrator.services.spaces import Spaces
from orchestrator.services.storage import Storage
from orchestrator.services.visits import Visits
from orchestrator.services.xet import Xet


@dataclass(frozen=True)
class Parts:
    """`app_url(label)`: URL of a Space's app, no trailing slash. `ready()`: sentences about what keeps this process from
    serving, none when it is fine. `events(space_id)`: as `ports.Runtime.events`. Limits in bytes. `scratch`: directory for
    commit bodies while they are read."""

    accounts: Accounts
    spaces: Spaces
    environment: Environment
    pushes: Pushes
    repos: Repos
    logs: Logs
    queue: BuildQueue
    feed: RouteFeed
    bell: Bell
    signing: Signing
    allotment: Allotment
    hosted: Repositories
    gates: Gates
    likes: Likes
    large: LargeFiles
    links: SignedLinks
    xet: Xet
    moves: Moves
    duplicates: Duplicates
    collections: Collections
    buckets: Buckets
    bucket_files: BucketFiles
    bucket_feed: BucketFeed
    public_url: str
    app_url: Callable[[str], str]
    version: str = "0"
    file_limit: int = 50 * 1024**2
    push_limit: int = 1024**3
    files_limit: int = 20_000
    api_origins: str = "*"
    scratch: Path | None = None
    ready: Callable[[], list[str]] = list
    events: Callable[[str], Sequence[Event]] = lambda space_id: ()
    oversight: Oversight = field(kw_only=True)
    people: People = field(kw_only=True)
    visits: Visits = field(kw_only=True)
    downloads: Downloads = field(kw_only=True)
    loads: Loads = field(kw_only=True)
    health: Health = field(kw_only=True)
    storage: Storage = field(kw_only=True)
    oauth: OAuth = field(kw_only=True)
    devices: Devices = field(kw_only=True)
    community: Community = field(kw_only=True)
    imports: Imports = field(kw_only=True)
    shares: Shares = field(kw_only=True)
    domains: Domains = field(kw_only=True)
    collaborators: Collaborators = field(kw_only=True)
    identities: Identities = field(kw_only=True)
    notifications: Notifications = field(kw_only=True)
    invitations: Invitations = field(kw_only=True)

    @property
    def session_cookie(self) -> str:
        """Name of the console's cookie; browsers let nobody but its own origin set a `__Host-` one."""
        return "__Host-podium-session" if urlsplit(self.public_url).scheme == "https" else "podium-session"
