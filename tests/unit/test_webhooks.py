"""Webhooks: what may be called, what is told to whom, and that it is told until somebody takes it."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from orchestrator.bells.post import Poster
from orchestrator.domain.events import PAUSES, Answer, Delivery, check_url
from orchestrator.domain.records import Intent
from orchestrator.errors import Invalid
from orchestrator.services.bell import LocalBell
from orchestrator.services.intents import moves_of
from orchestrator.services.telling import Telling, after
from tests.support import eventually, free_port


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a.example/", "https://", "http://user@a.example/", "https://a.example:99999/", "https://a b/", "//a.example",
     "https://a.example/#x", "https://a.example/\r\nX: y", "https://ä.example/", "https://a.example/" + "x" * 2000],
)  # fmt: skip
def test_what_is_no_url_for_a_webhook(url):
    with pytest.raises(Invalid):
        check_url(url)


class Receiver:
    """Answers with `status` and remembers what it was sent."""

    def __init__(self, status: int = 200, location: str = "") -> None:
        self.status, self.got = status, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), json.loads(body)))
                self.send_response(receiver.status)
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(b"thank\x00 you")

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def payloads(self) -> list[dict]:
        return [payload for _, payload in self.got]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_nothing_in_the_own_network_is_called(receiver):
    for url in (
        receiver.url,
        receiver.url.replace("127.0.0.1", "localhost"),
        receiver.url.replace("127.0.0.1", "2130706433"),
    ):
        assert Poster()(url, b"{}", {}).status is None
    assert receiver.got == []
    assert Poster(private=True)(receiver.url, b"{}", {}) == Answer(200, "thank  you")


def test_a_name_with_one_bad_address_is_not_called(receiver):
    """A name may be resolved to something else a moment later: what was checked is what is called, and all of it is checked."""
    port = receiver.server.server_port
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
    ]
    asked = []

    def resolve(host: str, *words: object, **named: object):
        asked.append(host)
        return both

    answer = Poster(resolve=resolve)(f"http://rebind.example:{port}/", b"{}", {})
    assert answer.status is None and "not on the internet" in answer.words
    assert asked == ["rebind.example"] and receiver.got == []


def test_a_redirect_is_an_answer_not_an_order(receiver):
    other = Receiver(302, receiver.url)
    try:
        assert Poster(private=True)(other.url, b"{}", {}).status == 302
        assert receiver.got == []
    finally:
        other.close()


def test_nobody_there_and_nobody_who_speaks_http():
    poster = Poster(private=True)
    assert poster(f"http://127.0.0.1:{free_port()}/", b"{}", {}).status is None
    assert poster("http://nowhere.invalid/", b"{}", {}).status is None
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            link, _ = server.accept()
            link.recv(100)
            link.sendall(b"SSH-2.0-hello\r\n")
            link.close()

        threading.Thread(target=speak, daemon=True).start()
        assert poster(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}).status is None


def test_an_attempt_that_fails_is_repeated_later_and_given_up_in_the_end():
    one, at, waits = Delivery("d" * 24, "w" * 24, "update repo", {}, 0.0), 100.0, []
    while one.state == "waiting":
        one = after(one, Answer(500, "no"), at)
        waits.append(one.due_at - at)
    assert (one.state, one.attempts) == ("failed", len(PAUSES) + 1)
    assert tuple(waits[:-1]) == PAUSES
    assert after(one, Answer(204), at).state == "done"


def test_refs_that_moved_twice_are_told_twice():
    def intent(number: int, old: str, new: str, ref: str = "m") -> Intent:
        return Intent(number, "r", ref, old, new, "ada", 0.0)

    first, second, refused = intent(1, "a", "b"), intent(3, "b", "c"), intent(2, "a", "x")
    assert moves_of([first, refused, second], {"m": "c"}) == [first, second]
    assert moves_of([refused], {"m": "c"}) == []


# --------------------------------------------------------------------------------------------------------- all of it


@pytest.fixture
def telling(console):
    """What tells, driven by hand."""
    loop = Telling(
        console.store, console.parts.community.webhooks, Poster(private=True), LocalBell(), "http://podium.example", "9"
    )
    yield loop
    loop.stop()


@pytest.fixture
def api(console):
    return HfApi(console.url, console.token)


def watch(api: HfApi, url: str, kind: str, name: str, **more: object):
    return api.create_webhook(url=url, watched=[{"type": kind, "name": name}], **more)


def tell(console, telling) -> None:
    """Everything that is due, once."""
    telling.match()
    while True:
        with console.store.read() as tx:
            due = tx.webhooks.due(telling._clock(), {""}, 100)
        if not due:
            return
        for delivery in due:
            telling.send(delivery)


def test_a_webhook_from_the_cradle_to_the_grave(api, console):
    made = watch(api, "https://hooks.example/a", "user", "julien-c", secret="s3cret", domains=["repo"])
    assert (made.domains, made.secret, made.disabled) == (["repo"], "s3cret", False)
    assert made.id in [hook.id for hook in api.list_webhooks()]
    changed = api.update_webhook(made.id, url="https://hooks.example/b")
    assert (changed.url, changed.watched, changed.secret) == ("https://hooks.example/b", made.watched, "s3cret")
    assert api.disable_webhook(made.id).disabled and not api.enable_webhook(made.id).disabled
    with pytest.raises(HfHubHTTPError) as error:
        HfApi(console.url, console.bobs).get_webhook(made.id)
    assert error.value.response.status_code == 404
    with console.store.read() as tx:
        assert "s3cret" not in tx.webhooks.get(made.id).secret
    api.delete_webhook(made.id)
    with pytest.raises(HfHubHTTPError):
        api.get_webhook(made.id)


def test_what_happens_to_a_repo_is_told(api, console, telling, receiver):
    hook = watch(api, receiver.url, "user", "ada", secret="s3cret")
    repo = console.space("told")
    of = {"repo_id": repo, "repo_type": "space"}
    commit = api.create_commit(
        **of, operations=[CommitOperationAdd("a.txt", b"a")], commit_message="Add", create_pr=True
    )
    api.comment_discussion(**of, discussion_num=1, comment="Well done")
    api.merge_pull_request(**of, discussion_num=1)
    api.update_repo_settings(**of, visibility="private")
    tell(console, telling)
    seen = [f"{payload['event']['action']} {payload['event']['scope']}" for payload in receiver.payloads()]
    assert seen[0] == "create repo" and seen[1] == "update repo.content"
    assert {"create discussion", "create discussion.comment", "update discussion", "update repo.config"} <= set(seen)
    headers, payload = receiver.got[-1]
    assert headers["X-Webhook-Secret"] == "s3cret" and headers["Content-Type"] == "application/json"
    assert payload["webhook"] == {"id": hook.id, "version": 3}
    assert payload["repo"]["url"]["web"] == "http://podium.example/spaces/ada/told"
    assert payload["updatedConfig"] == {"private": True}
    api.move_repo(repo, "ada/told-anew", repo_type="space")
    tell(console, telling)
    moved = receiver.payloads()[-1]
    assert (moved["event"]["action"], moved["repo"]["name"], moved["movedTo"]["name"]) == (
        "move",
        repo,
        "ada/told-anew",
    )
    refs = [ref for one in receiver.payloads() for ref in one.get("updatedRefs", ())]
    assert {"ref": "refs/pr/1", "oldSha": refs[0]["newSha"], "newSha": commit.oid} in refs
    opened = next(one for one in receiver.payloads() if one["event"] == {"action": "create", "scope": "discussion"})
    assert (opened["discussion"]["num"], opened["discussion"]["isPullRequest"]) == (1, True)
    assert opened["comment"]["url"]["web"].startswith("http://podium.example/spaces/ada/told/discussions/1#")
    api.delete_webhook(hook.id)


def test_what_one_may_not_see_is_not_told(api, console, telling, receiver):
    bob = HfApi(console.url, console.bobs)
    hook = watch(bob, receiver.url, "user", "ada")
    console.space("secret-of-ada", private=True)
    tell(console, telling)
    assert receiver.got == []
    console.space("open-of-ada")
    tell(console, telling)
    assert {payload["repo"]["name"] for payload in receiver.payloads()} == {"ada/open-of-ada"}
    bob.delete_webhook(hook.id)


def test_only_what_is_watched_is_told(api, console, telling, receiver):
    hooks = [
        watch(api, receiver.url, "space", "ada/other"),
        watch(api, receiver.url, "model", "ada/this"),
        watch(api, receiver.url, "space", "ada/this", domains=["discussion"]),
    ]
    console.space("this")
    tell(console, telling)
    assert receiver.got == []
    for hook in hooks:
        api.delete_webhook(hook.id)


def test_a_failed_delivery_is_logged_and_replayed(api, console, telling, receiver):
    receiver.status = 503
    hook = watch(api, receiver.url, "space", "ada/flaky")
    console.space("flaky")
    tell(console, telling)
    with console.client() as client:
        url = f"/api/settings/webhooks/{hook.id}/deliveries"
        log = client.get(url).json()
        assert {(one["state"], one["status"], one["attempts"]) for one in log} == {("waiting", 503, 1)}
        assert all(one["nextAttemptAt"] and one["answer"] == "thank  you" for one in log)
        receiver.status = 200
        again = client.post(f"{url}/{log[0]['id']}/replay").json()
        assert again["replayOf"] == log[0]["id"]
        tell(console, telling)
        assert client.get(url).json()[0]["state"] == "done"
        assert client.post(f"{url}/{'0' * 24}/replay").status_code == 404
    assert receiver.payloads()[-1] == log[0]["payload"]
    api.delete_webhook(hook.id)


def test_what_a_disabled_webhook_waits_for_is_no_work(api, console, telling, receiver):
    receiver.status = 503
    hook = watch(api, receiver.url, "space", "ada/switched")
    console.space("switched")
    tell(console, telling)

    def work() -> bool:
        with console.store.read() as tx:
            return tx.webhooks.any_work(time.time() + 86400)

    assert work()
    api.disable_webhook(hook.id)
    assert not work()
    api.delete_webhook(hook.id)


def test_the_loop_tells_by_itself_and_once(api, console, receiver):
    hook = watch(api, receiver.url, "space", "ada/loop")
    loops = [
        Telling(
            console.store, console.parts.community.webhooks, Poster(private=True), LocalBell(), "http://podium.example"
        )
        for _ in range(2)
    ]
    for loop in loops:
        loop.start()
    try:
        console.space("loop")
        eventually(lambda: len(receiver.got) >= 2, 20)
        with console.client() as client:
            url = f"/api/settings/webhooks/{hook.id}/deliveries"
            eventually(lambda: {one["state"] for one in client.get(url).json()} == {"done"}, 20)
            assert len(receiver.got) == len(client.get(url).json())
    finally:
        for loop in loops:
            loop.stop()
        api.delete_webhook(hook.id)
