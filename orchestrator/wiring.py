"""Adapters -> running objects: what the processes of Podium are made of. Which adapters, adapters.py decides; beside these two no
file imports one."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator import __version__, oidc_settings, upkeep_settings
from orchestrator.adapters import bell, compiler, data_directory, logs, names, open_store, provider, runtime, webhook
from orchestrator.catalogue import flavors
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.errors import Invalid
from orchestrator.services.accounts import Accounts
from orchestrator.services.environment import Environment
from orchestrator.services.signing import Signing
from orchestrator.services.vault import Vault
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from orchestrator.ports import Bell
    from orchestrator.services.workers import BuildWorkers
    from orchestrator.store.engine import Store

log = logging.getLogger(__name__)
#: Seconds that a queued build waits for Celery before a builder takes it without: Redis may be away for as long as it likes.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Control:
    """The control plane: `app` answers requests; `start` and `stop` its loops."""

    app: "FastAPI"
    loops: tuple
    ends: tuple[Callable[[], None], ...] = ()  #: what is closed after them

    def start(self) -> None:
        for loop in self.loops:
            loop.start()

    def stop(self) -> None:
        for loop in reversed(self.loops):
            loop.stop()
        for end in self.ends:
            end()


def accounts(settings: Settings, store: "Store") -> Accounts:
    return Accounts(store, settings.session_days)


def workers(
    settings: Settings, store, repos, builds, keeper, bell, changed, environment: Environment, large, patience: float = 0.0
) -> "BuildWorkers":  # fmt: skip
    from orchestrator.services.workers import BuildWorkers

    return BuildWorkers(
        *(store, repos, builds, keeper, bell),
        count=settings.builders,
        timeout=settings.build_timeout,
        lease=settings.build_lease,
        patience=patience,
        changed=changed,
        large=large.for_build,
        **({"told": environment.of_build} if settings.runtime != "process" else {}),
    )


def builder(settings: Settings) -> Callable[[], None]:
    """`podium builder`: a function that runs builds until it is told to stop. Raises Invalid `SETTING`."""
    if settings.builds != "celery":
        raise Invalid(
            "SETTING", "PODIUM_BUILDS is local: the control plane builds by itself; set celery here and there"
        )
    from builder.worker import make_app, serve
    from orchestrator import failpoints
    from orchestrator.large_settings import large_files
    from orchestrator.repos.git import GitRepos
    from orchestrator.services.pulse import Pulse

    failpoints.enable(*settings.failpoint.split())
    store, (belfry, rings) = open_store(settings), bell(settings)
    repos = GitRepos(settings.data / "repos", settings.push_limit)
    builds = compiler(settings)
    keeper, environment = logs(settings, belfry), _environment(settings, store, _vault(settings), belfry)
    changed = lambda _: belfry.ring("spaces")  # noqa: E731
    large = large_files(settings, store, repos)
    crew = workers(settings, store, repos, builds, keeper, belfry, changed, environment, large, _PATIENCE)

    pulse = Pulse(store, "builder", f"{upkeep_settings.name_of(settings)}/{os.getpid()}", __version__)

    def run() -> None:
        loops = (*rings, crew, pulse)
        for loop in loops:
            loop.start()
        try:
            app = make_app(settings.redis_url, visibility=settings.build_timeout + _PATIENCE)
            serve(app, crew.drive, crew.stop_soon, settings.builders)
        finally:
            for loop in reversed(loops):
                loop.stop()
            builds.close()
            store.close()

    return run


def control(settings: Settings) -> Control:
    """Everything that the control plane's process runs, not started yet."""
    from orchestrator import failpoints
    from orchestrator.api import git, lfs
    from orchestrator.api.app import create_app
    from orchestrator.api.parts import Parts
    from orchestrator.bells.post import Poster
    from orchestrator.domain.push import PushLimits
    from orchestrator.large_settings import Large
    from orchestrator.repos.git import GitRepos
    from orchestrator.repos.refs import GitRefs
    from orchestrator.repos.smart import Smart
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
    from orchestrator.services.finding import catch_up
    from orchestrator.services.gates import Gates
    from orchestrator.services.git_access import GitAccess
    from orchestrator.services.health import Health
    from orchestrator.services.identities import Identities
    from orchestrator.services.imports import Imports
    from orchestrator.services.invitations import Invitations
    from orchestrator.services.janitor import Janitor
    from orchestrator.services.likes import Likes
    from orchestrator.services.links import SignedLinks
    from orchestrator.services.loads import Loads
    from orchestrator.services.moves import Moves
    from orchestrator.services.notifications import Notifications
    from orchestrator.services.oauth import OAuth
    from orchestrator.services.oversight import Oversight
    from orchestrator.services.people import People
    from orchestrator.services.pushes import Pushes
    from orchestrator.services.reconciler import Reconciler
    from orchestrator.services.repo_care import RepoCare
    from orchestrator.services.repos import Repositories
    from orchestrator.services.routes import RouteFeed
    from orchestrator.services.shares import Shares
    from orchestrator.services.spaces import Spaces
    from orchestrator.services.storage import Storage
    from orchestrator.services.visits import Visits
    from web.markdown import comment
    from web.routes import create_renderer, create_router

    failpoints.enable(*settings.failpoint.split())
    data = data_directory(settings)
    flavours = flavors(settings)
    store, (belfry, rings) = open_store(settings), bell(settings)
    signing = Signing.at(settings.key_directory)
    people = accounts(settings, store)
    repos = GitRepos(data / "repos", settings.push_limit)
    keeper, running = logs(settings, belfry if rings else None), runtime(settings)
    builds = compiler(settings)
    oauth = OAuth.at(settings.key_directory, store, settings.public_url, settings.app_url, settings.app_endpoint)
    vault = _vault(settings)
    environment = _environment(settings, store, vault, belfry, oauth.environment)
    tell, hooks = webhook(settings)
    allotment = Allotment.of(store, belfry, running, flavours, settings.sleep_after, tell, replicas=settings.replicas)
    spaces = Spaces(
        store,
        repos,
        people,
        environment,
        belfry,
        allotment.requests,
        url_of=lambda space: f"{settings.public_url}/{space.path}",
    )
    hosted = Repositories(store, repos, people, spaces, url_of=lambda repo: f"{settings.public_url}/{repo.path}")
    queue = BuildQueue(store, repos, belfry)
    limits = PushLimits(settings.file_limit, settings.files_limit, settings.repo_limit, settings.push_limit)
    large = Large(settings, data, store, repos, signing)
    pushes = Pushes(
        store, repos, belfry, limits, large=large.files, lines_of=lambda space: _after_push(settings, space)
    )
    community = Community.of(
        store, repos, GitRefs(repos), pushes, vault, belfry,
        uploads=data / "uploads", public_url=settings.public_url, post=Poster(settings.webhook_private == 1), markdown=comment,
    )  # fmt: skip
    smart = Smart(repos, settings.control_socket, settings.push_limit)
    host_of = lambda space: _host(settings, space)  # noqa: E731
    reconciler = Reconciler(
        store, running, builds, queue, environment, repos, keeper, belfry, allotment, host_of
    )  # fmt: skip
    if settings.builds == "celery":
        from orchestrator.builds.celery import CeleryDoorbell
        from orchestrator.services.calls import BuildCalls

        crew = BuildCalls(store, CeleryDoorbell(settings.redis_url), belfry).loop
    else:
        crew = workers(settings, store, repos, builds, keeper, belfry, reconciler.poke, environment, large.files)
    gates, buckets = Gates(store), Buckets(store, people)
    domains = Domains(
        store, belfry, names(settings), ours=_hosts(settings), home=lambda label: f"{label}.{settings.apps_domain}"
    )
    feed = RouteFeed(store, belfry, signing.public())
    notifications = Notifications(store)
    others = (hosted.collect, lambda: catch_up(store), notifications.collect)
    repo_care = RepoCare(store, repos)
    janitor = Janitor(store, builds, keeper, settings.keep_builds, others)
    watched = upkeep_settings.checks(settings, data, running, builds, large.files.objects, belfry)
    sizes = upkeep_settings.measures(settings, data, builds), upkeep_settings.volume(settings, data)
    parts = Parts(
        accounts=people,
        spaces=spaces,
        environment=environment,
        pushes=pushes,
        repos=repos,
        logs=keeper,
        queue=queue,
        feed=feed,
        bell=belfry,
        signing=signing,
        allotment=allotment,
        **large.parts,
        hosted=hosted,
        gates=gates,
        likes=Likes(store),
        moves=Moves(store, people, belfry, allotment.requests),
        duplicates=Duplicates(store, spaces, hosted, pushes, large.files.share),
        collections=Collections(store, people),
        buckets=buckets,
        bucket_files=BucketFiles(store, buckets, hosted, gates, large.files, belfry),
        bucket_feed=BucketFeed(store),
        public_url=settings.public_url,
        app_url=settings.app_url,
        version=__version__,
        file_limit=settings.file_limit,
        push_limit=settings.push_limit,
        api_origins=settings.api_origins,
        files_limit=settings.files_limit,
        scratch=data / "tmp",
        ready=reconciler.trouble,
        events=running.events,
        oversight=Oversight(store),
        people=People(store, people, signing.setup_code),
        visits=Visits(store),
        downloads=Downloads(store),
        loads=Loads(store, running),
        health=Health(store, upkeep_settings.name_of(settings), __version__, feed, watched, reconciler.trouble),
        storage=Storage(store, repos, *sizes, janitor.collect, (repo_care.collect, large.care.collect)),
        oauth=oauth,
        devices=Devices(store),
        community=community,
        imports=Imports(community.refs, pushes, settings.repo_limit),
        shares=Shares(store, belfry),
        domains=domains,
        collaborators=Collaborators(store, belfry),
        notifications=notifications,
        invitations=Invitations(store),
        identities=Identities(
            store, people, SignedLinks(signing.derived("provider")), provider(settings), oidc_settings.rules(settings)
        ),
    )
    access = GitAccess(store, people, spaces.create_for_push)
    git_routes = (
        git.router(access, pushes, smart),
        lfs.router(access, parts),
        git.hook_router(pushes),
    )
    extra = (*git_routes, create_router(parts))
    app = create_app(parts, extra, create_renderer(parts))
    loops = (
        *rings,
        *hooks,
        pushes.loop,
        reconciler,
        crew,
        allotment.meter,
        community.telling,
        janitor.loop,
        domains.loop,
        large.care.loop,
        repo_care.loop,
        parts.downloads.loop,
        parts.loads.loop,
        parts.health,
        parts.storage.loop,
    )
    return Control(app, loops, (builds.close, running.close, store.close))


def _vault(settings: Settings) -> Vault:
    data_directory(settings)
    return Vault.at(settings.key_directory / "secrets.key")


def _environment(
    settings: Settings, store: "Store", vault: Vault, belfry: "Bell",
    signs_in: Callable[[Space], Mapping[str, str]] = lambda _: {},
) -> Environment:  # fmt: skip
    hub = {"HF_ENDPOINT": settings.app_endpoint or settings.public_url} if settings.app_hub else {}
    return Environment(store, vault, belfry, defaults=hub, signs_in=signs_in)


def _after_push(settings: Settings, space: AnyRepo) -> list[str]:
    """What `git push` shows when it is done."""
    if not isinstance(space, Space):
        return []
    console = f"{settings.public_url}/{space.path}"
    if space.wish.frozen:
        return [f"deploys are frozen: what you pushed is stored, and runs after the thaw: {console}/settings#builds"]
    return [f"app:  {settings.app_url(space.label)}", f"logs: {console}/logs"]


def _hosts(settings: Settings) -> set[str]:
    """The names of this Podium, without ports."""
    urls = (settings.public_url, settings.app_endpoint)
    return {settings.apps_domain.lower(), *((urlsplit(url).hostname or "").lower() for url in urls)}


def _host(settings: Settings, space: Space) -> str:
    """The host that an app is told, with the port that visitors type."""
    return settings.app_url(space.label).split("://", 1)[1]
