"""The names of logs, and which of them tells most about a Space now. Pure; logs are kept by the `Logs` port."""

from orchestrator.domain.keys import instance_id
from orchestrator.domain.records import Space
from orchestrator.domain.seen import Image


def build_stream(key: str) -> str:
    """The log of a build."""
    return f"build/{key}"


def instance_stream(instance: str) -> str:
    """The log of an instance: of all its runs, one after the other."""
    return f"run/{instance}"


def run_stream(space: Space, image: Image | None) -> str:
    """The log of the wanted instance, running or not. While there is no `image` for it: of the one that serves, else of the
    last that failed, else ""."""
    failed = space.failures.launch_key
    if image:
        instance = instance_id(space.id, space.wish.launch_key(image.id))
    else:
        instance = space.instance or (instance_id(space.id, failed) if failed else "")
    return instance_stream(instance) if instance else ""
