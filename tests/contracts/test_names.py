"""The Names port's contract, against a real DNS server on loopback: what stands there, what does not, and silence."""

import socket
import threading

import dns.message
import dns.rcode
import dns.rrset
import pytest

from orchestrator.errors import Invalid, Unavailable
from orchestrator.names.dns import Dns

ZONE = {
    ("_podium.demo.test.", "TXT"): ['"podium-space=abc"', '"two " "parts"', '"\\195\\188"'],
    ("demo.test.", "CNAME"): ["home.test."],
    ("home.test.", "A"): ["10.0.0.1", "10.0.0.2"],
    ("home.test.", "AAAA"): ["2001:db8::1"],
    ("only-a.test.", "A"): ["10.0.0.3"],
    ("loop.test.", "CNAME"): ["loop.test."],
}


class Server(threading.Thread):
    """Answers from ZONE, follows its CNAMEs as a resolver does, fails below fails.test, and is silent below silent.test."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                wire, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            if wire == b"stop":
                return
            if answer := self.answer(dns.message.from_wire(wire)):
                self.socket.sendto(answer.to_wire(), sender)

    def answer(self, asked):
        name, kind = asked.question[0].name.to_text(), dns.rdatatype.to_text(asked.question[0].rdtype)
        if "silent" in name:
            return None
        told = dns.message.make_response(asked)
        told.flags |= dns.flags.RA
        if "fails" in name:
            told.set_rcode(dns.rcode.SERVFAIL)
            return told
        for _ in range(3):
            if target := ZONE.get((name, "CNAME")):
                told.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", *target))
                name = target[0]
        if values := ZONE.get((name, kind)):
            told.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *values))
        elif not any(known == name for known, _ in ZONE):
            told.set_rcode(dns.rcode.NXDOMAIN)
        return told

    def stop(self) -> None:
        self.socket.sendto(b"stop", ("127.0.0.1", self.port))
        self.join(10)
        self.socket.close()


@pytest.fixture(scope="module")
def names():
    server = Server()
    server.start()
    yield Dns(["127.0.0.1"], server.port, lifetime=1.0)
    server.stop()


def test_texts_are_read_whole(names):
    assert set(names.texts("_podium.demo.test")) == {"podium-space=abc", "two parts", "ü"}


def test_addresses_are_found_through_other_names(names):
    assert set(names.addresses("demo.test")) == {"10.0.0.1", "10.0.0.2", "2001:db8::1"}
    assert names.addresses("only-a.test") == ("10.0.0.3",)


@pytest.mark.parametrize("name", ["nobody.test", "demo.test"])
def test_what_is_not_there_is_nothing(names, name):
    assert names.texts(name) == ()


@pytest.mark.parametrize(("name", "says"), [("silent.test", "in time"), ("fails.test", "failure"), ("loop.test", ".")])
def test_no_answer_is_told_from_no_record(names, name, says):
    with pytest.raises(Unavailable, match=says):
        names.addresses(name)


def test_nobody_listens():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable):
        Dns(["127.0.0.1"], port, lifetime=0.5).texts("demo.test")


def test_servers_are_addresses():
    with pytest.raises(Invalid, match="PODIUM_DNS_SERVERS"):
        Dns(["resolver.example"])
