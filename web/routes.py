"""The door to the pages: one router, made of the files of pages, for the same app that serves the API.

`wiring.py` mounts `create_router(parts)` and hands `create_renderer(parts)` to the API's exception handler."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from web import (
    account,
    admin,
    analytics,
    api_docs,
    audit,
    badge,
    blame,
    buckets,
    card,
    catalog,
    community,
    docs,
    edit,
    errors,
    explore,
    files,
    first_run,
    hardware,
    history,
    likes,
    live,
    logs,
    new,
    new_repo,
    notifications,
    oauth,
    owners,
    people,
    provider,
    repo_settings,
    settings,
    shares,
    sign_in,
    space,
    storage,
    tokens,
    use,
    webhooks,
)
from web.errors import Renderer
from web.page import Console

if TYPE_CHECKING:
    from orchestrator.api.parts import Parts


def create_router(parts: "Parts") -> APIRouter:
    """All pages and static files."""
    console = Console(parts)
    router = APIRouter()
    router.include_router(console.assets.routes())
    of_admins = (storage, admin, audit, people)
    of_lists = (explore, catalog, buckets, new, new_repo)
    of_all = (
        first_run, account, api_docs, docs, sign_in, provider, oauth, tokens, webhooks, hardware, notifications,
    )  # fmt: skip
    of_repos = (files, blame, history, edit, community, likes)
    of_files = (card, repo_settings)
    of_spaces = (logs, live, use, shares, badge, analytics, settings, space)
    for pages in (
        *of_admins,
        *of_all,
        *of_lists,
        *of_repos,
        *of_spaces,
        *of_files,
        owners,
    ):  # the last: its address is any word
        router.include_router(pages.routes(console))
    return router


def create_renderer(parts: "Parts") -> Renderer:
    """`render(request, status, code, message) -> Response | None`: an error as a page, None when a program asks."""
    return errors.renderer(Console(parts))
