"""Notices to a URL of the operator's, against a real HTTP server: they arrive, are tried again, and never stand in the way."""

import pytest

from orchestrator.bells.webhook import Webhook
from orchestrator.errors import Invalid
from tests.support import eventually, free_port
from tests.unit.test_cli_space import Server


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def hook(url: str) -> Webhook:
    made = Webhook(url, (0.01, 0.01, 0.01))
    made.start()
    return made


def test_a_notice_arrives_also_at_the_second_attempt(server):
    server.on("POST", "/hook", [(500, {}, {}), (200, {}, {})])
    made = hook(server.url + "/api/hook")
    made.tell({"event": "hardware.asked", "space": "ada/demo"})
    eventually(lambda: len(server.asked) == 2)
    made.tell({"event": "hardware.approved"})
    eventually(lambda: len(server.asked) == 3)
    bodies = [body for _, _, _, body in server.asked]
    assert bodies == [{"event": "hardware.asked", "space": "ada/demo"}] * 2 + [{"event": "hardware.approved"}]
    made.stop()


def test_a_server_that_is_away_stands_in_nobodys_way(server):
    made = hook(f"http://127.0.0.1:{free_port()}/")
    for number in range(2000):
        made.tell({"event": str(number)})
    made.stop()


@pytest.mark.parametrize("url", ["chat.example/hook", "ftp://chat.example", "http://", "file:///etc/passwd"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(Invalid, match="PODIUM_HARDWARE_WEBHOOK"):
        Webhook(url)
