"""The pages of models and datasets: found, shown, changed, gated; private ones do not exist for strangers."""

import hashlib
import re
from urllib.parse import quote

import pytest

from orchestrator.domain.repo import RepoKind
from orchestrator.domain.space import MAIN, Visibility
from orchestrator.domain.tree import Change
from orchestrator.errors import Invalid
from tests.unit.test_web_files import send, text_of
from tests.unit.test_web_pages import EVIL, ada, bob, console, make, stranger  # noqa: F401
from web import card, gate
from web.addresses import NOT_OWNERS

MODEL, DATASET = RepoKind.MODEL, RepoKind.DATASET
CARD = b"""---
license: mit
library_name: transformers
pipeline_tag: text-classification
extra_gated_prompt: "Be **kind** <script>x</script>"
extra_gated_fields:
  Company: text
  I agree: checkbox
  Use: {type: select, options: [Research, {label: Other, value: other}]}
---
# Hello
[file](a/b.txt)
"""
FILES = {"README.md": CARD, "config.json": b"{}\n", "a/b.txt": b"text\n"}


@pytest.fixture
def owner(console):  # noqa: F811
    return console.parts.accounts.caller(f"Bearer {console.token}")


@pytest.fixture
def repo(console, owner, request):  # noqa: F811
    """Makes models and datasets of Ada's, with files."""
    count = iter(range(100))

    def made(kind=MODEL, visibility=Visibility.PUBLIC, files=FILES, gated="", message="First"):
        name = f"r{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]}-{next(count)}"
        one = console.parts.hosted.create(owner, kind, name, None, visibility)
        if files:
            changes = [Change(path, data) for path, data in files.items()]
            console.parts.pushes.commit(owner, one, changes, message, None, MAIN)
            console.parts.pushes.landed(one.id)
        if gated:
            console.parts.hosted.change(owner, one, gated=gated)
        return console.parts.hosted.get(one.id)

    return made


# --------------------------------------------------------------------------------------------------------------- pure


def test_the_form_of_a_gate_is_what_the_card_says():
    found = gate.fields(
        {"A": "text", "B": "checkbox", "C": {"type": "select", "options": ["x", {"label": "y"}]}, "D": 7}
    )
    assert [(f.words, f.kind, f.options) for f in found] == [
        ("A", "text", ()),
        ("B", "checkbox", ()),
        ("C", "select", ("x", "y")),
        ("D", "text", ()),
    ]
    for odd in (None, [], "text", {"a": {"type": "select"}}, {"a": {"type": "select", "options": {"x": 1}}}):
        assert all(field.kind == "text" for field in gate.fields(odd))


@pytest.mark.parametrize(
    ("paths", "file"),
    [
        (["README.md", "config.json", "a.bin"], "config.json"),
        ([".gitattributes", "README.md", "train.csv"], "train.csv"),
        ([".gitattributes", "README.md"], "README.md"),
        (['"); import os #'], "README.md"),
        ([], "README.md"),
    ],
)
def test_the_file_to_show_a_download_with(paths, file):
    assert card.sample(paths) == file


# ---------------------------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize("kind", [MODEL, DATASET])
def test_the_pages_of_a_repo(console, ada, stranger, repo, kind):  # noqa: F811
    one = repo(kind)
    base, head = f"/{one.path}", console.parts.repos.head(one.id)
    tabs = [
        "tree/main",
        "tree/main/a",
        f"tree/{head}",
        "blob/main/a/b.txt",
        "commits/main",
        f"commit/{head}",
        "discussions",
    ]
    for browser in (stranger, ada):
        page = browser.get(base)
        assert page.status_code == 200 and "<h1>Hello</h1>" in page.text
        assert f"git clone {console.parts.public_url}/{one.path}<" in page.text
        assert f'href="{base}/blob/main/a/b.txt"' in page.text, "links of the card lead to files"
        for tab in (*tabs, f"lasts/{head}"):
            answer = browser.get(f"{base}/{tab}")
            assert answer.status_code == 200, tab
            assert len(answer.content) < 100_000 and "/logs" not in answer.text, "nothing of it runs"
    assert f'href="{base}/resolve/main/config.json?download=true"' in stranger.get(f"{base}/tree/main").text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for tab in ("blob/main/none", "tree/main/none", f"commit/{'0' * 40}", "tree/none", "discussions/9", "logs", "use"):
        assert stranger.get(f"{base}/{tab}").status_code == 404, tab
    assert ("load_dataset(" if kind is DATASET else "pipeline(") in page.text
    proposed = stranger.get(f"{base}/tree/refs/pr/1"), stranger.get(f"{base}/tree/refs%2Fpr%2F1")
    assert [answer.status_code for answer in proposed] == [404, 404], "there is none so far"


@pytest.mark.parametrize("kind", [MODEL, DATASET])
def test_the_links_that_clients_print_lead_to_pages(console, repo, stranger, kind):  # noqa: F811
    hub = pytest.importorskip("huggingface_hub")
    one = repo(kind)
    with console.client() as client:
        api = hub.HfApi(endpoint=str(client.base_url).rstrip("/"), token=console.token)
    url = api.create_repo(one.full_name, repo_type=kind.value, exist_ok=True)
    made = api.upload_file(path_or_fileobj=b"x", path_in_repo="up.txt", repo_id=one.full_name, repo_type=kind.value)
    asked = {"path_or_fileobj": b"y", "path_in_repo": "up.txt", "repo_id": one.full_name, "repo_type": kind.value}
    proposed = api.upload_file(**asked, create_pr=True)
    printed = [str(url), str(made), made.commit_url, str(proposed), proposed.pr_url, proposed.commit_url]
    for address in printed:
        path = address.partition("://")[2].partition("/")[2]
        assert stranger.get(f"/{path}").status_code == 200, address


def test_private_repos_do_not_exist_for_strangers(console, ada, bob, stranger, repo):  # noqa: F811
    for one in (repo(MODEL, Visibility.PRIVATE), repo(DATASET, Visibility.PRIVATE)):
        base, head = f"/{one.path}", console.parts.repos.head(one.id)
        tabs = ("", "/tree/main", "/blob/main/config.json", "/media/main/a.png", "/commits/main", f"/commit/{head}")
        for tab in (*tabs, "/discussions", "/settings", "/edit/main/config.json", f"/lasts/{head}"):
            there = bob.get(base + tab)
            absent = bob.get(base.replace("/r", "/q") + tab)
            assert there.status_code == absent.status_code == 404, tab
            assert stranger.get(base + tab).status_code in (404, 303), tab
            assert one.name not in re.sub(r"\?next=[^\"]*", "", there.text)
        assert one.name not in stranger.get(f"/{one.kind.plural}").text + stranger.get("/ada").text
        assert ada.get(base).status_code == 200 and one.name in ada.get("/ada").text


def test_what_a_stranger_wrote_runs_nowhere(console, ada, repo):  # noqa: F811
    name = EVIL.replace("/", "")
    head = "".join(
        f'{key}: "{EVIL}"\n' for key in ("license", "pipeline_tag", "extra_gated_heading", "extra_gated_prompt")
    )
    body = f"{EVIL}\n[x](javascript:alert(1))<img src=x onerror=alert(1)>"
    readme = f'---\n{head}tags: ["{EVIL}"]\nlibrary_name: transformers\n---\n{body}'
    files = {"README.md": readme.encode(), f"{name}.html": EVIL.encode()}
    for kind in (MODEL, DATASET):
        one = repo(kind, files=files, message=EVIL, gated="manual")
        base, head = f"/{one.path}", console.parts.repos.head(one.id)
        console.parts.community.refs.move(one.id, f"refs/heads/{name}", head, "0" * 40)
        tabs = [
            "",
            "/tree/main",
            f"/tree/{quote(name, safe='')}",
            f"/blob/main/{quote(name)}.html",
            f"/commit/{head}",
            "/commits/main",
            "/settings",
        ]
        for page in [base + tab for tab in tabs] + [f"/{kind.plural}", "/ada"]:
            answer = ada.get(page)
            assert answer.status_code == 200, page
            assert "<script>alert" not in answer.text and 'href="javascript' not in answer.text, page
            assert "onerror" not in re.sub("&[a-z#0-9]+;", "", answer.text) or "<img src=x onerror" not in answer.text
        raw = ada.get(f"{base}/resolve/main/{quote(name)}.html")
        assert (
            raw.headers["content-type"].startswith("text/plain") and "sandbox" in raw.headers["content-security-policy"]
        )


def test_paths_of_the_console_are_no_models(console, stranger):  # noqa: F811
    taken = {path.split("/")[1] for path in _paths(console.app.router.routes)}
    words = {word for word in taken if word and "{" not in word and "." not in word}
    assert words <= set(NOT_OWNERS), "an owner of this name would have no pages, or ours would be theirs"
    for path in (
        "/settings/tokens",
        "/docs/start",
        "/static/podium.css",
        "/api/whoami-v2",
        "/login/x",
        "/models/ada/x",
    ):
        assert "RepoNotFound" not in stranger.get(path).text or path == "/models/ada/x", path
    with pytest.raises(Invalid):
        console.parts.accounts.add_user("Avatars")
    assert stranger.get("/avatars/ada.svg").headers["content-type"].startswith("image/svg")


def _paths(routes):
    for route in routes:
        if path := getattr(route, "path", ""):
            yield path
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        yield from _paths(inner.routes) if inner is not None else ()


# ------------------------------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize("kind", [MODEL, DATASET])
def test_files_are_changed_and_proposed(console, ada, bob, repo, kind):  # noqa: F811
    one = repo(kind)
    base = f"/{one.path}"
    done = send(ada, f"{base}/edit/main/config.json", path="config.json", text='{"a": 1}')
    assert done.status_code == 303 and done.headers["location"] == f"{base}/blob/main/config.json?done=stored"
    assert send(ada, f"{base}/upload/main/data", [("b.bin", b"\0\1")]).status_code == 303
    assert send(ada, f"{base}/new/main", path="c.txt", text="c").status_code == 303
    assert ada.post(f"{base}/remove/main/c.txt", f"{base}/blob/main/c.txt").status_code == 303
    assert text_of(console, one, "config.json") == b'{"a": 1}' and text_of(console, one, "data/b.bin") == b"\0\1"
    assert text_of(console, one, "c.txt") is None
    proposed = send(bob, f"{base}/edit/main/config.json", path="config.json", text="{}", message="Empty it")
    talk = proposed.headers["location"]
    assert talk.startswith(f"{base}/discussions/") and bob.post(f"{talk}/merge", talk).status_code == 403
    assert "deploy" not in ada.get(talk).text
    assert ada.post(f"{talk}/merge", talk).status_code == 303 and text_of(console, one, "config.json") == b"{}"
    for proof in ("", "0" * 40):
        for form in ("like", "access/ask", "settings/delete", "discussions"):
            assert ada.http.post(f"{base}/{form}", data={"proof": proof, "want": "1"}).status_code == 403, form
    assert bob.get(f"{base}/settings").status_code == 403


def test_spaces_that_use_a_repo_are_named(console, owner, ada, stranger, repo, make):  # noqa: F811
    one = repo(MODEL)
    card = f"---\nsdk: gradio\nmodels: [{one.full_name}]\n---\n"
    public, hidden = (make(v, {"README.md": card.encode()}) for v in (Visibility.PUBLIC, Visibility.PRIVATE))
    page = stranger.get(f"/{one.path}").text
    assert f'href="/{public.path}"' in page and hidden.full_name not in page
    assert hidden.full_name in ada.get(f"/{one.path}").text


@pytest.mark.parametrize("kind", [MODEL, DATASET])
def test_a_repo_is_made_in_the_browser(console, ada, bob, stranger, kind):  # noqa: F811
    on = f"/new/{kind}"
    assert stranger.get(on).headers["location"].startswith("/login")
    made = ada.post(on, on, owner="acme", name=f"fresh-{kind}", visibility="private")
    page = f"/{kind.prefix}acme/fresh-{kind}"
    assert made.headers["location"] == f"{page}?done=made"
    assert "No files yet" in ada.get(page).text and bob.get(page).status_code == 404
    for name, owner in ((f"fresh-{kind}", "acme"), ("a/b", "ada"), ("", "ada"), ("x", "bob")):
        again = ada.post(on, on, owner=owner, name=name)
        assert again.status_code == 422 and 'role="alert"' in again.text, name
    assert ada.http.post(on, data={"owner": "ada", "name": "unproved"}).status_code == 403
    assert ada.get(page.replace(f"acme/fresh-{kind}", "ada/unproved")).status_code == 404


def test_likes_count(console, bob, stranger, repo):  # noqa: F811
    one = repo(DATASET)
    assert bob.post(f"/{one.path}/like", f"/{one.path}", want="1").status_code == 303
    assert console.parts.hosted.get(one.id).likes == 1
    assert one.full_name in stranger.get("/bob").text, "what somebody likes is on their page"
    assert bob.post(f"/{one.path}/like", f"/{one.path}", want="").status_code == 303
    assert console.parts.hosted.get(one.id).likes == 0


@pytest.mark.parametrize("kind", [MODEL, DATASET])
def test_settings_hide_move_and_delete(console, ada, bob, stranger, repo, kind):  # noqa: F811
    one = repo(kind)
    base = f"/{one.path}"
    on = f"{base}/settings"
    assert ada.post(f"{on}/visibility", on, visibility="protected").status_code == 422
    assert ada.post(f"{on}/visibility", on, visibility="private").status_code == 303
    assert bob.get(base).status_code == 404
    assert ada.post(f"{on}/visibility", on, visibility="public").status_code == 303
    assert ada.post(f"{on}/talk", on).status_code == 303
    assert "want no new discussions" in bob.get(f"{base}/discussions").text
    moved = ada.post(f"{on}/move", on, owner="ada", name=f"{one.name}-new")
    assert moved.headers["location"].startswith(f"{base}-new/settings")
    assert stranger.http.get(f"{base}/tree/main", follow_redirects=True).url.path == f"{base}-new/tree/main"
    on = f"{base}-new/settings"
    wrong = ada.post(f"{on}/delete", on, confirm="nonsense")
    assert wrong.status_code == 422 and "nonsense" in wrong.text
    gone = ada.post(f"{on}/delete", on, confirm=f"{one.full_name}-new")
    assert gone.headers["location"] == f"/{kind.plural}?done=gone" and ada.get(f"{base}-new").status_code == 404


# ---------------------------------------------------------------------------------------------------------------- gates


def test_a_gate_is_asked_at_and_opened(console, ada, bob, stranger, repo):  # noqa: F811
    one = repo(MODEL, gated="manual")
    base, head = f"/{one.path}", console.parts.repos.head(one.id)
    content = ("/blob/main/config.json", f"/commit/{head}", "/media/main/a.png", "/edit/main/config.json")
    for tab in content:
        assert stranger.get(base + tab).status_code == 303, "strangers sign in"
        refused = bob.get(base + tab)
        assert refused.status_code == 403 and f'href="{base}"' in refused.text, "and others are led to the page"
    for tab in ("", "/tree/main", "/commits/main", "/discussions"):
        assert bob.get(base + tab).status_code == 200, tab
    page = bob.get(base).text
    assert "Be <strong>kind</strong>" in page and "<script>x" not in page and "Company" in page
    assert "Sign in to ask" in stranger.get(base).text
    answers = {"answer-0": "Acme", "answer-1": "1", "answer-2": "Other"}
    for missing in answers:
        told = {key: value for key, value in answers.items() if key != missing}
        assert bob.post(f"{base}/access/ask", base, **told).status_code == 422
    assert bob.post(f"{base}/access/ask", base, **answers | {"answer-2": "evil"}).status_code == 422
    assert bob.post(f"{base}/access/ask", base, **answers).status_code == 303
    assert "waiting" in bob.get(base).text
    assert bob.post(f"{base}/access/withdraw", base).status_code == 303 and "Company" in bob.get(base).text
    bob.post(f"{base}/access/ask", base, **answers)
    on = f"{base}/settings"
    page = ada.get(on).text
    assert "Acme" in page and ">bob<" in page
    ident = re.search(r'name="id" value="([0-9a-f]+)"', page)[1]
    assert ada.post(f"{on}/decide", on, id=ident, status="accepted").status_code == 303
    assert all(bob.get(base + tab).status_code in (200, 404, 422) for tab in content)
    assert ada.post(f"{on}/decide", on, id=ident, status="rejected", reason="no").status_code == 303
    assert bob.get(base + content[0]).status_code == 403 and "refused" in bob.get(base).text
    assert ada.post(f"{on}/decide", on, id=ident, status="nonsense").status_code == 422
    assert ada.post(f"{on}/grant", on, user="nobody-at-all").status_code == 422
    assert ada.post(f"{on}/gate", on, gated="").status_code == 303 and bob.get(base + content[0]).status_code == 200


def test_what_a_pull_request_changes_is_behind_the_gate(console, owner, ada, bob, repo):  # noqa: F811
    one = repo(DATASET, gated="auto")
    changes = [Change("secret.txt", b"the secret line\n")]
    made, _ = console.parts.community.pull_requests.open_with(owner, one, changes, "Add it")
    talk = f"/{one.path}/discussions/{made.num}"
    assert "the secret line" in ada.get(talk).text and "the secret line" not in bob.get(talk).text
    asked = bob.post(
        f"/{one.path}/access/ask", f"/{one.path}", **{"answer-0": "A", "answer-1": "1", "answer-2": "Other"}
    )
    assert asked.headers["location"].endswith("?done=letin") and "the secret line" in bob.get(talk).text


# --------------------------------------------------------------------------------------------------------- large files


def test_large_files_tell_their_size_and_are_downloaded(console, owner, stranger, repo):  # noqa: F811
    data = b"\x89PNG" + b"x" * 100_000
    oid = hashlib.sha256(data).hexdigest()
    one = repo(files={})
    incoming = console.large.receive()
    incoming.write(data)
    console.large.take(one.id, incoming, oid, len(data))
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()
    changes = [Change("model.bin", pointer), Change("pic.png", pointer)]
    console.parts.pushes.commit(owner, one, changes, "Big", None, MAIN)
    base = f"/{one.path}"
    tree = stranger.get(f"{base}/tree/main").text
    assert "100 kB" in tree and ">LFS<" in tree
    page = stranger.get(f"{base}/blob/main/model.bin").text
    assert "100,004 bytes" in page and oid in page
    link = re.search(r'href="([^"]+\?download=true)"', page)[1]
    answer = stranger.get(link)
    assert answer.content == data and answer.headers["content-disposition"].startswith("attachment")
    assert f'src="{base}/media/main/pic.png"' in stranger.get(f"{base}/blob/main/pic.png").text
    assert stranger.get(f"{base}/media/main/pic.png").content == data


# --------------------------------------------------------------------------------------------------------------- lists


def test_repos_are_found_by_words_and_page_by_page(console, ada, stranger, repo):  # noqa: F811
    mine = [repo(DATASET, files={"README.md": b"---\ntags: [zebra-tag]\n---\n"}) for _ in range(2)]
    for one in mine:
        assert one.full_name in stranger.get("/datasets?q=zebra-TAG").text
        assert one.full_name not in stranger.get("/models?q=zebra-tag").text
        assert one.full_name in stranger.get(f"/datasets?q={one.name}&sort=likes").text
    assert "Nothing found" in stranger.get("/models?q=there-is-no-such-word&sort=trending").text
    for odd in ("?after=nonsense", "?sort=nonsense", "?after=nan~x", "?q=%25", "?mine=1"):
        assert ada.get(f"/datasets{odd}").status_code == 200, odd
    seen, page = set(), "/datasets?q=zebra-tag"
    from web import explore

    kept, explore.PAGE = explore.PAGE, 1
    try:
        while page:
            text = stranger.get(page).text
            seen |= set(re.findall(r'href="/datasets/(ada/[^"]+)"', text))
            found = re.search(r'rel="next" href="([^"]+)"', text)
            page = found[1].replace("&amp;", "&") if found else None
    finally:
        explore.PAGE = kept
    assert seen == {one.full_name for one in mine}
    assert 'href="/models"' in stranger.get("/").text and 'href="/datasets"' in stranger.get("/").text


def test_kernels_have_pages_too(ada, repo):  # noqa: F811
    one = repo(RepoKind.KERNEL)
    page = ada.get(f"/{one.path}").text
    assert one.path.startswith("kernels/") and "--repo-type kernel" in page and "pipeline(" not in page
    assert all(f'href="/{one.path}' in ada.get(at).text for at in ("/kernels", "/ada"))
    assert ada.get(f"/{one.path}/tree/main/a").status_code == ada.get("/new/kernel").status_code == 200


def test_a_collection_shows_what_may_be_seen(console, owner, ada, stranger, repo):  # noqa: F811
    public, hidden = repo(MODEL), repo(DATASET, Visibility.PRIVATE)
    one = console.parts.collections.create(owner, None, f"Nice {EVIL}", None, False)
    for it in (public, hidden):
        console.parts.collections.add_item(owner, one.slug, it.kind.value, it.full_name, EVIL)
    page = stranger.get(f"/collections/{one.slug}")
    assert page.status_code == 200 and public.full_name in page.text and hidden.full_name not in page.text
    assert "<script>alert" not in page.text and hidden.full_name in ada.get(f"/collections/{one.slug}").text
    assert stranger.get(f"/collections/ada/other-words-{one.id}").headers["location"] == f"/collections/{one.slug}"
    console.parts.collections.change(owner, one.slug, private=True)
    assert stranger.get(f"/collections/{one.slug}").status_code == 404
    assert f"/collections/{one.slug}" in ada.get("/ada").text and one.id not in stranger.get("/ada").text
