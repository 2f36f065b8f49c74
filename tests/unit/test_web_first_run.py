"""The page of the first start: it makes one admin for who has the link, and then nothing any more."""

import sqlalchemy as sa

from orchestrator.api.app import create_app
from orchestrator.store import schema
from tests.console import Console
from tests.unit.test_web_pages import EVIL, Browser
from web.routes import create_renderer, create_router

PAGE = "/login/first"


def test_whoever_started_podium_becomes_its_admin_once(tmp_path):
    console = Console(tmp_path)
    console.app = create_app(console.parts, (create_router(console.parts),), create_renderer(console.parts))
    with console.listening():
        browser, code = Browser(console), console.parts.signing.setup_code
        here = f"{PAGE}?code={code}"
        assert browser.get(here).status_code == 404  # there is somebody
        with console.store.engine.begin() as connection:
            connection.execute(sa.delete(schema.owners))
        assert browser.get(PAGE).status_code == 404 and browser.get(f"{PAGE}?code=x").status_code == 404
        short = browser.post(PAGE, here, code=code, name="grace", password="short", fullname=EVIL)
        assert short.status_code == 422 and EVIL not in short.text and console.parts.accounts.is_empty()
        assert browser.post(PAGE, here, code="x", name="eve", password="longenough").status_code == 403
        made = browser.post(PAGE, here, code=code, name="grace", password="longenough")
        assert made.status_code == 303 and browser.get("/admin").status_code == 200
        assert Browser(console).get(here).status_code == 404
        (grace,) = console.parts.accounts.users()
        assert grace.is_admin and Browser(console).sign_in("grace", "longenough").status_code == 303
