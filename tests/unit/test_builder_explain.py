"""What uv 0.13 really wrote (`uv_outputs/`, one file a case) and the sentence that the author gets for it."""

import re
from pathlib import Path

import pytest

from builder.backends.explain import explain, limit
from builder.errors import TransientError
from builder.requirements import Line

OUTPUTS = Path(__file__).parent / "uv_outputs"
WRITTEN = [
    "torhc", "sklearnx>=1", "numpy==9.9", "six>=1.17,<1.17", "pydantic<2", "pywin32==311", "mysqlclient==2.2.0", "pycrypto",
    "sklearn", "humanize>=99", "ipython==9.9.0", "starlette==0.20", "https://127.0.0.1:9/a-1.0-py3-none-any.whl",
]  # fmt: skip
LINES = [Line("gradio[mcp,oauth]==6.31.0", "README.md", 4, "gradio")] + [
    Line(text, "requirements.txt", number, "" if "://" in text else re.match(r"[\w-]+", text)[0])
    for number, text in enumerate(WRITTEN, 1)
]

CASES = {
    "not_found": ("REQ_NOT_FOUND", "requirements.txt:1", "torhc isn't on the index (did you mean torch?)"),
    "not_found_two": ("REQ_NOT_FOUND", "requirements.txt:2", "sklearnx isn't on the index"),
    "version": ("REQ_VERSION", "requirements.txt:3", "there is no release 'numpy==9.9' on the index"),
    "no_release": ("REQ_VERSION", "requirements.txt:10", "there is no release 'humanize>=99' on the index"),
    "version_range": (
        "REQ_CONFLICT",
        "requirements.txt:4",
        "you require six<1.17 and six>=1.17, which are incompatible",
    ),
    "conflict": ("REQ_CONFLICT", "requirements.txt:5", "gradio>=6.31.0 depends on pydantic>=2.0,<=3.0"),
    "conflict_pin": ("REQ_CONFLICT", "README.md:4", "gradio[oauth]==6.31.0 and gradio==5.0.0"),
    "conflict_deep": ("REQ_CONFLICT", "requirements.txt:12", "fastapi>=0.165.0 depends on starlette>=1.6.0"),
    "python_source": ("REQ_PYTHON", "requirements.txt:3", "set python_version: '3.12'"),
    "python2": ("REQ_PYTHON", "requirements.txt:11", "set python_version: '3.11'"),
    "platform": ("REQ_PLATFORM", "requirements.txt:6", "pywin32 has no release for this machine"),
    "platform_source": ("REQ_PLATFORM", "requirements.txt:6", "pywin32 has no release for this machine"),
    "hash": ("REQ_HASH", "requirements.txt:4", "is not the one that --hash names"),
    "build": ("REQ_BUILD", "requirements.txt:7", "a C library that pkg-config looks for is missing"),
    "build_header": ("REQ_BUILD", "requirements.txt:8", "the header longintrepr.h is missing"),
    "build_module": ("REQ_BUILD", "requirements.txt:9", "write scikit-learn instead"),
    "url404": ("REQ_FETCH", "requirements.txt:13", "cannot be fetched: Connection refused"),
}
OURS = {"offline", "refused"}
#: Answers after which the resolver is asked again with building allowed; never shown.
RETRIED = {"no_wheel", "python"}


def test_every_output_is_expected():
    assert {path.stem for path in OUTPUTS.glob("*.txt")} == {*CASES, *OURS, *RETRIED}


@pytest.mark.parametrize("name", CASES)
def test_author_gets_one_sentence_with_the_line(name):
    code, where, part = CASES[name]
    fault = explain((OUTPUTS / f"{name}.txt").read_text(), LINES, "3.11.7")
    assert (fault.code, fault.where) == (code, where)
    assert part in fault.message
    assert "\n" not in fault.message and len(fault.message) < 900


@pytest.mark.parametrize("name", sorted(OURS))
def test_trouble_of_ours_is_not_the_authors(name):
    assert isinstance(explain((OUTPUTS / f"{name}.txt").read_text(), LINES, "3.11.7"), TransientError)


def test_unknown_output_is_still_a_sentence():
    fault = explain("error: something new\n  cause: of another kind", LINES, "3.11.7")
    assert fault.code == "REQ_FAILED" and "something new" in fault.message
    assert explain("", [], "3.11.7").message


def test_limits():
    assert "30 min, while installing" in limit("timeout", "installing", 1800, 1).message
    assert "8 GiB" in limit("memory", "installing", 1800, 8 << 30).message
