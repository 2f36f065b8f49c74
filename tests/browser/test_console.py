"""The console as its people meet it: sign in, watch a Space come alive, use it in its frame, read its log."""

import re

import pytest

from tests.apps import expect
from tests.support import git

pytestmark = pytest.mark.timeout(600)


def sign_in(page, podium):
    page.goto(f"{podium.url}/login")
    page.get_by_label("Name").fill(podium.owner)
    page.get_by_label("Password or access token").fill(podium.tokens.get(podium.owner, podium.token))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Spaces", exact=True).wait_for()


def test_a_space_comes_alive_before_its_authors_eyes(page, podium, space):
    """From the page that tells how to push to the app in its frame, without a reload."""
    sign_in(page, podium)
    page.goto(f"{podium.url}/new")
    name = space.id.partition("/")[2]
    page.get_by_label("Name").fill(name)
    page.get_by_role("radio", name=re.compile("Static")).check()
    page.get_by_role("button", name="Make it").click()
    page.get_by_text(f"git clone {podium.url}/spaces/{space.id}").wait_for()
    space.work.parent.mkdir(parents=True, exist_ok=True)
    git(space.work.parent, "clone", "-q", space.remote(), str(space.work))
    space.push(expect.APPS / "static_site")
    frame = page.frame_locator("#frame iframe")
    frame.get_by_text("3 planes: dart, glider, swallow").wait_for(timeout=120_000)
    page.locator("#badge").get_by_text("Running").wait_for()
    page.get_by_role("link", name="Logs").click()
    page.get_by_role("link", name="Build", exact=True).click()
    page.locator("#log .ln").nth(2).wait_for()
    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="index.html").first.wait_for()


def test_a_private_space_is_shown_in_its_frame(page, podium, space):
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    answer = podium.request("PUT", f"/api/spaces/{space.id}/settings", {"visibility": "private"}, podium.token)
    assert answer.status_code == 200, answer.text
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.get_by_text("Nothing here").wait_for()
    sign_in(page, podium)
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.frame_locator("#frame iframe").get_by_text("3 planes: dart, glider, swallow").wait_for(timeout=60_000)


def test_a_broken_push_keeps_the_frame_and_says_so(page, podium, space):
    sign_in(page, podium)
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.frame_locator("#frame iframe").get_by_text("3 planes: dart, glider, swallow").wait_for(timeout=60_000)
    space.push(expect.APPS / "bad_front_matter")
    page.locator("#banner").get_by_text("An earlier version serves meanwhile").wait_for(timeout=60_000)
    assert page.frame_locator("#frame iframe").get_by_text("3 planes").count() == 1
