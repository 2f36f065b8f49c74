"""Settings -> adapters -> running objects. The only importer of adapters: which shape Podium has is decided here alone."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import __version__, image_settings
from orchestrator.catalogue import flavors
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.errors import Invalid
from orchestrator.services.accounts import Accounts
from orchestrator.services.bell import LocalBell
from orchestrator.services.environment import Environment
from orchestrator.services.signing import Signing
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from orchestrator.ports import Bell, Builds, Logs, Runtime
    from orchestrator.services.workers import BuildWorkers
    from orchestrator.store.engine import Store

log = logging.getLogger(__name__)
#: Seconds that a queued build waits for Celery before a builder takes it without: Redis may be away for as long as it likes.
_PATIENCE = 30.0
_CLOSED = ("apps", "keys", "logs", "repos", "run", "tmp")
_PASSED = ("build-tmp", "cache", "envs")


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


def open_store(settings: Settings) -> "Store":
    """The database, migrated."""
    from orchestrator.store.engine import Store

    _data(settings)
    store = Store(settings.database)
    store.migrate()
    return store


def accounts(settings: Settings, store: "Store") -> Accounts:
    return Accounts(store, settings.session_days)


def runtime(settings: Settings) -> "Runtime":
    data = _data(settings)
    if settings.runtime == "docker":
        from orchestrator.runtimes.docker import DockerRuntime

        return DockerRuntime(
            data, image_settings.words(data)[0], settings.docker_runtime, settings.stop_grace, settings.run_log_limit,
            lambda host: image_settings.login(settings, host),
        )  # fmt: skip
    if settings.runtime == "kubernetes":
        from orchestrator.runtimes.kubernetes import open_runtime

        return open_runtime(
            settings.kube, data, image_settings.words(data)[0], settings.stop_grace, settings.run_log_limit
        )
    from orchestrator.runtimes.process import ProcessRuntime

    return ProcessRuntime(data, settings.sandbox, settings.stop_grace, settings.run_log_limit)


def compiler(settings: Settings) -> "Builds":
    """What runs builds on this machine."""
    from orchestrator.builds.local import LocalBuilds

    data = _data(settings)
    same = {
        "timeout": settings.build_timeout,
        "memory": settings.build_memory,
        "index_url": settings.index_url,
        "extra_index_url": settings.extra_index_url,
        "ca_bundle": settings.ca_bundle,
        "sandbox": settings.sandbox,
        "output": settings.build_log_limit,
        "files": settings.files_limit,
        "source": settings.app_size_limit,
    }
    if settings.runtime == "process":
        return LocalBuilds(data, **same)
    if settings.registry:
        from orchestrator.builds.pushed import PushedBuilds as Kind
    else:
        from orchestrator.builds.images import ImageBuilds as Kind
    return Kind(data, image_settings.images(settings, data), **same)


def docker_trouble() -> str:
    """Empty when apps and builds can use a Docker engine here, else why not, in a few words."""
    from orchestrator.runtimes.docker_check import trouble

    return trouble()


def sandbox_trouble() -> str:
    """Empty when apps can be put into bubblewrap on this machine, else why not, in a few words."""
    from orchestrator.runtimes.sandbox import probe

    return probe()


def logs(settings: Settings, bell: "Bell | None" = None) -> "Logs":
    from orchestrator.logs.files import FileLogs

    caps = {"build": settings.build_log_limit, "run": settings.run_log_limit}
    return FileLogs(_data(settings) / "logs", caps=caps, bell=bell)


def bell(settings: Settings) -> "tuple[Bell, tuple]":
    """The bell, and its loops."""
    if not settings.redis_url:
        return LocalBell(), ()
    from orchestrator.bells.redis import RedisBell

    belfry = RedisBell(settings.redis_url, LocalBell())
    return belfry, (belfry,)


def webhook(settings: Settings) -> tuple[Callable[[dict], None], tuple]:
    """What tells the operator of requests for hardware, and its loops."""
    if not settings.hardware_webhook:
        return lambda notice: None, ()
    from orchestrator.bells.webhook import Webhook

    hook = Webhook(settings.hardware_webhook)
    return hook.tell, (hook,)


def workers(
    settings: Settings, store, repos, builds, keeper, bell, changed, environment: Environment, patience: float = 0.0
) -> "BuildWorkers":
    from orchestrator.services.workers import BuildWorkers

    return BuildWorkers(
        store,
        repos,
        builds,
        keeper,
        bell,
        count=settings.builders,
        timeout=settings.build_timeout,
        lease=settings.build_lease,
        patience=patience,
        changed=changed,
        **({"told": environment.of_build} if settings.runtime != "process" else {}),
    )


def builder(settings: Settings) -> Callable[[], None]:
    """`podium builder`: a function that runs builds until it is told to stop. Raises Invalid `SETTING`."""
    if settings.builds != "celery":
        raise Invalid(
            "SETTING", "PODIUM_BUILDS is local: the control plane builds by itself; set celery here and there"
        )
    from builder.worker import make_app, serve
    from orchestrator.repos.git import GitRepos

    store, (belfry, rings) = open_store(settings), bell(settings)
    repos = GitRepos(settings.data / "repos", settings.push_limit)
    builds = compiler(settings)
    keeper, environment = logs(settings, belfry), _environment(settings, store, belfry)
    changed = lambda _: belfry.ring("spaces")  # noqa: E731
    crew = workers(settings, store, repos, builds, keeper, belfry, changed, environment, _PATIENCE)

    def run() -> None:
        loops = (*rings, crew)
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
    from orchestrator.api import git
    from orchestrator.api.app import create_app
    from orchestrator.api.parts import Parts
    from orchestrator.domain.push import PushLimits
    from orchestrator.repos.git import GitRepos
    from orchestrator.repos.refs import GitRefs
    from orchestrator.repos.smart import Smart
    from orchestrator.services.allotment import Allotment
    from orchestrator.services.branches import Branches
    from orchestrator.services.builds import BuildQueue
    from orchestrator.services.discussions import Discussions
    from orchestrator.services.gates import Gates
    from orchestrator.services.git_access import GitAccess
    from orchestrator.services.imports import Imports
    from orchestrator.services.janitor import Janitor
    from orchestrator.services.likes import Likes
    from orchestrator.services.oversight import Oversight
    from orchestrator.services.people import People
    from orchestrator.services.pull_requests import PullRequests
    from orchestrator.services.pushes import Pushes
    from orchestrator.services.reconciler import Reconciler
    from orchestrator.services.repos import Repositories
    from orchestrator.services.routes import RouteFeed
    from orchestrator.services.spaces import Spaces
    from orchestrator.services.visits import Visits
    from web.markdown import comment
    from web.routes import create_renderer, create_router

    failpoints.enable(*settings.failpoint.split())
    data = _data(settings)
    flavours = flavors(settings)
    store, (belfry, rings) = open_store(settings), bell(settings)
    signing = Signing.at(settings.key_directory)
    people = accounts(settings, store)
    repos = GitRepos(data / "repos", settings.push_limit)
    keeper, running = logs(settings, belfry if rings else None), runtime(settings)
    builds = compiler(settings)
    environment = _environment(settings, store, belfry)
    tell, hooks = webhook(settings)
    allotment = Allotment.of(store, belfry, running, flavours, settings.sleep_after, tell)
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
    pushes = Pushes(store, repos, belfry, limits, lines_of=lambda space: _after_push(settings, space))
    refs, discussions = GitRefs(repos), Discussions(store)
    smart = Smart(repos, settings.control_socket, settings.push_limit)
    host_of = lambda space: _host(settings, space)  # noqa: E731
    reconciler = Reconciler(
        store, running, builds, queue, environment, repos, keeper, belfry, allotment, host_of
    )  # fmt: skip
    if settings.builds == "celery":
        from orchestrator.builds.celery import CeleryDoorbell
        from orchestrator.services.calls import BuildCalls

        crew = BuildCalls(store, CeleryDoorbell(settings.redis_url), belfry)
    else:
        crew = workers(settings, store, repos, builds, keeper, belfry, reconciler.poke, environment)
    parts = Parts(
        accounts=people,
        spaces=spaces,
        environment=environment,
        pushes=pushes,
        repos=repos,
        logs=keeper,
        queue=queue,
        feed=RouteFeed(store, belfry, signing.public()),
        bell=belfry,
        signing=signing,
        allotment=allotment,
        hosted=hosted,
        gates=Gates(store),
        likes=Likes(store),
        public_url=settings.public_url,
        app_url=settings.app_url,
        version=__version__,
        file_limit=settings.file_limit,
        push_limit=settings.push_limit,
        scratch=data / "tmp",
        ready=reconciler.trouble,
        oversight=Oversight(store),
        people=People(store, people, signing.setup_code),
        visits=Visits(store),
        refs=refs,
        branches=Branches(repos, refs, pushes),
        discussions=discussions,
        pull_requests=PullRequests(discussions, repos, refs, pushes),
        imports=Imports(refs, pushes, settings.repo_limit),
        markdown=comment,
    )
    access = GitAccess(store, people, spaces.create_for_push)
    extra = (git.router(access, pushes, smart), git.hook_router(pushes), create_router(parts))
    app = create_app(parts, extra, create_renderer(parts))
    janitor = Janitor(store, builds, keeper, settings.keep_builds, (hosted.collect,))
    loops = (*rings, *hooks, pushes, reconciler, crew, allotment.meter, janitor)
    return Control(app, loops, (builds.close, running.close, store.close))


def _environment(settings: Settings, store: "Store", belfry: "Bell") -> Environment:
    from orchestrator.services.vault import Vault

    _data(settings)
    return Environment(store, Vault.at(settings.key_directory / "secrets.key"), belfry)


def _data(settings: Settings) -> Path:
    """The data directory, its contents closed to other users of the machine. Where apps and builds run as users of their own
    and outside of bubblewrap, they must get through to what is theirs, but need not see its neighbours."""
    data = settings.data
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    for names, mode in ((_CLOSED, 0o700), (_PASSED, 0o711)):
        for name in names:
            (data / name).mkdir(exist_ok=True)
            (data / name).chmod(mode)
    if not settings.database_url:
        (data / "podium.db").touch(mode=0o600)
        for path in data.glob("podium.db*"):
            path.chmod(0o600)
    return data


def _after_push(settings: Settings, space: AnyRepo) -> list[str]:
    """What `git push` shows when it is done."""
    if not isinstance(space, Space):
        return []
    console = f"{settings.public_url}/{space.path}"
    return [f"app:  {settings.app_url(space.label)}", f"logs: {console}/logs"]


def _host(settings: Settings, space: Space) -> str:
    """The host that an app is told, with the port that visitors type."""
    return settings.app_url(space.label).split("://", 1)[1]
