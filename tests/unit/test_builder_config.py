"""Front matter: what is read, what is refused and where, what is only warned about."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder import config
from builder.config import Config, parse, schema
from builder.errors import Fault, FaultKind
from builder.keys import KEYS, SDKS


def readme(body: str) -> str:
    return f"---\n{body}\n---\n# Demo\n"


def test_everything_is_read():
    read = parse(
        readme(
            "title: Turtle\nemoji: 🐢\ncolorFrom: red\ncolorTo: gray\nsdk: gradio\nsdk_version: 6.31.0\n"
            "python_version: '3.10'\napp_file: ./src/app.py\nbase_path: /ui\nfullWidth: false\nheader: mini\n"
            "short_description: slow\nmodels:\n- a/b\ntags: [x, 1]\nlicense: mit\npinned: true\n"
            "startup_duration_timeout: 1h\ndisable_embedding: true\n"
            "custom_headers:\n  cross-origin-opener-policy: same-origin"
        )
    )
    assert (read.sdk, read.sdk_version, read.python_version, read.app_file) == (
        "gradio",
        "6.31.0",
        "3.10",
        "src/app.py",
    )
    assert (read.title, read.emoji, read.color_from, read.color_to) == ("Turtle", "🐢", "red", "gray")
    assert (read.base_path, read.full_width, read.header, read.startup_timeout) == ("/ui", False, "mini", 3600.0)
    assert (read.models, read.tags, read.pinned, read.disable_embedding) == (("a/b",), ("x", "1"), True, True)
    assert read.custom_headers == {"cross-origin-opener-policy": "same-origin"}
    assert read.warnings == ()
    assert read.line("custom_headers") == 21 and read.line("title") == 2
    assert json.loads(json.dumps(read.card))["tags"] == ["x", 1]


def test_scalars_are_read_as_yaml_1_2():
    card = parse(readme("a: yes\nb: 010\nc: 1:30\nd: null\ne: 0x1f\nf: 1e3\ng: .inf\nh: '3'\ni: 2020-01-01")).card
    assert card == {
        "a": "yes",
        "b": 10,
        "c": "1:30",
        "d": None,
        "e": 31,
        "f": 1000.0,
        "g": ".inf",
        "h": "3",
        "i": "2020-01-01",
    }


@pytest.mark.parametrize("text", ["", "# Only text", "---\n\nA rule, no front matter", "---\n---\n"])
def test_no_front_matter_is_a_notice(text):
    read = parse(text)
    assert read.sdk is None and len(read.warnings) == 1


def test_bom_crlf_and_blank_lines_are_fine():
    assert parse("\ufeff---\r\nsdk: static\r\n---\r\nhello").sdk == "static"
    assert parse("\n\n---\nsdk: static\n---").line("sdk") == 4


BAD = [
    ("title: [", "YAML_SYNTAX", 3, "not valid YAML"),
    ("- a\n- b", "YAML_SYNTAX", 2, "key: value"),
    ("a: 1\n...\nb: 2", "YAML_SYNTAX", 4, ""),
    ("title: \x01", "YAML_SYNTAX", 2, "control characters"),
    ("a: &x [1]\nb: *x", "YAML_UNSAFE", 2, "aliases"),
    ("a: !!python/object:os.system x", "YAML_UNSAFE", 2, "python/object"),
    ("a: " + "[" * 5000, "YAML_UNSAFE", 2, "deeper"),
    ("? [a]\n: b", "YAML_UNSAFE", 2, "plain word"),
    ("sdk: gradio\nsdk: static", "DUPLICATE_KEY", 3, "'sdk'"),
    ("a:\n  b: 1\n  b: 2", "DUPLICATE_KEY", 4, "'b'"),
    ("a: " + "x" * 70000, "TOO_LARGE", 1, "65536"),
    ("sdk: gradioo", "SDK", 2, "unknown sdk 'gradioo', did you mean 'gradio'?"),
    ("sdk: 7", "SDK", 2, "valid are: gradio, streamlit, static, docker"),
    ("sdk_version: 5.10", "SDK_VERSION", 2, "'5.10' with quotes"),
    ("sdk_version: '6; rm'", "SDK_VERSION", 2, "6.20.0"),
    ("python_version: 2.7", "PYTHON_VERSION", 2, "3.9 to 3.15"),
    ("python_version: 3.99", "PYTHON_VERSION", 2, "3.9 to 3.15"),
    ("python_version: 3.10", "PYTHON_VERSION", 2, "'3.10' with quotes"),
    ("python_version: 3.1", "PYTHON_VERSION", 2, "3.9 to 3.15"),
    ("python_version: [3]", "PYTHON_VERSION", 2, "supported"),
    ("sdk: gradio\napp_file: ../../x.py", "APP_FILE", 3, "inside the repo"),
    ("app_file: /etc/passwd", "APP_FILE", 2, "inside the repo"),
    ("app_file: -c.py", "APP_FILE", 2, "inside the repo"),
    ("sdk: gradio\napp_file: app.py; id", "APP_FILE", 3, "Python file"),
    ("sdk: streamlit\napp_file: notes.txt", "APP_FILE", 3, "Python file"),
    ('app_file: "a\\u202ey.py"', "APP_FILE", 2, "direction"),
    ("base_path: //evil.example", "BASE_PATH", 2, "one slash"),
    ("base_path: docs", "BASE_PATH", 2, "one slash"),
    ("base_path: /\\evil", "BASE_PATH", 2, "one slash"),
    ('base_path: "/a\\r\\nb"', "BASE_PATH", 2, "control"),
    ("custom_headers:\n  set-cookie: a", "CUSTOM_HEADERS", 3, "only cross-origin-embedder-policy"),
    ("custom_headers:\n  Cross-Origin-Opener-Policy: same-origin", "CUSTOM_HEADERS", 3, "lower case"),
    ("custom_headers:\n  cross-origin-opener-policy: x", "CUSTOM_HEADERS", 3, "must be one of"),
    ('custom_headers:\n  cross-origin-opener-policy: "same-origin\\r\\nx: y"', "CUSTOM_HEADERS", 3, "must be one of"),
    ("custom_headers: x", "CUSTOM_HEADERS", 2, "mapping"),
    ("startup_duration_timeout: 10y", "STARTUP_TIMEOUT", 2, "30m"),
    ("startup_duration_timeout: -5m", "STARTUP_TIMEOUT", 2, "30m"),
    ("startup_duration_timeout: 99h", "STARTUP_TIMEOUT", 2, "at most 24h"),
    ("startup_duration_timeout: 30", "STARTUP_TIMEOUT", 2, "unit"),
    ("title: " + "x" * 10000, "TITLE", 2, "10000"),
    ('title: "a\\u202eb"', "TITLE", 2, "direction"),
    ("title: [a]", "TITLE", 2, "a list"),
    ("short_description: " + "x" * 61, "SHORT_DESCRIPTION", 2, "less than or equal to 60 characters long"),
    ("emoji: hello", "EMOJI", 2, "one emoji"),
    ("emoji: <b>", "EMOJI", 2, "one emoji"),
    ("colorFrom: mauve", "COLOR", 2, "must be one of [red, yellow"),
    ("models: a/b", "MODELS", 2, "list"),
    ("datasets: [{a: 1}]", "DATASETS", 2, "mapping"),
    ("tags: [" + "x," * 10000 + "]", "TAGS", 2, "10000 entries"),
    ("app_port: 70000", "APP_PORT", 2, "1 to 65535"),
    ("app_port: true", "APP_PORT", 2, "1 to 65535"),
    ("pinned: yes", "PINNED", 2, "true or false"),
    ("hf_oauth_expiration_minutes: 50000", "HF_OAUTH", 2, "43200"),
]


@pytest.mark.parametrize(("body", "code", "line", "part"), BAD, ids=[f"{case[1]}-{case[0][:24]!r}" for case in BAD])
def test_bad_front_matter(body, code, line, part):
    with pytest.raises(Fault) as caught:
        parse(readme(body))
    fault = caught.value
    assert (fault.code, fault.where, fault.kind) == (code, f"README.md:{line}", FaultKind.CONFIG)
    assert part in fault.message
    assert fault.message.isprintable() and len(fault.message) < 600


def test_front_matter_that_is_never_closed():
    with pytest.raises(Fault, match="never closed"):
        parse("---\nsdk: gradio\n\n# Demo\n")


def test_a_title_may_hold_html():
    assert parse(readme("title: <script>alert(1)</script>")).title == "<script>alert(1)</script>"


def test_unknown_keys_and_unused_keys_warn():
    warnings = parse(
        readme("sdk: gradio\nsdk_versoin: 1\nfull_width: true\npreload_from_hub: [a/b]\napp_port: 1\nx: 1")
    ).warnings
    assert len(warnings) == 5
    assert any("README.md:3" in w and "'sdk_version'" in w for w in warnings)
    assert any("'fullWidth'" in w for w in warnings)


def test_schema_lists_exactly_the_keys_that_are_parsed():
    published = schema()["properties"]
    assert set(published) == set(KEYS)
    assert all(entry["description"].endswith(".") for entry in published.values())
    assert published["sdk"]["enum"] == list(SDKS)
    known = {field for field in Config.__dataclass_fields__} - {"card", "warnings", "lines"}
    assert {config._FIELDS.get(name, name) for name in KEYS} == known
    json.dumps(schema())


WORDS = st.sampled_from(
    [
        *KEYS,
        "---",
        "\n",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&a",
        "*a",
        "!!x",
        "<<",
        "'",
        '"',
        "|",
        ">",
        "3.10",
        "\t",
        "#",
        "\r",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=60).map("".join)))
def test_any_text_is_a_config_or_a_fault(body):
    began = time.monotonic()
    for text in (body, readme(body)):
        try:
            json.dumps(dict(parse(text).card), allow_nan=False)
        except Fault as fault:
            assert fault.kind is FaultKind.CONFIG
            assert fault.message.isprintable()
    assert time.monotonic() - began < 5
