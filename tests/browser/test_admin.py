"""An admin at work in real Chromium: the notice, a Space taken down, the audit log; and an owner who edits the card by form."""

import pytest

from tests.apps import expect
from tests.browser.test_console import sign_in
from tests.support import eventually

pytestmark = pytest.mark.timeout(600)


def sign_in_as_admin(page, podium) -> None:
    name = f"root{podium.port}"
    token = podium.tokens.get(name) or podium.user(name, admin=True)
    page.goto(f"{podium.url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password or access token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Spaces", exact=True).wait_for()


def test_an_admin_takes_a_running_space_down_and_finds_it_in_the_log(page, podium, space):
    sign_in_as_admin(page, podium)
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    page.goto(f"{podium.url}/admin")
    page.get_by_role("heading", name="How it stands").wait_for()
    page.get_by_text("Control plane").wait_for()
    page.goto(f"{podium.url}/admin/spaces?q={space.id}")
    page.get_by_label(f"Act on {space.id}").click()
    page.get_by_label("Reason, for its people").fill("a test of ours")
    page.get_by_role("button", name="Take it down").click()
    page.get_by_text("Taken down. Its people read why.").wait_for()
    space.wait("PAUSED")
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.get_by_text("a test of ours").first.wait_for()
    page.goto(f"{podium.url}/admin/audit?target={space.id}")
    page.get_by_text("space.take_down").wait_for()
    page.goto(f"{podium.url}/admin/spaces?q={space.id}")
    page.get_by_label(f"Act on {space.id}").click()
    page.get_by_role("button", name="Put back").click()
    space.wait("RUNNING")


def test_an_owner_edits_the_card_by_form(page, podium, space):
    """Wrong values are said while they are typed; a good one becomes a commit, and nothing else of the README changes."""
    sign_in(page, podium)
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    page.goto(f"{podium.url}/spaces/{space.id}/settings")
    page.get_by_label("Python").fill("two")
    page.locator('[data-key="python_version"] .said').filter(has_text="python_version").wait_for()
    assert page.get_by_role("button", name="Commit to main").is_disabled()
    page.get_by_label("Python").fill("")
    page.get_by_label("Title", exact=True).fill("Paper planes: the site")
    eventually(lambda: page.get_by_role("button", name="Commit to main").is_enabled(), 20)
    page.get_by_role("button", name="Commit to main").click()
    page.get_by_text("Written to README.md as a commit.").wait_for()
    page.get_by_role("heading", name="Paper planes: the site").wait_for()


def test_visits_reach_the_analytics_page(page, podium, space):
    """From the gateway's count, over its report, to the page."""
    sign_in(page, podium)
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.frame_locator("#frame iframe").get_by_text("3 planes: dart, glider, swallow").wait_for(timeout=60_000)

    def views() -> bool:
        page.goto(f"{podium.url}/spaces/{space.id}/analytics?days=1")
        return page.locator(".stat b").first.inner_text() != "0"

    eventually(views, 60)
