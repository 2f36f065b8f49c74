"""The gateway's pure rules as tables: outcomes, use, hosts, headers, frames, limits, the route table."""

import json
import os
from time import monotonic

import pytest

from orchestrator.gateway import headers
from orchestrator.gateway.access import Access, is_hub_token, same_origin, split_sign
from orchestrator.gateway.accesslog import AccessLog
from orchestrator.gateway.activity import FLOWS, KEEPS, NONE, ONCE, WAKES, Repetitions, use_of
from orchestrator.gateway.hosts import CONSOLE, Hosts, host_port, is_internal
from orchestrator.gateway.limits import Bucket, Crowd, subject
from orchestrator.gateway.outcome import Outcome, decide
from orchestrator.gateway.request import Request
from orchestrator.gateway.routes import Table
from orchestrator.gateway.upgrade import Frames

O = Outcome  # noqa: E741


@pytest.mark.parametrize(
    "state, facts, expected",
    [
        (None, {}, O.MISSING),
        (None, {"informed": False}, O.UNKNOWING),
        (None, {"own": True, "page": True}, O.MISSING),
        (None, {"current": False}, O.LISTEN),
        (None, {"current": False, "informed": False}, O.LISTEN),
        (None, {"current": False, "allowed": None}, O.ASK),
        ("open", {"current": False}, O.FORWARD),
        ("open", {"current": False, "allowed": False}, O.LISTEN),
        (None, {"allowed": None}, O.ASK),
        (None, {"allowed": None, "informed": False}, O.UNKNOWING),
        ("open", {"allowed": False}, O.MISSING),
        ("closed", {"allowed": False}, O.MISSING),
        ("wake", {"allowed": False, "wakes": True}, O.MISSING),
        ("open", {"allowed": None}, O.ASK),
        ("open", {"signed": True, "page": True}, O.EXCHANGE),
        ("wake", {"signed": True, "page": True, "wakes": True}, O.EXCHANGE),
        ("open", {"own": True}, O.OWN),
        ("wait", {"own": True}, O.OWN),
        ("open", {}, O.FORWARD),
        ("open", {"page": True, "wakes": True}, O.FORWARD),
        ("closed", {"wakes": True}, O.CLOSED_PAGE),
        ("closed", {"page": True}, O.CLOSED_PAGE),
        ("wait", {"page": True, "wakes": True}, O.WAITING_PAGE),
        ("wake", {"page": True, "wakes": True}, O.WAITING_PAGE),
        ("wait", {"wakes": True}, O.HOLD),
        ("wake", {"wakes": True}, O.HOLD),
        ("wait", {}, O.ASLEEP),
        ("wake", {}, O.ASLEEP),
        ("wake", {"page": True}, O.ASLEEP),
    ],
)
def test_decide(state, facts, expected):
    assert decide(state, **facts) is expected


@pytest.mark.parametrize(
    "method, path, mode, purpose, websocket, expected",
    [
        (b"POST", b"/api/predict", None, None, False, WAKES | KEEPS),
        (b"POST", b"/gradio_api/queue/join", b"cors", None, False, WAKES | KEEPS),
        (b"HEAD", b"/", None, None, False, NONE),
        (b"OPTIONS", b"/", b"cors", None, False, NONE),
        (b"GET", b"/", b"navigate", None, False, WAKES | KEEPS),
        (b"GET", b"/", b"navigate", b"prefetch;prerender", False, NONE),
        (b"GET", b"/data", b"cors", None, False, NONE),
        (b"GET", b"/logo.png", b"no-cors", None, False, NONE),
        (b"GET", b"/data", b"same-origin", None, False, NONE),
        (b"GET", b"/config", None, None, False, WAKES | ONCE),
        (b"GET", b"/_stcore/health", None, None, False, NONE),
        (b"GET", b"/gradio_api/heartbeat/abc", None, None, False, NONE),
        (b"GET", b"/favicon.ico", None, None, False, NONE),
        (b"GET", b"/gradio_api/queue/data", b"cors", None, False, FLOWS),
        (b"GET", b"/queue/data", None, None, False, WAKES | FLOWS),
        (b"GET", b"/_stcore/stream", b"websocket", None, True, NONE),
        (b"GET", b"/_stcore/stream", None, None, True, WAKES),
    ],
)
def test_use(method, path, mode, purpose, websocket, expected):
    assert use_of(method, path, mode, purpose, websocket) == expected


def test_a_repeated_get_counts_once_an_hour_within_bounds():
    seen = Repetitions(limit=2)
    assert seen.is_new(("a", "/"), 0)
    assert not seen.is_new(("a", "/"), 3599)
    assert seen.is_new(("a", "/"), 3600)
    assert seen.is_new(("b", "/"), 3600)
    assert seen.is_new(("c", "/"), 3600)
    assert seen.is_new(("a", "/"), 3601), "the oldest was forgotten"


@pytest.mark.parametrize(
    "host, door",
    [
        (b"acme-demo.apps.example.org", b"acme-demo"),
        (b"ACME-Demo.Apps.Example.Org.:8443", b"acme-demo"),
        (b"console.example.org", CONSOLE),
        (b"console.example.org:443", CONSOLE),
        (b"localhost:8000", CONSOLE),
        (b"127.0.0.1:8000", CONSOLE),
        (b"[::1]:8000", CONSOLE),
        (b"apps.example.org", None),  # apps may set cookies for all of it
        (b"a.b.apps.example.org", None),
        (b"-a.apps.example.org", None),
        (b"a_b.apps.example.org", None),
        (b"%s.apps.example.org" % (b"a" * 64), None),
        (b".apps.example.org", None),
        (b"acme-demo.apps.example.org..", None),
        (b"acme-demo.apps.example.org:99999", None),
        (b"acme-demo.apps.example.org:", None),
        (b"acme-demo.apps.example.org@evil.org", None),
        (b"acme-demo.apps.example.org/", None),
        (b"evilapps.example.org", None),
        (b"evil.org", None),
        (b"", None),
        (b"[::1", None),
    ],
)
def test_doors(host, door):
    assert Hosts("apps.example.org", "https://console.example.org").door(host) == door


def test_apps_may_know_the_console_by_another_name():
    hosts = Hosts("apps.example.org", "https://console.example.org", "http://podium-gateway.podium.svc:8000")
    assert hosts.door(b"podium-gateway.podium.svc:8000") == hosts.door(b"console.example.org") == CONSOLE
    assert hosts.door(b"other.podium.svc:8000") is None


@pytest.mark.parametrize(
    "target",
    [
        b"/internal", b"/internal/feed", b"/internal?x", b"//internal/feed", b"/./internal/feed", b"/%69nternal/feed",
        b"/%2569nternal", b"/x/../internal/feed", b"/x/%2e%2e/internal", b"/INTERNAL/feed", b"/internal;a=b/feed",
        b"\\internal", b"/\\internal/feed", b"/%5cinternal", b"/%2finternal/feed", b"/internal%2ffeed", b"/internal#x",
    ],
)  # fmt: skip
def test_internal_paths_are_found_however_they_are_written(target):
    assert is_internal(target)


@pytest.mark.parametrize(
    "target", [b"/", b"/international", b"/acme/internal", b"/acme/demo?to=/internal", b"/a%20b", b"/internals"]
)
def test_other_paths_are_not_internal(target):
    assert not is_internal(target)


def test_host_port():
    assert host_port(b"a.localhost:8000", b"http") == b"8000"
    assert host_port(b"a.example.org", b"https") == b"443"
    assert host_port(b"[::1]", b"http") == b"80"


@pytest.mark.parametrize(
    "hops, xff, proto, expected",
    [
        (0, b"6.6.6.6", b"https", ("9.9.9.9", b"http")),
        (1, b"6.6.6.6, 1.1.1.1", b"https", ("1.1.1.1", b"https")),
        (2, b"6.6.6.6, 1.1.1.1, 2.2.2.2", b"http, https", ("1.1.1.1", b"https")),
        (3, b"1.1.1.1", b"", ("1.1.1.1", b"http")),
        (1, b"<script>", b"gopher", ("9.9.9.9", b"http")),
        (1, b"", b"https", ("9.9.9.9", b"https")),
    ],
)
def test_client_address(hops, xff, proto, expected):
    assert (
        headers.client_of("9.9.9.9", {b"x-forwarded-for": xff, b"x-forwarded-proto": proto}, b"http", hops) == expected
    )


@pytest.mark.parametrize(
    "noted, expected",
    [
        ({}, b""),
        ({b"cookie": b"a=1; podium-app=x; b=2"}, b"Cookie: a=1; b=2\r\n"),
        ({b"cookie": b"__Host-podium-app=x"}, b""),
        ({b"cookie": b"a=1; podium-session=x; __Host-podium-session=y; podium-form=z"}, b"Cookie: a=1\r\n"),
        ({b"authorization": b"Bearer hf_abc"}, b""),
        ({b"authorization": b"bearer   hf_abc"}, b""),
        ({b"authorization": b"Basic dXNlcjpoZl9hYmM="}, b""),
        ({b"authorization": b"Bearer mine"}, b"Authorization: Bearer mine\r\n"),
        ({b"authorization": b"Basic dXNlcjpwdw=="}, b"Authorization: Basic dXNlcjpwdw==\r\n"),
        ({b"x-hf-authorization": b"Bearer other"}, b""),
    ],
)
def test_credentials_that_an_app_may_see(noted, expected):
    assert headers.credentials(noted) == expected


def test_hub_tokens():
    assert is_hub_token(b"Bearer hf_x") and is_hub_token(b"hf_x") and not is_hub_token(b"Bearer x-hf_x")


@pytest.mark.parametrize(
    "value, expected",
    [
        (b"a=b; Path=/", b"a=b; Path=/"),
        (b"a=b; Domain=.localhost; Path=/; HttpOnly", b"a=b; Path=/; HttpOnly"),
        (b"a=b;DOMAIN = x", b"a=b"),
        (b"a=domain=x; Path=/", b"a=domain=x; Path=/"),
        (b"podium-app=x", None),
        (b" __Host-podium-app =x; Secure", None),
    ],
)
def test_cookies_of_apps(value, expected):
    assert headers.app_cookie(value) == expected


@pytest.mark.parametrize(
    "target, rest, sign",
    [
        (b"/", b"/", None),
        (b"/?__sign=abc", b"/", b"abc"),
        (b"/?a=1&__sign=abc&b=%2F", b"/?a=1&b=%2F", b"abc"),
        (b"/?__sign=a&__sign=b", b"/", b""),
        (b"/?__sign=" + b"a" * 5000, b"/", b""),
        (b"/__sign=abc", b"/__sign=abc", None),
    ],
)
def test_split_sign(target, rest, sign):
    assert split_sign(target) == (rest, sign)


@pytest.mark.parametrize(
    "noted, method, websocket, expected",
    [
        ({}, b"GET", False, True),
        ({b"sec-fetch-site": b"same-origin"}, b"POST", False, True),
        ({b"sec-fetch-site": b"same-site"}, b"POST", False, False),
        ({b"sec-fetch-site": b"cross-site", b"sec-fetch-mode": b"navigate"}, b"GET", False, True),
        ({b"sec-fetch-site": b"cross-site", b"sec-fetch-mode": b"navigate"}, b"POST", False, False),
        ({b"origin": b"http://b.localhost"}, b"GET", True, False),
        ({b"origin": b"http://a.localhost"}, b"GET", True, True),
        ({b"origin": b"null"}, b"POST", False, False),
    ],
)
def test_whose_cookie_speaks(noted, method, websocket, expected):
    assert same_origin(noted, method, websocket, b"http://a.localhost") is expected


def frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 | kind]) + length + os.urandom(4) + payload


@pytest.mark.parametrize("step", [1, 3, 7, 100_000])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_data_frames_are_found_across_any_split(step, size):
    ping, data = frame(9, b"x" * 5), frame(2, os.urandom(size))

    def seen(stream: bytes, frames: Frames) -> bool:
        return any([frames.data_in(stream[at : at + step]) for at in range(0, len(stream), step)])

    frames = Frames()
    assert not seen(ping + frame(10, b"") + frame(8, b"\x03\xe8"), frames)
    assert seen(data, frames)
    assert not seen(ping, frames), "the end of the data frame was found"
    assert seen(frame(0, b"y"), frames)


def test_bucket():
    bucket = Bucket(10, 40, 0.0)
    assert sum(bucket.take(0.0) for _ in range(100)) == 40
    assert 0.09 < bucket.wait <= 0.1
    assert bucket.take(0.11) and not bucket.take(0.11)
    assert sum(bucket.take(1000.0) for _ in range(100)) == 40


def test_crowd_and_subjects():
    crowd = Crowd(2)
    assert crowd.enter("a") and crowd.enter("a") and not crowd.enter("a") and crowd.enter("b")
    crowd.leave("a")
    assert crowd.enter("a")
    assert subject("2001:db8:1:2:3::1") == subject("2001:db8:1:2:ffff::9") != subject("2001:db8:1:3::1")
    assert subject("::ffff:1.2.3.4") == "1.2.3.4"


def route(label: str, **more) -> dict:
    return {
        "label": label,
        "space": "id",
        "id": "acme/x",
        "state": "open",
        "address": "127.0.0.1:1",
        "instance": "s",
    } | more


def feed(table: Table, *messages: dict) -> None:
    for message in messages:
        table.apply(json.dumps(message).encode())


def test_routes_that_are_not_in_a_snapshot_vanish_only_when_it_is_complete():
    changed: list[bytes] = []
    table = Table("http://localhost", lambda label, route: changed.append(label))
    feed(table, {"reset": True}, {"put": route("a")}, {"put": route("b")}, {"synced": True})
    assert table.informed and len(table) == 2
    feed(table, {"reset": True}, {"put": route("a")})
    assert table.get(b"b") is not None
    changed.clear()
    feed(table, {"synced": True})
    assert table.get(b"b") is None and changed == [b"b"]
    feed(table, {"reset": True})
    table.interrupted()
    feed(table, {"synced": True})
    assert table.get(b"a") is not None, "a broken snapshot says nothing"


@pytest.mark.parametrize(
    "line",
    [
        b"garbage", b"[]", b"1", b'{"put": 1}', b'{"put": {"label": "x"}}', b'{"drop": 1}', b'{"keys": 1}', b"\xff\xfe",
        json.dumps({"put": route("x", state="strange")}).encode(),
        json.dumps({"put": route("x", address="")}).encode(),
        json.dumps({"put": route("x", address="127.0.0.1:99999")}).encode(),
        json.dumps({"put": route("x", address="unix:")}).encode(),
        json.dumps({"put": route("x", space='"evil')}).encode(),
        json.dumps({"put": route("ä")}).encode(),
    ],
)  # fmt: skip
def test_garbage_in_the_feed_changes_nothing(line):
    table = Table("http://localhost")
    feed(table, {"put": route("a")})
    table.apply(line)
    assert [r.label for r in table] == [b"a"]


def test_custom_headers_cannot_inject_or_override_ours():
    bad = {
        "X-A": "1\r\nX-B: 2",
        "Connection": "close",
        "X Y": "1",
        "Set-Cookie": "a=b",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    table = Table("http://localhost")
    feed(table, {"put": route("a", headers=bad)})
    extra = b"Content-Security-Policy: frame-ancestors http://localhost 'self'\r\nCross-Origin-Opener-Policy: same-origin\r\n"
    assert table.get(b"a").extra == extra


def test_pools_survive_a_resync_and_end_with_their_instance():
    retired: list = []
    table = Table("http://localhost", on_retire=retired.append)
    feed(table, {"put": route("a")})
    table.get(b"a").pools = {table.get(b"a").address: "pool"}
    feed(table, {"put": route("a", reason="new words")})
    assert table.get(b"a").pool == "pool" and not retired
    feed(table, {"put": route("a", instance="s-2")})
    assert table.get(b"a").pool is None and retired == ["pool"]


def test_pools_of_replicas_that_stay_are_kept():
    retired: list = []
    table = Table("http://localhost", on_retire=retired.append)
    where = route("a")["address"]
    feed(table, {"put": route("a")})
    table.get(b"a").pools = {where: "one"}
    feed(table, {"put": route("a", addresses=[where, "10.0.0.2:1"])})
    assert (table.get(b"a").pool, table.get(b"a").pools) == (None, {where: "one"}), "each request chooses"
    table.get(b"a").pools["10.0.0.2:1"] = "two"
    feed(table, {"put": route("a", address="10.0.0.2:1")})
    assert (table.get(b"a").pool, retired) == ("two", ["one"])
    feed(table, {"drop": "a"})
    assert retired == ["one", "two"]


def test_who_may_be_in_the_middle_of_something_stays_for_some_minutes_when_a_replica_is_added():
    table, here = Table("http://localhost"), monotonic()
    one, two, three = "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"

    def settled(*addresses: str, after: float = 0.0, **more) -> tuple[str, ...]:
        feed(table, {"put": route("a", address=addresses[0], addresses=list(addresses), **more)})
        return table.get(b"a").settled(here + after)

    assert settled(one) == (one,)
    assert settled(one, two) == (one,)
    assert settled(one, two, reason="other words") == (one,)
    assert settled(one, two, after=700) == (one, two)
    assert settled(one, two, three) == (one,), "one that is new is so for all of that time"
    assert settled(two, three) == (two, three), "nobody is left who was there before"
    assert settled(two, three, one) == (two, three)
    assert settled(one, two, three, instance="s-2") == (one, two, three), "nobody is in the middle of anything"


def test_a_route_of_several_replicas_is_kept_on_disk_as_it_came():
    table = Table("http://localhost")
    feed(table, {"put": route("a", addresses=["127.0.0.1:1", "[::1]:2"], address="127.0.0.1:1")})
    assert list(json.loads(json.dumps(table.get(b"a").message()))["addresses"]) == ["127.0.0.1:1", "[::1]:2"]
    feed(table, {"put": route("b", addresses=["127.0.0.1:1", "nowhere"])})
    assert table.get(b"b") is None
    feed(table, {"put": route("b")})
    assert "addresses" not in table.get(b"b").message()


@pytest.mark.parametrize("keys", [{}, {"sign_key": "x", "cookie_key": "y"}, {"sign_key": "", "cookie_key": ""}])
def test_keys_that_cannot_be_used_close_private_spaces(keys):
    table = Table("http://localhost")
    feed(table, {"put": route("a", private=True)})
    access = Access(https=False, secure=True)
    access.load(keys)
    assert not access.cookie_allows(b"podium-app=x", table.get(b"a"), "a.localhost")
    assert access.sign_claims(b"x", table.get(b"a"), ("a.localhost", "a.localhost:8000")) is None


def test_every_line_of_the_access_log_is_json(tmp_path):
    """Whatever the visitor wrote, asked for again or not, short or long."""
    log = AccessLog(tmp_path / "access.log", 1 << 20)
    targets = [b'/"\\\n?x=1', b"/caf\xc3\xa9", b"/same?a", b"/same?a", b"/" + b"x" * 3000]
    for number, target in enumerate(targets):
        request = Request(None)
        request.method, request.target, request.host, request.address = b"GET", target, b'a".localhost', "::1"
        request.status, request.sent, request.started, request.outcome = 200, number, 1.0, Outcome.FORWARD
        log.write(request, 1.5)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert [line["path"].encode("latin-1") for line in lines] == [target.partition(b"?")[0] for target in targets]
    assert [line["bytes"] for line in lines] == [0, 1, 2, 3, 4]
    assert all(line["host"] == 'a".localhost' and line["ms"] == 500 and line["outcome"] == "forward" for line in lines)


def test_an_app_cannot_clear_the_cookies_of_its_neighbours():
    """Browsers clear them for the whole domain."""
    assert headers.learn_response(dict(headers.APP_RESPONSE), b"Clear-Site-Data") is False
