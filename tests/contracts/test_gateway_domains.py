"""Domains of people's own at the gateway, between real sockets: who is served there, for how long, and to whom a proxy may give a
certificate; and which sites may frame an app."""

import http.client
import json

import pytest

from tests.contracts.test_gateway import World, echo
from tests.support import eventually


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("domains"))
    yield world
    world.close()


def ask(world, host, path="/", connection=None, **fields):
    """(status, headers, body) as a browser at `host` gets them."""
    kept = connection or http.client.HTTPConnection("127.0.0.1", world.gateway.port, timeout=20)
    try:
        kept.request("GET", path, headers={"Host": host} | {name.replace("_", "-"): v for name, v in fields.items()})
        found = kept.getresponse()
        return found.status, found.headers, found.read()
    finally:
        if connection is None:
            kept.close()


def status(world, host, **fields):
    return ask(world, host, **fields)[0]


def certified(world, domain):
    return ask(world, f"localhost:{world.gateway.port}", f"/.podium/certificate?domain={domain}")[0]


def test_an_app_is_served_at_its_domains_while_they_are_told(world):
    assert status(world, "demo.example.com") == 421 and certified(world, "demo.example.com") == 404
    world.control.change("acme-demo", hosts=["demo.example.com", "xn--mnchen-3ya.example.com"])
    eventually(lambda: status(world, "demo.example.com") == 200)
    for host in ("demo.example.com:443", "DEMO.Example.com.", "xn--mnchen-3ya.example.com"):
        code, _, body = ask(world, host, "/a?b=1")
        assert code == 200 and json.loads(body)["headers"]["x-forwarded-host"] == host
    for host in (
        "x.demo.example.com",
        "example.com",
        "demo.example.com.evil.org",
        "demo.example.com/",
        "demo.example.com:99999",
    ):
        assert status(world, host) in (400, 421), host
    assert certified(world, "DEMO.example.com") == certified(world, "xn--mnchen-3ya.example.com") == 200
    for domain in (
        "other.example.com",
        "acme-demo.localhost",
        "localhost",
        "",
        "demo.example.com&domain=demo.example.com",
        "%00",
    ):
        assert certified(world, domain) == 404, domain
    assert ask(world, "demo.example.com", "/.podium/certificate?domain=demo.example.com")[0] == 404, (
        "not on apps' hosts"
    )


def test_what_was_taken_away_is_gone_on_connections_that_stay(world):
    world.control.change("acme-demo", hosts=["stay.example.com"])
    eventually(lambda: status(world, "stay.example.com") == 200)
    connection = http.client.HTTPConnection("127.0.0.1", world.gateway.port, timeout=20)
    assert ask(world, "stay.example.com", connection=connection)[0] == 200
    world.control.change("acme-demo", hosts=[])
    eventually(lambda: status(world, "stay.example.com") == 421)
    assert ask(world, "stay.example.com", connection=connection)[0] == 421
    connection.close()


def test_a_domain_goes_from_one_space_to_another(world):
    world.space("acme-next", echo)
    world.control.change("acme-demo", hosts=["goes.example.com"])
    eventually(lambda: status(world, "goes.example.com") == 200)
    world.control.change("acme-next", hosts=["goes.example.com"])
    world.control.change("acme-demo", hosts=[])
    world.control.change("acme-next", title="last")
    snapshot = world.gateway.config.snapshot
    eventually(lambda: '"title": "last"' in snapshot.read_text() and "goes.example.com" in snapshot.read_text())
    assert status(world, "goes.example.com") == 200, "the old one's leave does not take it from the new one"
    world.control.drop("acme-next")
    eventually(lambda: status(world, "goes.example.com") == 421)


def test_a_private_app_is_at_its_own_address_alone(world):
    world.space("acme-hidden", echo, private=True, hosts=["hidden.example.com"])
    link = world.control.sign("hidden.example.com", "id-acme-hidden")
    assert status(world, "hidden.example.com") == status(world, "hidden.example.com", Accept="text/html") == 421
    assert ask(world, "hidden.example.com", f"/?__sign={link}", Accept="text/html")[0] == 421
    assert certified(world, "hidden.example.com") == 404
    own = f"acme-hidden.localhost:{world.gateway.port}"
    signed = world.control.sign("acme-hidden.localhost", "id-acme-hidden")
    _, headers, _ = ask(world, own, f"/?__sign={signed}", Accept="text/html")
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert status(world, own, Cookie=cookie) == 200
    assert status(world, "hidden.example.com", Cookie=cookie) == 421


def test_our_own_names_are_nobodys(world):
    """Even if a feed told them: the console and the hosts of Spaces come first."""
    world.space("acme-thief", echo, hosts=["localhost", "acme-demo.localhost", "127.0.0.1"])
    port = world.gateway.port
    assert json.loads(ask(world, f"acme-demo.localhost:{port}", "/x")[2])["first"] == "GET /x HTTP/1.1"
    assert ask(world, f"localhost:{port}", "/.podium/healthz")[0] == 200
    assert ask(world, f"127.0.0.1:{port}", "/.podium/healthz")[0] == 200


def test_the_sites_that_may_frame_an_app_are_told_to_browsers(world):
    def told(label, **route):
        world.space(label, echo, **route)
        return world.get(label).headers.get_all("Content-Security-Policy")

    assert told("acme-any", embed=True, ancestors=None) is None
    assert told("acme-some", embed=True, ancestors=["https://a.example", "https://*.b.example:8443"]) == [
        "frame-ancestors http://localhost 'self' https://a.example https://*.b.example:8443"
    ]
    assert told("acme-none", embed=True, ancestors=[]) == ["frame-ancestors http://localhost 'self'"]
    assert told("acme-off", embed=False, ancestors=["https://a.example"]) == ["frame-ancestors http://localhost 'self'"]
    evil = ["https://a.example; script-src *", "*", "https://b.example\r\nX: y", "https://ok.example"]
    assert told("acme-evil", embed=True, ancestors=evil) == [
        "frame-ancestors http://localhost 'self' https://ok.example"
    ]
    world.control.put("acme-waits", state="wait", stage="BUILDING", embed=True, ancestors=["https://a.example"])
    page = eventually(lambda: (found := world.page("acme-waits")).status == 503 and found)
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors http://localhost 'self' https://a.example")


def test_the_snapshot_keeps_domains_and_sites(world):
    world.space("acme-kept", echo, embed=True, hosts=["kept.example.com"], ancestors=["https://a.example"])
    eventually(lambda: "kept.example.com" in world.gateway.config.snapshot.read_text())
    lines = [json.loads(line) for line in world.gateway.config.snapshot.read_text().splitlines()]
    kept = next(line["put"] for line in lines if line.get("put", {}).get("label") == "acme-kept")
    assert (kept["hosts"], kept["ancestors"]) == (["kept.example.com"], ["https://a.example"])
