"""Puts the routers together, in the order in which they match."""

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI

from orchestrator.api import (
    bucket_feed,
    bucket_files,
    buckets,
    builds,
    cards,
    collaborators,
    collections,
    commits,
    discussions,
    document,
    domains,
    environment,
    files,
    gates,
    hardware,
    internal,
    later,
    lfs_files,
    likes,
    listing,
    logs,
    moves,
    notifications,
    oauth,
    people,
    plain,
    problems,
    refs,
    repos,
    safetensors,
    spaces,
    tag_lists,
    upkeep,
    uploads,
    webhooks,
    xet,
    xet_read,
)
from orchestrator.api.cors import Cors
from orchestrator.api.envelope import Envelope
from orchestrator.api.head import Head
from orchestrator.api.parts import Parts

#: Words in the place of an owner before any owner, refusals last.
_ROUTERS = (
    internal.router,
    internal.internal,
    later.absent,
    document.router,
    xet.cas,
    xet_read.router,
    xet.router,
    bucket_feed.router,
    bucket_files.router,
    buckets.router,
    lfs_files.router,
    safetensors.router,
    people.router,
    oauth.router,
    hardware.router,
    upkeep.router,
    listing.router,
    tag_lists.router,
    spaces.reserved,
    repos.router,
    cards.router,
    moves.router,
    likes.router,
    gates.router,
    notifications.router,
    collaborators.router,
    domains.router,
    collections.router,
    environment.router,
    builds.router,
    logs.router,
    commits.router,
    refs.router,
    webhooks.router,
    uploads.router,
    discussions.router,
    files.router,
    spaces.router,
    plain.router,
    later.router,
)


def create_app(parts: Parts, extra_routers: Iterable[APIRouter] = (), page: problems.Page | None = None) -> FastAPI:
    """The control plane's ASGI application. `extra_routers` (git, the pages) are matched before ours; `page` makes error
    pages for browsers outside of /api."""
    app = FastAPI(
        title="Podium",
        version=parts.version,
        description="The Hub's own paths and JSON, for `huggingface_hub`, `hf`, `git` and `gradio_client`.",
        redirect_slashes=False,
        openapi_url=None,  # `document` serves it
        docs_url=None,  # its page runs scripts of another site on the console's own origin
        redoc_url=None,
    )
    app.state.parts = parts
    for router in (files.bytes_router, *extra_routers, *_ROUTERS):
        app.router.routes.extend(router.routes)  # include_router adds nothing here, and would match every request twice
    document.install(app)
    problems.install(app, page)
    app.add_middleware(Head, router=app.router)
    app.add_middleware(Envelope, page=page)
    app.add_middleware(Cors, origins=parts.api_origins.split())  # around all: refusals are read by scripts, too
    return app
