"""The API on a real socket with a real database and real git repos, but nothing that builds or runs: what was pushed stays a
wish. For tests of the API alone; the whole of Podium is podium.py."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import uvicorn

from orchestrator.api import lfs
from orchestrator.api.app import create_app
from orchestrator.api.parts import Parts
from orchestrator.domain.caller import Caller
from orchestrator.domain.hardware import Hardware, catalogue
from orchestrator.domain.invitation import Invitation
from orchestrator.domain.push import PushLimits
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import Role
from orchestrator.errors import Unavailable
from orchestrator.logs.files import FileLogs
from orchestrator.objects.disk import DiskObjects
from orchestrator.repos.git import GitRepos
from orchestrator.repos.refs import GitRefs
from orchestrator.services.accounts import Accounts
from orchestrator.services.allotment import Allotment
from orchestrator.services.bell import LocalBell
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
from orchestrator.services.git_access import GitAccess
from orchestrator.services.health import Health
from orchestrator.services.identities import Identities
from orchestrator.services.imports import Imports
from orchestrator.services.invitations import Invitations
from orchestrator.services.large_care import LargeCare
from orchestrator.services.large_files import LargeFiles, LargeLimits
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
from orchestrator.services.vault import Vault
from orchestrator.services.visits import Visits
from orchestrator.services.xet import Xet
from orchestrator.store.engine import Store
from tests import migrated
from tests.memory import MemoryRuntime
from tests.support import NO_TLS, bearer, eventually, free_port

MB = 1024**2


class Names:
    """DNS as a test says it is: records by (name, kind). A name in `silent` is not answered for."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[str, ...]] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def texts(self, name: str) -> tuple[str, ...]:
        return self._ask(name, "TXT")

    def addresses(self, name: str) -> tuple[str, ...]:
        return self._ask(name, "A")

    def _ask(self, name: str, kind: str) -> tuple[str, ...]:
        self.asked.append(name)
        if name in self.silent:
            raise Unavailable("DNS did not answer in time")
        return self.records.get((name, kind), ())


class Console:
    """`parts` as wiring makes them, on data of its own. Ada owns things, Bob is a stranger with an account, acme is an
    organisation in which Ada may write."""

    def __init__(self, data: Path, flavors: dict[str, Hardware] | None = None, **changed: object) -> None:
        self.notices: list[dict] = []
        self.names = Names()
        self.store = Store(migrated.sqlite(data))
        bell, signing = LocalBell(), Signing.at(data / "keys")
        repos = GitRepos(data / "repos", 200 * MB)
        accounts = Accounts(self.store)
        vault = Vault.at(data / "keys" / "vault")
        self.url, app_url = "http://localhost:8000", lambda label: f"http://{label}.localhost:8000"
        oauth = OAuth(self.store, vault, data / "keys" / "oidc.pem", self.url, app_url)
        environment = Environment(self.store, vault, bell, signs_in=oauth.environment)
        self.runtime = MemoryRuntime()
        self.large = LargeFiles(self.store, DiskObjects(data / "objects"), repos, LargeLimits(60 * MB, 300 * MB))
        pushes = Pushes(self.store, repos, bell, PushLimits(5 * MB, 1000, 500 * MB, 200 * MB), large=self.large)
        allotment = Allotment.of(
            self.store,
            bell,
            self.runtime,
            flavors or catalogue(2, 4 * 1024**3, 10 * 1024**3),
            notify=self.notices.append,
        )
        spaces = Spaces(self.store, repos, accounts, environment, bell, allotment.requests)
        hosted = Repositories(self.store, repos, accounts, spaces)
        feed, xet = RouteFeed(self.store, bell, signing.public()), Xet(data / "xet", self.large)
        gates, buckets = Gates(self.store), Buckets(self.store, accounts)
        self.freed = [2048, 1024]  #: what a dry and a real collection say
        storage = Storage(
            self.store, repos, lambda: {"Logs": 5000, "Images": None}, lambda space_id: 10, lambda dry: self.freed[not dry],
            [LargeCare(self.store, self.large.objects, repos, xet).collect],
        )  # fmt: skip
        self.parts = replace(
            Parts(
                accounts=accounts,
                spaces=spaces,
                environment=environment,
                pushes=pushes,
                repos=repos,
                logs=FileLogs(data / "logs"),
                queue=BuildQueue(self.store, repos, bell),
                feed=feed,
                bell=bell,
                signing=signing,
                allotment=allotment,
                large=self.large,
                links=SignedLinks(signing.derived("grants")),
                xet=xet,
                hosted=hosted,
                gates=gates,
                likes=Likes(self.store),
                moves=Moves(self.store, accounts, bell, allotment.requests),
                duplicates=Duplicates(self.store, spaces, hosted, pushes, self.large.share),
                collections=Collections(self.store, accounts),
                buckets=buckets,
                bucket_files=BucketFiles(self.store, buckets, hosted, gates, self.large, bell),
                bucket_feed=BucketFeed(self.store),
                public_url=self.url,
                app_url=app_url,
                version="9.9",
                file_limit=5 * MB,
                push_limit=200 * MB,
                community=Community.of(
                    self.store,
                    repos,
                    GitRefs(repos),
                    pushes,
                    vault,
                    bell,
                    uploads=data / "uploads",
                    public_url=self.url,
                ),  # fmt: skip
                imports=Imports(GitRefs(repos), pushes, 200 * MB),
                shares=Shares(self.store, bell),
                domains=Domains(
                    self.store, bell, self.names, ours=("localhost",), home=lambda label: f"{label}.localhost"
                ),
                collaborators=Collaborators(self.store, bell),
                notifications=Notifications(self.store),
                invitations=Invitations(self.store),
                identities=Identities(self.store, accounts, SignedLinks(signing.derived("provider"))),
                oversight=Oversight(self.store),
                people=People(self.store, accounts, signing.setup_code),
                visits=Visits(self.store),
                downloads=Downloads(self.store),
                loads=Loads(self.store, self.runtime),
                health=Health(self.store, "here", "9.9", feed),
                storage=storage,
                oauth=oauth,
                devices=Devices(self.store),
                events=self.runtime.events,
            ),
            **changed,
        )
        self.ada, self.bob = accounts.add_user("ada"), accounts.add_user("bob")
        self.acme = accounts.add_org("acme")
        accounts.set_member("acme", "ada", Role.WRITE)
        self.token = accounts.add_token(self.ada, "write", "laptop")
        self.read_token = accounts.add_token(self.ada, "read", "reader")
        self.bobs = accounts.add_token(self.bob, "write", "bobs")
        access = GitAccess(self.store, accounts, spaces.create_for_push)
        self.app = create_app(self.parts, (lfs.router(access, self.parts),))
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"

    @contextmanager
    def listening(self) -> Iterator["Console"]:
        server = uvicorn.Server(
            uvicorn.Config(self.app, host="127.0.0.1", port=self.port, log_level="warning", timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            eventually(lambda: server.started, 10)
            yield self
        finally:
            server.should_exit = True
            thread.join(10)
            self.store.close()

    def client(self, token: str | None = "") -> httpx.Client:
        """As Ada unless told otherwise; None: as a stranger."""
        token = self.token if token == "" else token
        headers = bearer(token) if token else {}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30, verify=NO_TLS)

    def let_in(self, inviter: Caller, repo: AnyRepo, name: str, role: Role) -> None:
        """Invite a user, who accepts."""
        invited, user = self.parts.collaborators.put(inviter, repo, name, role)
        if isinstance(invited, Invitation):
            self.parts.invitations.answer(Caller(user, Role.ADMIN), invited.id, True)

    def space(self, name: str = "demo", token: str = "", **fields: object) -> str:
        """Make a Space over the API; returns its full name."""
        with self.client(token) as client:
            answer = client.post("/api/repos/create", json={"name": name, "type": "space", "sdk": "gradio", **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["name"]
