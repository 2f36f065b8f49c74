"""What the settings say about images and where they are kept, in the words of builders and runtimes. Imports no adapter."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from builder.backends import credentials
from builder.request import Images
from orchestrator.settings import Settings


def login(settings: Settings, host: str) -> dict[str, str]:
    """Who Podium is to a registry, in the words of the Docker engine; {}: nobody. Raises ValueError."""
    mine = credentials.find(credentials.read(settings.registry_config), host)
    told = {"username": mine.user, "password": mine.password, "identitytoken": mine.identity}
    return {name: value for name, value in told.items() if value}


def registry_trouble(settings: Settings) -> str:
    """Empty when the registry answers and lets us in, else why not, in a few words. Takes some seconds at most."""
    from builder.backends.registry import Registry
    from builder.errors import TransientError

    try:
        told = settings.registry, settings.registry_config, bool(settings.registry_http), settings.ca_bundle
        asked = Registry(*told, patience=3.0)
        try:
            asked.exists("podium-app", "doctor")
        finally:
            asked.close()
    except TransientError as error:
        return str(error)
    return ""


def images(settings: Settings, data: Path) -> Images:
    """How builds make images."""
    owner, caches = words(data)
    return Images(
        base=settings.base_image,
        owner=owner,
        caches=caches,
        apt_mirror=settings.apt_mirror,
        network=settings.build_network,
        limit=settings.image_limit,
        builder=settings.builder,
        registry=settings.registry,
        registry_config=settings.registry_config,
        registry_http=bool(settings.registry_http),
    )


def words(data: Path) -> tuple[str, str]:
    """Two words that name this data directory to an engine that others use too, made once: one for labels, and one that
    no stranger can guess, for caches."""
    place = data / "keys" / "engine"
    place.parent.mkdir(exist_ok=True, mode=0o700)
    with suppress(FileExistsError), open(place, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(f"{secrets.token_hex(6)} {secrets.token_hex(16)}\n")
    owner, caches = place.read_text().split()
    return owner, caches
