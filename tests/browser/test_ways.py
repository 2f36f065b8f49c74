"""Ways in which people go about: several tabs, back, reload, a lost connection, the keyboard alone, a phone in the dark."""

import re
import socket
import threading
from contextlib import suppress

import pytest

from tests.apps import expect
from tests.browser.test_console import sign_in
from tests.support import eventually

pytestmark = pytest.mark.timeout(600)
SEEN = """node => [node, node.closest('label'), node.nextElementSibling].some(
  (one) => one && getComputedStyle(one).outlineStyle !== 'none')"""
PLANES = "3 planes: dart, glider, swallow"


class Wire:
    """A way to a port of this machine that can be cut and mended."""

    def __init__(self, target: int) -> None:
        self.target, self.whole, self.ends = target, True, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def __enter__(self) -> "Wire":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self.server.close()

    def cut(self) -> None:
        self.whole = False
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends.clear()

    def mend(self) -> None:
        self.whole = True

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.server.accept()
                if not self.whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.target))
                self.ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


def planes(page):
    return page.frame_locator("#frame iframe").get_by_text(PLANES)


@pytest.fixture
def running(page, podium, space):
    sign_in(page, podium)
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    return f"{podium.url}/spaces/{space.id}"


def test_tabs_back_reload_and_a_lost_connection(page, podium, space, running):
    page.goto(running)
    planes(page).wait_for(timeout=60_000)
    other = page.context.new_page()
    other.goto(f"{running}/settings#run")
    other.get_by_role("button", name="Pause").click()
    other.get_by_text("Paused. Nobody but you can start it again.").wait_for()
    page.locator("#panel .stage-words", has_text="Paused").wait_for()  # without a reload
    page.locator("#panel").get_by_role("button", name="Restart").click()
    planes(page).wait_for(timeout=60_000)

    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="index.html").first.click()
    page.get_by_text("<!doctype html>", exact=False).first.wait_for()
    page.go_back()
    page.go_back()
    planes(page).wait_for(timeout=60_000)

    podium.request("POST", f"/api/spaces/{space.id}/restart?factory=true", token=podium.token)
    page.reload()  # in the middle
    page.locator("#badge").get_by_text("Running", exact=True).wait_for(timeout=120_000)
    planes(page).wait_for(timeout=60_000)

    with Wire(podium.port) as wire:
        page.goto(running.replace(str(podium.port), str(wire.port), 1))
        page.locator("#badge").get_by_text("Running", exact=True).wait_for()
        wire.cut()
        podium.request("POST", f"/api/spaces/{space.id}/pause", token=podium.token)
        space.wait("PAUSED")
        assert page.locator("#badge").inner_text().strip() == "Running"
        wire.mend()
        page.locator("#panel .stage-words", has_text="Paused").wait_for(timeout=60_000)


class Keys:
    """Goes about a page by the keyboard alone."""

    def __init__(self, page) -> None:
        self.page = page

    def to(self, place) -> None:
        """Press Tab until `place` has the focus, which must be seen."""
        place.wait_for()
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if place.evaluate("node => node === document.activeElement"):
                assert place.evaluate(SEEN), "the focus is not seen"
                return
        raise AssertionError(f"Tab does not lead to {place}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


def test_by_the_keyboard_alone(page, podium, space, running):
    keys = Keys(page)
    page.goto(podium.url)
    keys.press("Tab", "Enter")  # skip to content
    assert page.url.endswith("#main")
    keys.press("/")
    page.keyboard.type(space.id.partition("/")[2])
    card = page.locator(f'.all .card a[href$="/{space.id}"]')
    keys.to(card)
    keys.press("Enter")
    planes(page).wait_for(timeout=60_000)
    menu = page.locator("details.menu summary").first
    keys.to(menu)
    keys.press("Enter")
    page.get_by_role("link", name="Your page").wait_for()
    keys.press("Escape")
    assert page.get_by_role("link", name="Your page").is_hidden()
    keys.to(page.get_by_role("link", name="Settings").last)
    keys.press("Enter")
    page.get_by_role("heading", name="Sleep").wait_for()
    field = page.get_by_label("Title", exact=True)
    keys.to(field)
    keys.press("Control+a")
    page.keyboard.type("By keys alone")
    commit = page.get_by_role("button", name="Commit to main")
    eventually(commit.is_enabled, 20)
    keys.to(commit)
    keys.press("Enter")
    page.get_by_role("heading", name="By keys alone").wait_for()


def test_on_a_phone_in_the_dark(chromium, podium, space):
    context = chromium.new_context(
        viewport={"width": 390, "height": 844},
        color_scheme="dark",
        has_touch=True,
        is_mobile=True,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    sign_in(page, podium)
    page.get_by_role("link", name="New Space").tap()
    page.get_by_label("Name", exact=True).fill(space.id.partition("/")[2])
    page.get_by_role("radio", name=re.compile("^Static")).check(force=True)
    page.get_by_role("button", name="Create Space").tap()
    frame = page.frame_locator("#frame iframe")
    frame.get_by_role("button", name="Clicked 0 times").wait_for(timeout=120_000)
    frame.get_by_role("button", name="Clicked 0 times").tap()
    frame.get_by_role("button", name="Clicked 1 time", exact=True).wait_for()
    box = page.locator("#frame iframe").bounding_box()
    assert box["width"] == 390 and box["height"] > 500, "the app has most of the screen"
    page.locator("details.menu summary").first.tap()
    page.get_by_role("link", name="Your page").tap()
    page.locator(f'.card a[href$="/{space.id}"]').wait_for()
    context.close()
