"""The Files tab: what is shown, what a stranger's content can do (nothing), and commits made in the browser."""

import io
import re
import zipfile

import pytest

from orchestrator.domain.space import Visibility
from orchestrator.errors import Invalid, TooLarge
from tests.unit.test_web_pages import EVIL, ada, bob, console, make, stranger  # noqa: F401
from web import archive, diff, highlight


def text_of(console, space, path: str) -> bytes | None:  # noqa: F811
    repos = console.parts.repos
    return repos.read(space.id, repos.head(space.id), path, 10_000)


def send(browser, to: str, files=(), **fields):
    """A multipart form, as the page at `to` sends it."""
    content = [("file", one) for one in files] or [("none", ("", b""))]
    return browser.http.post(to, data={"proof": browser.proof(to), **fields}, files=content)


# -------------------------------------------------------------------------------------------------------------- pure


def test_source_is_coloured_and_escaped():
    found = highlight.lines("app.py", 'def f():\n    return "<b>"  # <i>\n')
    assert found[0].startswith('<b class="hk">def</b>')
    assert "&lt;b&gt;" in found[1] and "<i>" not in found[1]
    assert len(found) == 2


@pytest.mark.parametrize(
    "text", ["", "\n", "a\r\nb\n", "a\x0bb\nc", "x\x85y", "'''open\nnever closed", "\x00", EVIL * 3]
)
def test_lines_are_as_many_as_the_text_has(text):
    for path in ("a.py", "a.js", "a.html", "a.yaml", "a.unknown", "Dockerfile"):
        assert len(highlight.lines(path, text)) == len(text.splitlines())
        assert "<script" not in "".join(highlight.lines(path, text))


def test_a_patch_in_lines():
    patch = (
        "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n@@ -3,3 +3,4 @@ def f\n same\n-old\n+new\n+--- x\n"
        "diff --git a/b c.txt b/b c.txt\nnew file mode 100644\n--- /dev/null\n+++ b/b c.txt\t\n@@ -0,0 +1 @@\n+x\n"
        "\\ No newline at end of file\n"
        "diff --git a/x.png b/x.png\nBinary files a/x.png and b/x.png differ\n"
        'diff --git "a/q\\"t" "b/q\\"t"\ndeleted file mode 100644\n--- "a/q\\"t"\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n'
    )
    files, cut = diff.parse(patch)
    assert not cut
    assert [(f.path, f.what, f.added, f.removed) for f in files] == [
        ("a.py", "changed", 2, 1),
        ("b c.txt", "new", 1, 0),
        ("x.png", "binary", 0, 0),
        ('a/q"t', "deleted", 0, 1),
    ] or files[3].path.endswith('q"t')
    assert [(line.kind, line.old, line.new) for line in files[0].lines[1:]] == [
        (" ", 3, 3),
        ("-", 4, None),
        ("+", None, 4),
        ("+", None, 5),
    ]
    assert diff.parse("diff --git a/x b/x\n@@ -1 +1 @@\n" + "+y\n" * 9000)[1]


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive_:
        for name, data in files.items():
            archive_.writestr(name, data)
    out.seek(0)
    return out


def test_a_zip_loses_its_folder_and_what_systems_add():
    file = zipped({"demo/app.py": b"1", "demo/.git/config": b"x", "demo/.DS_Store": b"", "demo/src/a.txt": b"2"})
    found = {change.path: change.content for change in archive.changes(file, 100, 1000)}
    assert found == {"app.py": b"1", "src/a.txt": b"2"}


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (io.BytesIO(b"not a zip"), Invalid),
        (zipped({}), Invalid),
        (zipped({"a": b"0" * 5000}), TooLarge),
        (zipped({f"a{i}": b"0" * 900 for i in range(9)}), TooLarge),
        (io.BytesIO(zipped({"a": b"x" * 900}).getvalue()[:-30]), Invalid),
    ],
)
def test_a_zip_that_cannot_be_used_says_so(file, error):
    with pytest.raises(error):
        archive.changes(file, 1000, 5000)


# -------------------------------------------------------------------------------------------------------------- pages


def test_each_entry_tells_its_last_commit(console, ada, stranger, make):  # noqa: F811
    space = make(files={"a.txt": b"1", "b/c.txt": b"2"}, message="Begin")
    base = f"/spaces/{space.full_name}"
    answer = send(ada, f"{base}/edit/main/b/c.txt", path="b/c.txt", text="3", message="Three", parent="")
    assert answer.status_code == 303, answer.text
    address = re.search(r'data-lasts="([^"]+)"', stranger.get(f"{base}/tree/main").text)[1]
    told = stranger.get(address).json()
    assert told["a.txt"][0] == "Begin" and told["b"][0] == "Three"
    assert "Three" in stranger.get(f"{base}/commit/{told['b'][1]}").text
    first = stranger.get(f"{base}/commit/{told['a.txt'][1]}").text
    assert 'class="add"' in first and "a.txt" in first, "also the first commit is a diff"


def test_a_file_is_edited_moved_added_and_deleted(console, ada, make):  # noqa: F811
    space = make(files={"app.py": b"print(1)\n"})
    base = f"/spaces/{space.full_name}"
    page = ada.get(f"{base}/edit/main/app.py").text
    parent = re.search(r'name="parent" value="([0-9a-f]{40})"', page)[1]
    assert "print(1)" in page
    path = f"{base}/edit/main/app.py"
    assert send(ada, path, path="app.py", text="print(2)\r\n", parent=parent).status_code == 303
    assert text_of(console, space, "app.py") == b"print(2)\n"
    late = send(ada, path, path="app.py", text="print(3)", parent=parent)
    assert late.status_code == 422 and "Somebody changed" in late.text and "print(3)" in late.text
    assert send(ada, path, path="main.py", text="x").headers["location"].startswith(f"{base}/blob/main/main.py")
    assert text_of(console, space, "app.py") is None and text_of(console, space, "main.py") == b"x"
    assert send(ada, f"{base}/new/main", path="new/file.txt", text="y").status_code == 303
    again = send(ada, f"{base}/new/main", path="new/file.txt", text="z")
    assert again.status_code == 422 and "already" in again.text
    assert ada.post(f"{base}/remove/main/new/file.txt", f"{base}/blob/main/new/file.txt").status_code == 303
    assert text_of(console, space, "new/file.txt") is None
    assert console.parts.spaces.get(space.id).sha == console.parts.repos.head(space.id), "each of them is deployed"


def test_files_are_uploaded_below_the_folder_that_is_open(console, ada, make):  # noqa: F811
    space = make(files={"data/a.txt": b"1"})
    base = f"/spaces/{space.full_name}"
    files = [("b.bin", b"\0\1"), ("..\\..\\c.txt", b"c"), ("../../d.txt", b"d")]
    assert send(ada, f"{base}/upload/main/data", files).status_code == 303
    assert [text_of(console, space, f"data/{name}") for name in ("b.bin", "c.txt", "d.txt")] == [b"\0\1", b"c", b"d"]
    large = send(ada, f"{base}/upload/main", [("big.bin", b"0" * (5 * 1024**2 + 1))])
    assert large.status_code == 422 and "larger than 5 MB" in large.text
    nothing = send(ada, f"{base}/upload/main")
    assert nothing.status_code == 422 and "Choose at least one" in nothing.text


@pytest.mark.parametrize("path", ["../x", "/etc/passwd/../x", "a//b", ".git/config", "a\nb", ""])
def test_odd_paths_are_refused_in_words(console, ada, make, path):  # noqa: F811
    space = make()
    answer = send(ada, f"/spaces/{space.full_name}/new/main", path=path, text="x")
    assert answer.status_code == 422 and 'role="alert"' in answer.text


def test_only_writers_change_files_and_only_by_our_own_forms(console, ada, bob, stranger, make):  # noqa: F811
    space = make()
    base = f"/spaces/{space.full_name}"
    for tab, seen in (("edit/main/app.py", 200), ("new/main", 200), ("upload/main", 403)):
        assert bob.get(f"{base}/{tab}").status_code == seen, "readers may propose"
        assert stranger.get(f"{base}/{tab}").status_code == 303
    fields = {"proof": bob.proof("/new"), "path": "app.py", "text": "evil"}
    files = [("file", ("app.py", b"evil"))]
    assert bob.http.post(f"{base}/upload/main", data=fields, files=files).status_code == 403
    assert bob.http.post(f"{base}/remove/main/app.py", data=fields).status_code == 403
    proposed = bob.http.post(f"{base}/edit/main/app.py", data=fields, files=files)
    assert "/discussions/" in proposed.headers["location"]
    for proof in ("", "0" * 40):
        answer = ada.http.post(f"{base}/new/main", data={"proof": proof, "path": "x"}, files=[("f", ("x", b"x"))])
        assert answer.status_code == 403
    headers = {"sec-fetch-site": "same-site"}
    assert ada.http.post(f"{base}/new/main", files=[("f", ("x", b"x"))], headers=headers).status_code == 403
    assert text_of(console, space, "app.py") == b"print(1)\n"


def test_history_and_diffs_of_hidden_code_are_hidden(console, ada, bob, make):  # noqa: F811
    space = make(Visibility.PROTECTED)
    base, head = f"/spaces/{space.full_name}", console.parts.repos.head(space.id)
    for tab in (f"commit/{head}", "commits/main", "lasts/main", f"lasts/{head}"):
        assert bob.get(f"{base}/{tab}").status_code == 404, tab
        assert ada.get(f"{base}/{tab}").status_code == 200, tab


def test_a_diff_is_only_text(console, ada, make):  # noqa: F811
    space = make(files={"a.html": EVIL.encode(), f"{EVIL.replace('/', '')}.txt": b"x"}, message=EVIL)
    base = f"/spaces/{space.full_name}"
    for tab in (f"commit/{console.parts.repos.head(space.id)}", "commits/main", "edit/main/a.html", "blob/main/a.html"):
        assert "<script>" not in ada.get(f"{base}/{tab}").text, tab


# ------------------------------------------------------------------------------------------------------------ community


def test_a_reader_proposes_a_change_and_a_writer_merges_it(console, ada, bob, stranger, make):  # noqa: F811
    space = make(files={"app.py": b"print(1)\n"})
    base = f"/spaces/{space.full_name}"
    answer = send(bob, f"{base}/edit/main/app.py", path="app.py", text="print(2)", message="Print two", parent="")
    assert answer.status_code == 303 and text_of(console, space, "app.py") == b"print(1)\n"
    talk = answer.headers["location"]
    assert "Print two" in stranger.get(f"{base}/discussions").text
    page = ada.get(talk).text
    assert 'class="add"' in page and "Merge and deploy" in page
    assert "Merge and deploy" not in bob.get(talk).text
    assert bob.post(f"{talk}/merge", talk).status_code == 403
    assert bob.post(f"{talk}/comment", talk, text=f"please **merge** {EVIL}").status_code == 303
    page = ada.get(talk).text
    assert "<strong>merge</strong>" in page and "<script>alert" not in page
    assert ada.post(f"{talk}/merge", talk).status_code == 303
    assert text_of(console, space, "app.py") == b"print(2)"
    assert "Print two" not in stranger.get(f"{base}/discussions").text
    assert "Print two" in stranger.get(f"{base}/discussions?show=closed").text


def test_a_discussion_is_begun_and_closed(console, ada, bob, stranger, make):  # noqa: F811
    space = make()
    base = f"/spaces/{space.full_name}/discussions"
    begun = bob.post(base, base, title="It is slow", text="Why?")
    assert begun.status_code == 303
    talk = begun.headers["location"]
    assert bob.post(base, base, title="x", text="y").status_code == 422, "a title has three letters"
    assert bob.post(f"{talk}/comment", talk, text=" ").status_code == 422
    assert ada.post(f"{talk}/closed", talk).status_code == 303
    assert "Open again" in bob.get(talk).text
    assert stranger.get(f"{base}/999").status_code == 404
    hidden = make(Visibility.PROTECTED)
    assert stranger.get(f"/spaces/{hidden.full_name}/discussions").status_code == 404
