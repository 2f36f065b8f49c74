"""What gateways count and what owners are told of it: sums, quantiles, sketches of visitors that remember nobody."""

import asyncio
import json

import pytest

from orchestrator.domain.visits import BOUNDS, Hour, merged, quantile, total, visitors
from orchestrator.errors import Invalid, Unavailable
from orchestrator.gateway.outcome import Outcome
from orchestrator.gateway.tally import CLASSES, ERRORS, PAGES, Tally, household

ADDRESSES = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(5000)]


class Route:
    def __init__(self, space: str) -> None:
        self.space = space


class Request:
    def __init__(self, space: str, status: int = 200, started: float = 0.0, address: str = "10.0.0.1") -> None:
        self.route, self.status, self.started, self.address = Route(space), status, started, address
        self.method, self.keeps, self.outcome = b"GET", False, Outcome.FORWARD


class ControlPlane:
    def __init__(self) -> None:
        self.status, self.bodies = 200, []

    async def call(self, method, path, body):
        if not self.status:
            raise Unavailable("away")
        assert (method, path) == ("POST", "/internal/visits")
        self.bodies.append(json.loads(json.dumps(body)))
        return self.status, b"{}"


@pytest.fixture
def control():
    return ControlPlane()


@pytest.fixture
def tally(control):
    return Tally(control, "a secret")


def test_answers_are_counted_by_how_long_they_took(control, tally) -> None:
    for elapsed in (0.001, 0.02, 0.02, 5.0, 99.0):
        tally.answered(Request("s"), elapsed)
    tally.answered(Request("s", 502), 0.05)
    tally.answered(Request("s", 101), 600.0)
    assert asyncio.run(tally.send())
    (numbers,) = [body["spaces"]["s"] for body in control.bodies]
    assert numbers[:CLASSES] == [1, 2, 1, 0, 0, 0, 1, 1] and numbers[ERRORS] == 1 and numbers[PAGES] == 0
    assert numbers[-1] == "" and asyncio.run(tally.send()) and len(control.bodies) == 1


def test_nothing_is_lost_while_the_control_plane_is_away(control, tally) -> None:
    control.status = 0
    for address in ADDRESSES[:100]:
        tally.opened(Request("s", address=address), Route("s"))
        tally.answered(Request("s"), 0.02)
    assert not asyncio.run(tally.send())
    tally.opened(Request("s", address="10.9.9.9"), Route("s"))
    control.status = 200
    assert asyncio.run(tally.send())
    numbers = control.bodies[0]["spaces"]["s"]
    assert numbers[PAGES] == 101 and numbers[1] == 100 and 90 <= visitors(numbers[-1]) <= 112


def test_a_report_holds_no_address(control, tally) -> None:
    for address in ADDRESSES[:50]:
        tally.opened(Request("s", address=address), Route("s"))
    asyncio.run(tally.send())
    told = json.dumps(control.bodies)
    assert not any(address in told for address in ADDRESSES[:50])


@pytest.mark.parametrize("count", [1, 2, 10, 100, 1000, 5000])
def test_visitors_are_told_about_right_however_often_they_come(control, tally, count: int) -> None:
    for _ in range(2):
        for address in ADDRESSES[:count]:
            tally.opened(Request("s", address=address), Route("s"))
    asyncio.run(tally.send())
    assert visitors(control.bodies[0]["spaces"]["s"][-1]) == pytest.approx(count, rel=0.2, abs=0.5)


def test_sketches_join(control, tally) -> None:
    sketches = []
    for part in (ADDRESSES[:600], ADDRESSES[300:900]):
        for address in part:
            tally.opened(Request("s", address=address), Route("s"))
        asyncio.run(tally.send())
        sketches.append(control.bodies[-1]["spaces"]["s"][-1])
    assert visitors(merged(*sketches)) == pytest.approx(900, rel=0.2)
    assert merged("", sketches[0]) == sketches[0] and visitors("") == 0


def test_a_household_is_one_visitor() -> None:
    assert household("2001:db8:1:2:aaaa::1") == household("2001:db8:1:2:bbbb::2") != household("2001:db8:1:3::1")
    assert household("10.0.0.1") != household("10.0.0.2") and household("::zz") == b"::zz"


def test_quantiles_lie_between_the_bounds_of_their_class() -> None:
    assert quantile((0,) * CLASSES, 0.5) is None
    assert BOUNDS[1] <= quantile((0, 0, 10, 0, 0, 0, 0, 0), 0.5) <= BOUNDS[2]
    slow = (90, 0, 0, 0, 0, 10, 0, 0)
    assert quantile(slow, 0.5) < BOUNDS[0] and BOUNDS[4] <= quantile(slow, 0.95) <= BOUNDS[5]
    assert quantile((0, 0, 0, 0, 0, 0, 0, 3), 1.0) == pytest.approx(30.0)


def test_sums() -> None:
    one = Hour(5, 3, 2, 1, (1, 1, 1, 0, 0, 0, 0, 0))
    assert total([one, one], 7) == Hour(7, 6, 4, 2, (2, 2, 2, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "row",
    [
        [1, 2],
        [0] * 11,
        ["x"] * 10 + [""],
        [0] * 10 + ["zz"],
        [-1] + [0] * 9 + [""],
        [0] * 10 + ["0" * 511],
        [True] * 10 + [""],
    ],
)
def test_nonsense_is_refused(row) -> None:
    from orchestrator.services.visits import Visits

    with pytest.raises(Invalid, match="report of visits"):
        Visits(None, clock=lambda: 1e9).report(1e9, {"s": row})
