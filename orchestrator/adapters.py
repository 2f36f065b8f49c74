"""Settings -> adapters: which implementation stands behind each port, and the directory where they keep their data. What is made
of them is in wiring.py."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import image_settings, oidc_settings
from orchestrator.services.bell import LocalBell
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.ports import Bell, Builds, Logs, Names, Runtime
    from orchestrator.ports_objects import Objects
    from orchestrator.ports_provider import Provider
    from orchestrator.store.engine import Store

_CLOSED = ("apps", "keys", "logs", "objects", "repos", "run", "tmp", "uploads", "xet")
_PASSED = ("build-tmp", "cache", "envs")


def data_directory(settings: Settings) -> Path:
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


def open_store(settings: Settings) -> "Store":
    """The database, migrated."""
    from orchestrator.store.engine import Store

    data_directory(settings)
    store = Store(settings.database)
    store.migrate()
    return store


def runtime(settings: Settings) -> "Runtime":
    data = data_directory(settings)
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
    from orchestrator.door_settings import doors
    from orchestrator.runtimes.process import ProcessRuntime

    return ProcessRuntime(data, settings.sandbox, settings.stop_grace, settings.run_log_limit, doors=doors(settings))


def compiler(settings: Settings) -> "Builds":
    """What runs builds on this machine."""
    from orchestrator.builds.local import LocalBuilds

    data = data_directory(settings)
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
        from orchestrator.runtimes.users import BUILD_USER

        return LocalBuilds(data, **same, uid=None if os.geteuid() else BUILD_USER)
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


def fence_trouble() -> str:
    """Empty when apps can be kept out of each other's ports on this machine, else why not, in a few words."""
    from orchestrator.runtimes.fence import probe

    return probe()


def logs(settings: Settings, bell: "Bell | None" = None) -> "Logs":
    from orchestrator.logs.files import FileLogs

    caps = {"build": settings.build_log_limit, "run": settings.run_log_limit}
    return FileLogs(data_directory(settings) / "logs", caps=caps, bell=bell)


def objects(settings: Settings) -> "Objects":
    """Where large files lie."""
    from orchestrator.objects import open_objects

    return open_objects(data_directory(settings) / "objects", settings.s3_bucket, settings.s3_url)


def names(settings: Settings) -> "Names":
    """What asks DNS. Raises Invalid `SETTING` when it is not said whom to ask."""
    from orchestrator.names.dns import Dns

    return Dns(settings.dns_servers.split())


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


def provider_trouble(settings: Settings) -> str:
    """Empty when the provider answers as PODIUM_OIDC_ISSUER says, else why not. Takes some seconds at most."""
    from orchestrator.errors import PodiumError

    try:
        oidc_settings.check(settings)
        one = provider(settings)
        if one is not None:
            one.says_who()
    except PodiumError as error:
        return str(error)
    return ""


def provider(settings: Settings) -> "Provider | None":
    """With whom people may sign in. Nothing is asked yet: a provider that is away must not keep Podium from starting."""
    told = oidc_settings.registered(settings)
    if told is None:
        return None
    from orchestrator.providers.fetch import Fetch
    from orchestrator.providers.openid import OpenID

    return OpenID(
        told.issuer, told.client_id, told.secret, told.back, told.scopes, told.name, Fetch(settings.ca_bundle)
    )
