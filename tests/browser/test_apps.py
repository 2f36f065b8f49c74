"""Apps as a person meets them: opened at their own URL, clicked, woken. No page of the console is needed here."""

import re

import pytest

from tests.apps import expect

pytestmark = pytest.mark.timeout(600)


def running(space, sample: str):
    space.push(expect.APPS / sample)
    space.wait("RUNNING")
    return space


def test_a_gradio_app_answers_a_click(page, space):
    running(space, "gradio_interface")
    page.goto(space.url)
    page.get_by_label("Text", exact=True).fill("to be or not to be")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_function("[...document.querySelectorAll('input[type=number]')].some(i => i.value === '6')")


def test_a_streamlit_app_counts_clicks(page, space):
    running(space, "streamlit_counter")
    page.goto(space.url)
    button = page.get_by_role("button", name="Add", exact=True)
    for total in (1, 2, 3):
        button.click()
        page.get_by_text(f"The total is {total} and the step is 1.").wait_for()


def test_a_static_site_runs_its_modules_and_links(page, space):
    running(space, "static_site")
    page.goto(space.url)
    page.get_by_text("3 planes: dart, glider, swallow").wait_for()
    page.get_by_role("link", name="How to fold one").click()
    page.get_by_text("Fold it in the middle first.").wait_for()


def test_a_sleeping_space_wakes_before_the_visitors_eyes(page, space):
    """One navigation, no reload by hand: first the waiting page, then the app."""
    running(space, "gradio_interface")
    space.sleep_after(3)
    space.wait("SLEEPING", timeout=90)
    shown = page.goto(space.url, wait_until="commit")
    assert shown is not None
    assert "text/html" in shown.headers["content-type"]
    assert page.get_by_label("Text", exact=True).count() == 0, "it cannot be up already"
    page.get_by_label("Text", exact=True).wait_for(timeout=120_000)
    page.get_by_role("button", name="Submit", exact=True).wait_for()


def test_a_failed_space_says_why(page, space):
    space.push(expect.APPS / "no_app_file")
    space.wait("NO_APP_FILE")
    page.goto(space.url)
    page.get_by_text(re.compile(r"app\.py")).first.wait_for()
