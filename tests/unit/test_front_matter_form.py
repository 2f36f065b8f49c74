"""The front matter as a form: what is written back, line by line, and that the builder reads it as it was meant."""

import pytest

from builder import config
from builder.errors import Fault
from web.front_matter import FIELDS, key_at, rewrite, values_of

README = """---
# by hand
title: "My: demo"   # quoted
tags:
  - one
  - two words

custom: kept
sdk: gradio
app_port: 7860
---
# Text

---
title: not this one
---
"""


def test_only_the_lines_of_changed_keys_change() -> None:
    after = rewrite(README, {"title": "Other", "emoji": "🎈"})
    assert (
        after.replace("title: Other\n", 'title: "My: demo"   # quoted\n', 1).replace('emoji: "🎈"\n', "", 1) == README
    )


def test_a_value_over_several_lines_is_replaced_whole_or_goes() -> None:
    assert "tags: [a, b c]\n\ncustom: kept" in rewrite(README, {"tags": "a, b c"})
    assert config.parse(rewrite(README, {"tags": "a, b c"})).tags == ("a", "b c")
    gone = rewrite(README, {"tags": ""})
    assert "two words" not in gone and config.parse(gone).title == "My: demo"


def test_values_come_back_as_they_were_typed() -> None:
    values = values_of(README)
    assert (values["title"], values["tags"], values["sdk"], values["app_port"]) == (
        "My: demo", "one, two words", "gradio", "7860",
    )  # fmt: skip
    assert values["pinned"] == "" and values_of("---\npinned: true\n---\n")["pinned"] == "1"


@pytest.mark.parametrize(
    "typed",
    ["yes", "no", "null", "3.10", "1e3", "0x1f", "- x", "# x", "a: b", "'", '"', "[x", "{y}", "&a", "*a", "!t", "%", "@", "|",
     "> x", "2026-11-22", "ein Wörtchen", "---", "a #b", "~", "<script>", "\\n", "off"],
)  # fmt: skip
def test_every_title_is_read_back_exactly(typed: str) -> None:
    after = rewrite(README, {"title": typed})
    assert config.parse(after).title == typed and values_of(after)["title"] == typed


def test_versions_stay_text() -> None:
    after = rewrite(
        "", {"sdk": "gradio", "sdk_version": "5.10", "python_version": "3.10", "pinned": "1", "app_port": "80"}
    )
    found = config.parse(after)
    assert (found.sdk_version, found.python_version, found.pinned, found.app_port) == ("5.10", "3.10", True, 80)


def test_a_readme_without_a_block_gets_one_before_its_text() -> None:
    assert rewrite("# Hello\n", {"title": "T"}) == "---\ntitle: T\n---\n\n# Hello\n"
    assert rewrite("", {"title": "T"}) == "---\ntitle: T\n---\n"


def test_windows_lines_stay() -> None:
    after = rewrite("---\r\ntitle: a\r\n---\r\nText\r\n", {"title": "b", "emoji": "x"})
    assert after == "---\r\ntitle: b\r\nemoji: x\r\n---\r\nText\r\n"


def test_a_fault_is_shown_at_its_field() -> None:
    after = rewrite(README, {"colorFrom": "mauve"})
    with pytest.raises(Fault) as caught:
        config.parse(after)
    assert key_at(after, caught.value.line) == "colorFrom"


def test_a_block_that_cannot_be_read_gives_an_empty_form() -> None:
    assert set(values_of("---\n: [\n---\n").values()) == {""}


def test_every_field_is_a_key_of_the_builder() -> None:
    assert {field.key for field in FIELDS} <= set(config.schema()["properties"])
