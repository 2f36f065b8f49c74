"""Whole stories on a Podium where nobody is yet: the first admin, a Space from a template that is broken and rolled back,
hardware that a member asks for and an admin gives, a link that ends by itself."""

import re
import sqlite3
import time

import pytest

from tests.browser.test_console import sign_in
from tests.podium import Podium
from tests.support import eventually

pytestmark = pytest.mark.timeout(900)
CATALOGUE = """
flavors:
  - {name: cpu-basic, cpu: 1, memory: 2 GB}
  - {name: gpu-like, pretty_name: As good as a GPU, cpu: 2, memory: 3 GB, allowed: request}
"""
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def podium(tmp_path_factory):
    home = tmp_path_factory.mktemp("stories")
    (home / "hardware.yaml").write_text(CATALOGUE)
    made = Podium(home, hardware=str(home / "hardware.yaml"))
    made.token = "nobody's"  # so that it makes no user
    try:
        yield made.start()
        made.stop()
    finally:
        made.end()


def app(page):
    return page.frame_locator("#frame iframe")


def asked(page, text: str, words: str) -> None:
    """The template's app says how many words there are in a text."""
    app(page).get_by_label("Text", exact=True).fill(text)
    app(page).get_by_role("button", name="Submit").click()
    eventually(lambda: app(page).get_by_label("Words", exact=True).input_value() == words, 60)


def test_from_the_first_admin_to_a_rollback(page, podium):
    (link,) = eventually(lambda: re.findall(r"http\S+/login/first\?code=\S+", podium.log.read_text()), 20)
    page.goto(link)
    page.get_by_label("Name", exact=True).fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("Welcome. You run this Podium now.").wait_for()

    page.get_by_role("link", name="New Space").click()
    page.get_by_label("Name", exact=True).fill("words")
    page.get_by_role("radio", name=re.compile("^Gradio")).check(force=True)
    page.get_by_role("button", name="Create Space").click()
    page.locator(".timeline [aria-current=step]").wait_for()  # it is built before one's eyes
    page.locator("#tail .tail-lines div").first.wait_for(timeout=120_000)
    app(page).get_by_role("button", name="Submit").wait_for(timeout=300_000)
    asked(page, "one two three", "3")

    page.goto(f"{podium.url}/spaces/grace/words/new/main")
    page.locator("input[name=path]").fill("requirements.txt")
    page.locator("textarea[name=text]").fill("no-such-package-of-podium\n")
    page.get_by_role("button", name="Commit to main").click()
    page.get_by_role("link", name="App", exact=True).click()
    banner = page.locator("#banner")
    banner.get_by_text("no-such-package-of-podium").wait_for(timeout=120_000)
    banner.get_by_text("An earlier version serves meanwhile").wait_for()
    asked(page, "still here", "2")

    page.get_by_role("link", name="Logs").first.click()
    page.get_by_text("requirements.txt:1").first.wait_for()
    page.get_by_role("button", name="Roll back to #1").click()
    page.get_by_text("Going back to that build.").wait_for()
    page.get_by_role("link", name="App", exact=True).click()
    page.locator("#badge").get_by_text("Running", exact=True).wait_for(timeout=120_000)
    eventually(lambda: banner.inner_text().strip() == "", 60)
    asked(page, "as it was before", "4")


def static_space(page, podium, name: str, visibility: str = "Public") -> str:
    page.goto(f"{podium.url}/new?template=static&name={name}")
    page.get_by_role("radio", name=re.compile(f"^{visibility}")).check()
    page.get_by_role("button", name="Create Space").click()
    app(page).get_by_role("heading", name="It works").wait_for(timeout=120_000)
    return page.url.partition("?")[0]


def test_a_member_asks_for_hardware_and_an_admin_gives_it(page, chromium, podium):
    podium.user("mia")
    podium.owner = "mia"
    sign_in(page, podium)
    url = static_space(page, podium, "demo")
    page.get_by_role("link", name="Settings").last.click()
    page.get_by_label("Move it to").select_option("gpu-like")
    page.get_by_label("Why").fill("for a talk")
    page.locator("#hardware").get_by_role("button", name="Save").click()
    page.get_by_text("Asked. An admin decides").wait_for()

    boss = chromium.new_context().new_page()
    podium.user("root", admin=True)
    podium.owner = "root"
    sign_in(boss, podium)
    boss.goto(f"{podium.url}/admin")
    boss.locator("#needs").get_by_text("mia/demo").wait_for()
    boss.locator("#needs").get_by_role("link", name="Decide").click()
    boss.get_by_text("for a talk").wait_for()
    boss.get_by_role("button", name="Approve gpu-like for mia/demo").click()
    boss.get_by_text("Given. The Space moves now.").wait_for()
    boss.context.close()

    def moved() -> bool:
        page.goto(f"{url}/settings")
        return page.get_by_text("Runs on As good as a GPU").is_visible()

    eventually(moved, 60, every=1)
    page.goto(url)
    app(page).get_by_role("heading", name="It works").wait_for()


def test_a_link_ends_by_itself(page, chromium, podium):
    podium.user("noor")
    podium.owner = "noor"
    sign_in(page, podium)
    url = static_space(page, podium, "secret", "Private")
    page.goto(f"{url}/use")
    page.get_by_label("Who gets it").fill("Kim")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_text(re.compile(r"^http\S+/open/shared\?link=[\w-]+$")).inner_text()
    ends = (
        int(time.time()) + 8
    )  # what the guest is given ends with a second, as all JWTs do; the link is to end with it
    with sqlite3.connect(
        podium.data / "podium.db", timeout=30
    ) as database:  # as if it had been made almost an hour ago
        assert database.execute("UPDATE share_links SET expires_at = ?", (ends,)).rowcount == 1
    guest = chromium.new_context().new_page()
    guest.goto(link)
    guest.get_by_role("heading", name="It works").wait_for()
    inside = guest.url
    eventually(lambda: guest.goto(inside).status == 404, 60, every=1)
    assert guest.goto(link).status == 404
    guest.get_by_text("This link has ended").wait_for()
    guest.context.close()
