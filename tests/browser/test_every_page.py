"""Every page, once: what it weighs, how soon it shows something, that nothing jumps, that nothing is wider than a phone, and what
axe-core has to say of it in light and in dark. With `PODIUM_TEST_PICTURES` in the environment, a directory, the pictures of the
docs are written there."""

import os
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.gallery import Gallery
from web.docs import PICTURES

pytestmark = pytest.mark.timeout(900)
BYTES, REQUESTS, SHIFT = 100_000, 12, 0.05
PAINT = 300.0  #: milliseconds to the first paint, of the median page; a busy machine paints some of them late
AXE = files("axe_playwright_python").joinpath("axe.min.js")
WORST = ("serious", "critical")
SIZE = {"width": 1280, "height": 800}
MEASURE = """() => new Promise((done) => {
  let shift = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) shift += one.value; })
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done({
    shift, paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter((one) => one.initiatorType !== "iframe").map((one) => one.encodedBodySize),
    wide: document.documentElement.scrollWidth - innerWidth,
  }), 60);
})"""
RULES = """(rules) => axe.run(
  document, { iframes: false, resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) }).then(
  (told) => told.violations.map((one) => [one.impact, one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160))]))"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    made = Gallery(tmp_path_factory.mktemp("gallery"))
    with made.listening():
        yield made.fill()


@pytest.fixture
def browsers(chromium, gallery):
    """A signed-in page of each, by name; "" for a stranger."""
    pages = {}
    for who in ("", "ada", "bob", "root"):
        context = chromium.new_context(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        if who:
            session = gallery.parts.accounts.new_session(getattr(gallery, who))
            context.add_cookies([{"name": gallery.parts.session_cookie, "value": session, "url": gallery.url}])
        pages[who] = context.new_page()
    yield pages
    for page in pages.values():
        page.context.close()


def said(page, rules: list[str] | None = None) -> list[str]:
    """What axe finds that is serious, in words."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())  # through the debugger: the page's own policy lets no script in
    return [f"{rule}: {nodes}" for impact, rule, nodes in page.evaluate(RULES, rules) if impact in WORST]


def test_every_page_is_light_quick_and_for_everybody(gallery, browsers):
    wrong: list[str] = []
    paints: list[float] = []
    for one in gallery.pages():
        page, at = browsers[one.who], f"{one.name} ({one.path})"
        errors: list[str] = []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        answer = page.goto(gallery.url + one.path)
        assert answer is not None and answer.status == one.status, at
        told = page.evaluate(MEASURE)
        paints.append(told["paint"])
        picture(page, one.name)
        wrong += [f"{at}: {words}" for words in (*errors, *said(page))]
        if sum(told["bytes"]) > BYTES or len(told["bytes"]) > REQUESTS:
            wrong.append(f"{at}: {sum(told['bytes'])} bytes in {len(told['bytes'])} requests")
        if told["shift"] > SHIFT:
            wrong.append(f"{at}: jumps by {told['shift']:.3f}")
        page.emulate_media(color_scheme="dark")
        wrong += [f"{at}, dark: {words}" for words in said(page, ["color-contrast"])]
        page.set_viewport_size({"width": 360, "height": 740})
        if (wide := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
            wrong.append(f"{at}: {wide} pixels wider than a phone")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(SIZE)
    paints.sort()
    print(f"{len(paints)} pages: first paint {paints[len(paints) // 2]:.0f} ms, the slowest {paints[-1]:.0f} ms")
    assert not wrong, "\n".join(wrong)
    assert paints[len(paints) // 2] < PAINT or os.getloadavg()[0] > 2


def picture(page, name: str) -> None:
    folder = os.environ.get("PODIUM_TEST_PICTURES")
    if folder and name in [one for one, _, _ in PICTURES]:
        seen = Image.open(BytesIO(page.screenshot())).resize((800, 500), Image.Resampling.LANCZOS)
        seen.save(Path(folder) / f"{name}.webp", quality=60, method=6)
