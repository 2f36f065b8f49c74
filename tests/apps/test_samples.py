"""The samples themselves: every promise is readable, and the README explains every key of it."""

from dataclasses import fields

import pytest

from tests.apps import expect


@pytest.mark.parametrize(
    "folder", [p for p in sorted(expect.APPS.iterdir()) if p.is_dir() and p.name[0] not in "_."], ids=lambda p: p.name
)
def test_every_folder_keeps_the_schema(folder):
    assert (folder / "expect.toml").is_file(), "a sample without a promise tests nothing"
    promise = expect.load(folder)
    assert promise.reason or promise.log or promise.http or promise.gradio or promise.script, "it promises only a stage"


def test_the_readme_explains_every_key():
    text = (expect.APPS / "README.md").read_text()
    names = [f.name for kind in (expect.Expect, expect.Http, expect.Gradio) for f in fields(kind)]
    assert [name for name in names if name != "folder" and f"`{name}`" not in text and f"[{name}]" not in text] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('stage = "RUNNING"\nstagee = 1', "unknown key stagee"),
        ("within = 3", "stage"),
        ('stage = "GOING"', "write one of"),
        ('stage = "RUNNING"\nwithin = "3"', "within"),
        ('stage = "RUNNING"\n[[http]]\nstatus = 200', "path"),
        ('stage = "RUNNING"\n[[http]]\npath = "/"\ncode = 3', "unknown key code"),
        ('stage = "RUNNING"\nreason = "("', "regular expression"),
        ('stage = "RUNNING"\nscript = "nothing.py"', "not in the folder"),
        ('stage = "BUILD_ERROR"\n[[gradio]]\napi_name = "/x"\nresult = 1', "runs"),
        ('stage = "RUNNING"\nlog = { builds = "x" }', "build and run"),
    ],
)
def test_a_wrong_promise_is_refused(tmp_path, text, complaint):
    (tmp_path / "expect.toml").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        expect.load(tmp_path)
