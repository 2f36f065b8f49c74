"""The console as its people meet it: sign in, watch a Space come alive, use it in its frame, read its log."""

import http.server
import re
import threading
from contextlib import contextmanager

import pytest

from tests.apps import expect
from tests.support import eventually, git

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
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("radio", name=re.compile("Empty")).check()
    page.get_by_role("button", name="Create Space").click()
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
    page.locator("#runs").get_by_text("Running").wait_for()
    phases = podium.request("GET", f"/api/spaces/{space.id}/builds").json()[0]["phases"]
    assert {"queued", "clone", "files", "total"} <= set(phases)
    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="index.html").first.wait_for()


def test_a_private_space_is_shown_in_its_frame_and_by_link(page, chromium, podium, space):
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    answer = podium.request("PUT", f"/api/spaces/{space.id}/settings", {"visibility": "private"}, podium.token)
    assert answer.status_code == 200, answer.text
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.get_by_text("Nothing here").wait_for()
    sign_in(page, podium)
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.frame_locator("#frame iframe").get_by_text("3 planes: dart, glider, swallow").wait_for(timeout=60_000)
    page.goto(f"{podium.url}/spaces/{space.id}/use")
    page.get_by_label("Who gets it").fill("Kim")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_text(re.compile(r"^http\S+/open/shared\?link=[\w-]+$")).inner_text()
    guest = chromium.new_context().new_page()  # has no cookie of ours
    guest.goto(link)
    guest.get_by_text("3 planes: dart, glider, swallow").wait_for()
    assert "__sign" not in guest.url and guest.goto(f"{podium.url}/spaces/{space.id}").status == 404
    with other_site(f'<iframe src="{link}"></iframe>') as address:
        visitor = chromium.new_context().new_page()
        visitor.goto(address)
        visitor.frame_locator("iframe").get_by_text("3 planes: dart, glider, swallow").wait_for()
    page.goto(f"{podium.url}/spaces/{space.id}/use")
    page.get_by_text("Kim").wait_for()
    page.get_by_role("button", name="End the link Kim").click()
    page.get_by_text("lets nobody in any more").wait_for()
    assert guest.goto(link).status == 404
    eventually(lambda: guest.goto(space.url).status == 404, 20)
    guest.context.close()
    visitor.context.close()


@contextmanager
def other_site(body: str):
    """A page on a site of its own, by address."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_broken_push_keeps_the_frame_and_says_so(page, podium, space):
    sign_in(page, podium)
    space.push(expect.APPS / "static_site")
    space.wait("RUNNING")
    page.goto(f"{podium.url}/spaces/{space.id}")
    page.frame_locator("#frame iframe").get_by_text("3 planes: dart, glider, swallow").wait_for(timeout=60_000)
    space.push(expect.APPS / "bad_front_matter")
    page.locator("#banner").get_by_text("An earlier version serves meanwhile").wait_for(timeout=60_000)
    assert page.frame_locator("#frame iframe").get_by_text("3 planes").count() == 1


def test_from_a_template_to_a_change_made_in_the_browser(page, podium, space):
    """One click makes a page that runs; an edit in the browser is live in its frame; a mistake is told, with a way to mend it."""
    sign_in(page, podium)
    page.goto(f"{podium.url}/new?template=static&name={space.id.partition('/')[2]}")
    page.get_by_role("button", name="Create Space").click()
    frame = page.frame_locator("#frame iframe")
    frame.get_by_role("heading", name="It works").wait_for(timeout=120_000)
    frame.get_by_role("button", name="Clicked 0 times").click()
    frame.get_by_role("button", name="Clicked 1 time", exact=True).wait_for()
    page.get_by_role("button", name="Like").click()
    page.locator(".like[aria-pressed=true]", has_text="1").wait_for()
    frame.get_by_role("button", name="Clicked 1 time", exact=True).wait_for()

    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="Begin with a template").first.wait_for()
    page.get_by_role("link", name="index.html", exact=True).click()
    page.get_by_role("link", name="Edit").click()
    text = page.locator("textarea[name=text]")
    text.fill(text.input_value().replace("It works", "It changed"))
    page.get_by_placeholder("Change index.html").fill("Say that it changed")
    page.keyboard.press("Control+s")
    page.get_by_text("Committed.").wait_for()
    page.get_by_role("link", name="App", exact=True).click()

    def changed() -> bool:
        """The old version stays in its frame until the person asks for the new one."""
        newer = page.get_by_role("button", name="Show it")
        if newer.is_visible():
            newer.click()
        return frame.get_by_role("heading", name="It changed").is_visible()

    eventually(changed, 120)

    page.goto(f"{podium.url}/spaces/{space.id}/edit/main/README.md")
    text.fill(text.input_value().replace("sdk: static", "sdk: statik"))
    page.get_by_role("button", name="Commit to main").click()
    page.get_by_role("link", name="App", exact=True).click()
    page.locator("#banner").get_by_text("An earlier version serves meanwhile").wait_for(timeout=60_000)
    frame.get_by_role("heading", name="It changed").wait_for()
    page.goto(f"{podium.url}/spaces/{space.id}/commits/main")
    page.get_by_role("link", name="Say that it changed").click()
    page.locator("tr.add", has_text="It changed").wait_for()


def test_spaces_are_found_while_typing(page, podium, space):
    name = space.id.partition("/")[2]
    sign_in(page, podium)
    answer = podium.request("POST", "/api/repos/create", {"name": name, "type": "space", "sdk": "static"}, podium.token)
    assert answer.status_code == 200, answer.text
    page.goto(podium.url)
    page.keyboard.press("/")
    page.keyboard.type(name)
    page.locator(f'.all .card a[href$="/{name}"]').wait_for()
    eventually(lambda: page.locator(".all .card").count() == 1, 10)  # a page of ours lets nobody evaluate strings
    page.keyboard.type(" nothing-of-this-name")
    page.get_by_role("heading", name="Nothing found").wait_for()


def test_no_page_is_wider_than_a_phone_or_heavier_than_it_should_be(page, podium, space):
    sign_in(page, podium)
    space.push(expect.APPS / "static_site")
    page.set_viewport_size({"width": 360, "height": 740})
    base = f"/spaces/{space.id}"
    paths = [
        "/",
        "/new",
        "/notifications",
        f"/{podium.owner}",
        base,
        f"{base}/tree/main",
        f"{base}/blob/main/index.html",
    ]
    paths += [f"{base}/commits/main", f"{base}/edit/main/index.html", f"{base}/use", f"{base}/logs", "/nothing/here"]
    sizes: list[int] = []
    page.on(
        "response", lambda r: r.url.startswith(podium.url) and sizes.append(int(r.headers.get("content-length") or 0))
    )
    for path in paths:
        sizes.clear()
        page.goto(podium.url + path)
        page.locator("html.js").wait_for(state="attached")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is {wide} pixels too wide"
        assert sum(sizes) < 100_000, f"{path} takes {sum(sizes)} bytes"
