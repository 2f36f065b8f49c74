"""A Space with several replicas behind the real gateway: who is served by which, and what happens when one goes."""

import asyncio
import http.client
import json

import pytest
from websockets.sync.client import connect

from tests.bench.gateway_rig import body_of, reply
from tests.contracts.test_gateway import World, echo, socket_echo
from tests.support import eventually


class Three:
    """Three apps at acme-three that say which of them answers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.apps = [world.app(self.saying(n)) for n in range(3)]
        self.put(*self.apps)
        world.until_known("acme-three")

    def saying(self, number: int):
        async def handler(first, fields, reader, writer) -> bool:
            if fields.get("upgrade") == "websocket":
                return await socket_echo(first, fields, reader, writer)
            await body_of(fields, reader)
            reply(writer, json.dumps({"number": number, "cookie": fields.get("cookie", "")}).encode())
            return True

        return handler

    def put(self, *apps) -> None:
        where = [app.address for app in apps]
        self.world.control.put("acme-three", address=where[0], addresses=where)

    def page(self, **fields: str):
        return self.world.page("acme-three", **fields)

    def number(self, cookie: str = "", **fields: str) -> int:
        return self.world.get("acme-three", **({"Cookie": cookie} if cookie else {}), **fields).json["number"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("gateway"), trusted_proxies=1, rate_limit=0.0)
    yield world
    world.close()


@pytest.fixture
def three(world):
    return Three(world)


def visitor(three: Three) -> tuple[str, int]:
    """A browser that has just come: its cookie, and who served it."""
    answer = three.page()
    (line,) = answer.headers.get_all("Set-Cookie")
    name, _, value = line.partition(";")[0].partition("=")
    assert name == "podium-replica" and line.endswith("; HttpOnly; Path=/; Secure; SameSite=None; Partitioned")
    return f"{name}={value}", answer.json["number"]


def test_a_browser_stays_where_its_first_page_came_from(three):
    seen = set()
    for _ in range(20):
        cookie, first = visitor(three)
        seen.add(first)
        assert {three.number(cookie) for _ in range(5)} == {first}
        again = three.page(Cookie=f"mine=1; {cookie}")
        assert again.json == {"number": first, "cookie": "mine=1"}, "and the app does not see by what"
        assert not again.headers.get_all("Set-Cookie")
    assert len(seen) > 1


def test_a_program_stays_by_its_address(three):
    served = {f"10.0.0.{n}": three.number(**{"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(30)}
    assert len(set(served.values())) == 3
    for address, number in served.items():
        assert three.number(**{"X-Forwarded-For": address}) == number
    assert not three.world.get("acme-three").headers.get_all("Set-Cookie")


def test_no_answer_is_another_visitors(three):
    """What the gateway remembers of an answer must hold no cookie, also over one connection to the app."""
    for _ in range(10):
        cookie, number = visitor(three)
        answers = [three.page(), three.world.get("acme-three", Cookie=cookie), three.page(), three.page(Cookie=cookie)]
        assert [bool(one.headers.get_all("Set-Cookie")) for one in answers] == [True, False, True, False]
        assert answers[1].json["number"] == answers[3].json["number"] == number


def test_repeated_requests_of_one_connection_stay(three):
    for _ in range(5):
        cookie, number = visitor(three)
        connection = http.client.HTTPConnection("127.0.0.1", three.world.gateway.port, timeout=20)
        host = f"acme-three.localhost:{three.world.gateway.port}"
        for path in ("/", "/", "/a", "/", "/b"):
            connection.request("GET", path, headers={"Host": host, "Cookie": cookie})
            assert json.loads(connection.getresponse().read())["number"] == number
        connection.close()


def test_sessions_survive_when_a_replica_is_added(three):
    first, *others = three.apps
    three.put(first)
    known = eventually(lambda: three.number(**{"X-Forwarded-For": "10.0.3.1"}) == 0)
    assert known and not three.page().headers.get_all("Set-Cookie"), "with one there is nothing to choose"
    three.put(first, others[0])
    eventually(lambda: visitor(three)[1] == 1)
    programs = [f"10.0.3.{n}" for n in range(30)]
    assert {three.number(**{"X-Forwarded-For": one}) for one in programs} == {0}, (
        "they may be in the middle of something"
    )
    tab = three.world.get("acme-three", "/", "POST", b"x", Sec_Fetch_Mode="cors", **{"X-Forwarded-For": "10.0.3.2"})
    cookie = tab.headers["Set-Cookie"].partition(";")[0]
    assert tab.json["number"] == 0
    browsers = [(cookie, 0), *(visitor(three) for _ in range(12))]
    three.put(*three.apps)
    eventually(lambda: visitor(three)[1] == 2)
    assert all(three.number(cookie) == number for cookie, number in browsers)


def test_browsers_whose_replica_ended_stay_with_the_one_that_took_them(three):
    _, second, third = three.apps
    lost = [cookie for cookie, number in (visitor(three) for _ in range(30)) if number == 0]
    three.put(second)
    eventually(lambda: {three.number(cookie) for cookie in lost} == {1})
    three.put(second, third)
    eventually(lambda: visitor(three)[1] == 2)
    assert {three.number(cookie) for cookie in lost} == {1}, "not with the one that came in its place"


def test_sockets_follow_the_same_choice(three):
    cookie, number = visitor(three)
    before = [app.open for app in three.apps]
    host = f"acme-three.localhost:{three.world.gateway.port}"
    with connect(f"ws://{host}/", additional_headers={"Cookie": cookie}) as socket:
        socket.send("hello")
        assert socket.recv(10) == "hello"
        assert three.apps[number].heads[-1].lower().count(b"upgrade: websocket") == 1
        assert three.apps[number].open >= before[number]


def test_who_is_refused_is_served_by_the_next_and_the_others_stay(three):
    visitors = [visitor(three) for _ in range(12)]
    three.apps[0].stop()
    for cookie, number in visitors:
        now = three.world.get("acme-three", "/", "POST", b"x" * 100_000, Cookie=cookie).json["number"]
        assert now == number if number else now in (1, 2)
        assert three.number(cookie) == now, "nor does it wander about meanwhile"
    moved = three.page(Cookie=next(cookie for cookie, number in visitors if not number))
    assert moved.headers.get_all("Set-Cookie"), "it stays where it is now"
    three.put(*three.apps[1:])
    where = {cookie: three.number(cookie) for cookie, _ in visitors}
    eventually(lambda: all(where[cookie] == number for cookie, number in visitors if number))
    assert three.page().status == 200


def test_what_may_be_sent_twice_is_answered_by_another_when_one_hangs_up(world):
    async def hang_up(first, fields, reader, writer) -> bool:
        await body_of(fields, reader)
        return False

    bad, good = world.app(hang_up), world.app(echo)
    world.control.put("acme-ill", address=bad.address, addresses=[bad.address, good.address])
    world.until_known("acme-ill")
    for n in range(12):
        assert world.get("acme-ill", "/", **{"X-Forwarded-For": f"10.0.1.{n}"}).status == 200
    assert bad.connections, "some came there first"


def test_nobody_answers_and_it_is_said_in_time(world):
    dead = [world.app(echo), world.app(echo)]
    for one in dead:
        one.stop()
    where = [one.address for one in dead]
    world.control.put("acme-dead", address=where[0], addresses=where)
    world.until_known("acme-dead")
    began = asyncio.new_event_loop().time()
    answer = world.get("acme-dead")
    assert answer.status == 502 and asyncio.new_event_loop().time() - began < 15


def test_connections_to_a_replica_that_stays_are_kept_when_others_come_and_go(three):
    cookie, number = visitor(three)
    three.number(cookie)
    stays = three.apps[number]
    before = stays.connections
    others = [app for app in three.apps if app is not stays]
    three.put(stays, others[0])
    three.put(stays)
    three.put(*three.apps)
    three.world.control.change("acme-three", reason="the last word")
    eventually(lambda: b"the last word" in three.world.gateway.config.snapshot.read_bytes())
    assert three.number(cookie) == number
    assert stays.connections <= before + 1
