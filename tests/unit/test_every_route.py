"""Every route that there is, asked by those who may not: strangers, another user's token, a token that may only read, one that
was made for something else, and a browser that another site led here. A new route is asked by itself; where it cannot be
understood without a body of its own, this says so. And a private repo looks like none, whatever is asked of it."""

import re
from collections.abc import Iterator

import httpx
import pytest

from orchestrator.api import git, lfs
from orchestrator.api.app import create_app
from orchestrator.domain.bucket import BucketKind
from orchestrator.domain.repo import RepoKind
from orchestrator.repos.smart import Smart
from orchestrator.services.git_access import GitAccess
from tests.console import Console
from tests.support import bearer
from web.routes import create_renderer, create_router
from web.session import proof

DENIED = {401, 403, 404}
REFUSED = "NOT_SUPPORTED"  #: code of what nobody may do
HEX, OID = "0" * 24, "0" * 64
#: What stands for each parameter of a path; {kind}, {owner} and {name} are the repo's.
WORDS = {
    "revision": "main", "branch": "b", "tag": "t", "num": "1", "comment_id": HEX, "path": "README.md", "rest": "main",
    "which": "run", "status": "pending", "oid": OID, "repo_id": HEX, "epoch": "0" * 16, "prefix": "default", "lock": "1",
    "flavor": "cpu-basic", "request_id": HEX, "slug": f"x-{HEX}", "item": HEX, "webhook_id": HEX, "delivery_id": HEX,
    "compare": "main..main", "user": "ada", "org": "acme", "invitation_id": HEX,
}  # fmt: skip
LETTER = {"key": "K", "value": "v"}
#: Bodies of what reads its body before it asks who sent it, or that look the wrong way without one; by the end of the path.
BODIES: dict[str, object] = {
    "/internal/activity": {"used": {}, "wake": []},
    "/internal/visits": {"at": 1.0, "spaces": {}},
    "/internal/authorize": {"token": "hf_x", "space": "x"},
    "/api/repos/create": {"name": "made", "type": "space", "sdk": "static", "organization": "acme"},
    "/api/repos/move": {"fromRepo": "{full}", "toRepo": "{owner}/moved", "type": "{type}"},
    "/api/repos/delete": {"name": "{name}", "organization": "{owner}", "type": "{type}"},
    "/api/collections": {"title": "x", "namespace": "acme"},
    "/api/settings/webhooks": {"url": "https://example.org/x", "watched": [{"type": "user", "name": "ada"}]},
    "/settings": {"private": True},
    "/settings/notifications": {"notifications": {"mention": True}},
    "/api/notifications": {"discussionIds": [HEX]},
    "/duplicate": {"repository": "ada/copy"},
    "/lfs-files/duplicate": {"target": {"type": "{type}", "name": "{full}"}, "files": [{"sha256": OID}]},
    "/lfs-files/batch": {"deletions": {"sha": [OID]}},
    "/handle": {"status": "accepted", "user": "bob"},
    "/grant": {"user": "bob"},
    "/items": {"item": {"type": "model", "id": "ada/shown"}},
    "/collaborators/ada": {"role": "read"},
    "/secrets": LETTER,
    "/variables": LETTER,
    "/preupload/main": {"files": []},
    "/tag/main": {"tag": "t"},
    "/discussions": {"title": "x", "description": "y"},
    "/comment": {"comment": "x"},
    "/edit": {"content": "x"},
    "/title": {"title": "x"},
    "/discussions/1/status": {"status": "closed"},
    "/paths-info/main": {"paths": ["README.md"]},
    "/paths-info": {"paths": ["README.md"]},
    "/batch": {"type": "deleteFile", "path": "README.md"},
    "/sleeptime": {"seconds": 600},
    "/hardware": {"flavor": "cpu-basic"},
    "/replicas": {"replicas": 2},
    "/domains": {"domain": "demo.example.org"},
    "/embedding": {"origins": []},
    "/refuse": {"reason": "no"},
    "/objects/batch": {"operation": "upload", "objects": [{"oid": OID, "size": 1}]},
    "/objects/verify": {"oid": OID, "size": 1},
}
#: Nobody has to say who they are: they change nothing, or what is sent is the proof.
OPEN = re.compile(
    r"/oauth/(token|device|revoke)|/api/telemetry/.*|/v1/telemetry|/api/validate-yaml|/login|/login/first|/logout|.*/info/lfs/locks.*"
    r"|/api/(daily_papers|jobs|papers|scheduled-jobs)(/.*)?|/api/\{kind\}/\{name\}/.*"
)  # fmt: skip
#: Of a public repo: everybody who is somebody may read, copy and speak.
SOCIAL = re.compile(
    r".*/(git-upload-pack|info/lfs/objects/batch|paths-info(/\{revision\})?|duplicate|like|discussions|comment|ask|ask-access|cancel)"
)
#: About oneself: anybody's token does it, to nobody but its user. Webhooks of others are asked for by id.
OWN = re.compile(r"/api/settings/(webhooks|notifications)|/api/notifications.*|/uploads")
#: Forms about oneself.
OWN_PAGES = re.compile(
    r"/settings/(profile|password|browsers.*|tokens.*|webhooks.*|provider/.*)|/notifications/.*|/new(/model|/dataset|/kernel)?"
    r"|/login.*|/logout|/oauth/.*"
)


NEIGHBOUR = {"origin": "http://x.localhost:8000", "sec-fetch-site": "same-site"}


class Asked:
    """One route, as a request about one repo."""

    def __init__(self, method: str, path: str, kind: RepoKind, name: str) -> None:
        self.method, self.path, self.is_page = method, path, False
        words = WORDS | {"kind": kind.plural, "owner": "ada", "name": name}
        if path.startswith(("/api/xet/", "/api/collections/")):
            words["name"] = OID
        self.url = re.sub(r"\{(\w+)(:\w+)?\}", lambda m: words.get(m[1], "1"), path)
        known = {"{full}": f"ada/{name}", "{owner}": "ada", "{name}": name, "{type}": kind.value}
        body = next((BODIES[end] for end in sorted(BODIES, key=len, reverse=True) if self.url.endswith(end)), {})
        self.body = {key: known.get(value, value) if isinstance(value, str) else value for key, value in body.items()}
        if "target" in self.body:
            self.body["target"] = {"type": kind.value, "name": f"ada/{name}"}
        self.sent: dict[str, object] = {"json": self.body}
        if path.endswith("/commit/{revision}"):
            self.sent = {
                "content": b'{"key":"header","value":{"summary":"m"}}\n{"key":"file","value":{"path":"a","content":"x"}}\n'
            }
        if path == "/uploads":
            self.sent = {"content": b"x", "headers": {"content-type": "image/png"}}

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(routes: list, pages: bool = False) -> Iterator[tuple[str, str, bool]]:
    """(method, path, whether it is a page's form) of all that is routed, however deep it lies."""
    for one in routes:
        inner = getattr(one, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes, True)
        elif getattr(one, "methods", None):
            yield from ((method, one.path, pages) for method in sorted(one.methods))


def asked_of(console: Console, name: str, changing: bool, pages: bool) -> Iterator[Asked]:
    seen = set()
    for method, path, page in console.routes:
        if page is not pages or (method in ("GET", "HEAD", "OPTIONS")) is changing or (method, path) in seen:
            continue
        seen.add((method, path))
        kinds = tuple(RepoKind) if "{kind" in path else (_kind(path),)
        yield from (Asked(method, path, kind, name) for kind in kinds)


def _kind(path: str) -> RepoKind:
    return next((kind for kind in RepoKind if kind.prefix and f"/{kind.prefix}" in path), RepoKind.MODEL)


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    data = tmp_path_factory.mktemp("routes")
    made = Console(data)
    parts = made.parts
    access = GitAccess(made.store, parts.accounts, parts.spaces.create_for_push)
    smart = Smart(parts.repos, data / "no.sock", 1024**2)
    pages = create_router(parts)
    extra = (git.router(access, parts.pushes, smart), lfs.router(access, parts), pages)
    made.app = create_app(parts, extra, create_renderer(parts))
    made.routes = [one for one in routes_of(made.app.routes)]
    with made.listening():
        for kind in RepoKind:
            for name, private in (("shown", False), ("hidden", True), ("other", True)):
                body = {"name": name, "type": kind.value, "private": private}
                with made.client() as client:
                    assert client.post("/api/repos/create", json=body).status_code == 200
        for name, private in (("shown", False), ("hidden", True), ("other", True)):
            with made.client() as client:
                assert client.post(f"/api/buckets/ada/{name}", json={"private": private}).status_code == 200
        made.session = parts.accounts.new_session(made.ada)
        made.bobs_session = parts.accounts.new_session(made.bob)
        grants = parts.accounts.grants(
            made.ada, {}, {f"{kind.plural}/ada/other": "write" for kind in (*RepoKind, *BucketKind)}
        )
        made.narrow = parts.accounts.add_token(made.ada, "fineGrained", "narrow", grants=grants)
        yield made


@pytest.fixture
def client(console):
    with httpx.Client(base_url=f"http://127.0.0.1:{console.port}", timeout=30) as client:
        yield client


def rows(console: Console) -> int:
    """Of the audit log: each change has one."""
    with console.store.read() as tx:
        return len(tx.audit.search(limit=100_000))


def ask(client: httpx.Client, one: Asked, headers: dict[str, str] | None = None) -> httpx.Response:
    sent = {**one.sent, "headers": {**one.sent.get("headers", {}), **(headers or {})}}
    return client.request(one.method, one.url, **sent)


def test_the_list_of_routes_is_whole(console):
    changing = [one for one in asked_of(console, "shown", True, False)]
    assert len(changing) > 100 and len({str(one) for one in asked_of(console, "shown", True, True)}) > 40


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("nobody", "shown"),
        ("bob", "shown"),
        ("bob", "hidden"),
        ("reader", "shown"),
        ("narrow", "shown"),
        ("narrow", "hidden"),
        ("browser", "shown"),
    ],
)
def test_nothing_is_changed_by_who_may_not(console, client, who, name):
    headers = {
        "nobody": {},
        "bob": bearer(console.bobs),
        "reader": bearer(console.read_token),
        "narrow": bearer(console.narrow),
        # ada's own browser, led here by a page of one of the apps
        "browser": {"cookie": f"podium-session={console.session}", **NEIGHBOUR},
    }[who]
    wrong, before = [], rows(console)
    for one in asked_of(console, name, changing=True, pages=False):
        reads = one.path.endswith(("/paths-info/{revision}", "/paths-info", "git-upload-pack"))
        if OPEN.fullmatch(one.path) or (name == "shown" and reads) or (who == "reader" and reads):
            continue
        if who == "bob" and (OWN.fullmatch(one.path) or (name == "shown" and SOCIAL.fullmatch(one.path))):
            continue
        if who in ("reader", "narrow") and one.path.endswith(("/ask", "/ask-access", "/cancel", "/oauth/userinfo")):
            continue  # asking for what is one's own
        answer = ask(client, one, headers)
        if answer.status_code not in DENIED and answer.headers.get("x-error-code") != REFUSED:
            wrong.append(f"{one} of {one.url}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
    assert rows(console) == before


def test_no_form_is_taken_without_the_proof_that_our_page_sent_it(console, client):
    wrong, before = [], rows(console)
    cookie = {"cookie": f"podium-session={console.session}"}
    for one in asked_of(console, "shown", changing=True, pages=True):
        given = {"proof": proof(console.session), "name": "x", "password": "y", "query": "x"}
        tries = (
            ("no proof", {}, cookie),
            ("another's proof", {"proof": proof(console.bobs_session)}, cookie),
            ("another site", given, cookie | {"origin": "http://x.localhost:8000"}),
            ("a neighbour", given, cookie | {"sec-fetch-site": "same-site"}),
            ("nobody", {}, {}),
        )
        for why, form, headers in tries:
            status = client.request(one.method, one.url, data=form or {"x": "y"}, headers=headers).status_code
            if status not in DENIED:
                wrong.append(f"{one} with {why}: {status}")
    assert not wrong, "\n".join(wrong)
    assert rows(console) == before


def test_no_form_changes_what_is_somebody_elses(console, client):
    wrong, before = [], rows(console)
    headers = {"cookie": f"podium-session={console.bobs_session}", "sec-fetch-site": "same-origin"}
    for one in asked_of(console, "hidden", changing=True, pages=True):
        if not OWN_PAGES.fullmatch(one.path):
            status = client.post(one.url, data={"proof": proof(console.bobs_session)}, headers=headers).status_code
            if status not in DENIED:
                wrong.append(f"{one}: {status}")
    assert not wrong, "\n".join(wrong)
    assert rows(console) == before


@pytest.mark.parametrize("who", ["nobody", "bob"])
def test_a_private_repo_looks_like_none(console, client, who):
    headers = bearer(console.bobs) | {"cookie": f"podium-session={console.bobs_session}"} if who == "bob" else {}
    wrong = []
    for pages in (False, True):
        for changing in (False, True):
            pairs = (asked_of(console, name, changing, pages) for name in ("hidden", "absent"))
            for hidden, absent in zip(*pairs, strict=True):
                if (
                    "{owner" not in hidden.path
                    or "{name" not in hidden.path
                    or OPEN.fullmatch(hidden.path)
                    or hidden.url == absent.url
                ):
                    continue
                told = [seen(ask(client, one, headers)) for one in (hidden, absent)]
                if told[0] != told[1]:
                    wrong.append(f"{hidden}: {told}")
    assert not wrong, "\n".join(wrong)


def seen(answer: httpx.Response) -> tuple:
    """All that can be told apart, but for the name that was asked for and what differs between any two answers."""
    varying = ("date", "x-request-id", "set-cookie", "content-length", "content-security-policy")
    kept = {name: value.replace("hidden", "absent") for name, value in answer.headers.items() if name not in varying}
    text = re.sub(
        r'nonce="[^"]+"|name="proof" value="[0-9a-f]+"|[0-9a-f]{16}', "", answer.text.replace("hidden", "absent")
    )
    return answer.status_code, tuple(sorted(kept.items())), text
