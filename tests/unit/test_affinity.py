"""Who is served by which replica: even, the same everywhere, and stable when one comes or goes."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway import headers
from orchestrator.gateway.access import Access
from orchestrator.gateway.affinity import KEYS, choose, number, pinned, ranked, seat_in, tag

SIX = [f"10.244.{n}.7:7860" for n in range(6)]
ALL = [number(n) for n in range(KEYS)]


def test_every_gateway_chooses_the_same_in_whatever_order_it_heard_of_them():
    assert choose(b"1f3", SIX) == choose(b"1f3", SIX[::-1]) == ranked(b"1f3", SIX)[0]
    assert choose(b"1f3", ("10.0.0.1:1", "10.0.0.2:1", "[fd00::7]:1")) == "[fd00::7]:1", (
        "also after an update of Python"
    )


def test_one_that_goes_moves_its_own_visitors_only():
    for gone in SIX:
        left = [one for one in SIX if one != gone]
        assert all(choose(key, left) == choose(key, SIX) for key in ALL if choose(key, SIX) != gone)
        assert all(choose(key, left) == ranked(key, SIX)[1] for key in ALL if choose(key, SIX) == gone)


def test_one_that_comes_takes_its_share_and_moves_nobody_else():
    more = [*SIX, "10.244.9.9:7860"]
    moved = [key for key in ALL if choose(key, more) != choose(key, SIX)]
    assert {choose(key, more) for key in moved} == {more[-1]}
    assert 0.8 * KEYS / 7 < len(moved) < 1.2 * KEYS / 7


@pytest.mark.parametrize("count", [2, 3, 6])
def test_visitors_are_spread_evenly(count):
    for keys in (ALL, [f"192.168.{n // 250}.{n % 250}".encode() for n in range(4000)]):
        shares = Counter(choose(key, SIX[:count]) for key in keys)
        assert len(shares) == count
        assert all(0.85 < share * count / len(keys) < 1.15 for share in shares.values()), shares


@given(st.binary(max_size=200), st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5, unique=True))
def test_any_key_has_a_place(key, addresses):
    assert choose(key, addresses) == ranked(key, addresses)[0]
    assert sorted(ranked(key, addresses)) == sorted(addresses)


@pytest.mark.parametrize(
    ("cookie", "seat"),
    [
        (b"podium-replica=1f3-00aa", (b"1f3", b"00aa")),
        (b"a=b; podium-replica=00a-1234;c=d", (b"00a", b"1234")),
        (b"podium-replica=1F3-1234", None),
        (b"podium-replica=1f3", None),
        (b"podium-replica=1f3-12345", None),
        (b"podium-replica=", None),
        (b"not-podium-replica=1f3-1234", None),
        (b"podium-replica=zzz; podium-replica=abc-dead", (b"abc", b"dead")),
        (b"", None),
        (None, None),
    ],
)
def test_what_a_cookie_says(cookie, seat):
    assert seat_in(cookie, b"podium-replica") == seat


def test_a_browser_stays_when_others_come_and_goes_where_its_key_says_when_its_replica_goes():
    for address in SIX:
        seat = (b"1f3", tag(address))
        assert pinned(seat, SIX[::-1]) == pinned(seat, [*SIX, "10.244.9.9:7860"]) == address
        assert pinned(seat, [one for one in SIX if one != address]) == ""
    assert pinned(None, SIX) == ""


def test_the_cookie_is_ours_alone_and_fits_a_frame_on_another_site():
    secure = Access(https=True, secure=True)
    line = secure.replica_cookie(number(5), b"beef")
    assert (
        line == b"Set-Cookie: __Host-podium-replica=005-beef; HttpOnly; Path=/; Secure; SameSite=None; Partitioned\r\n"
    )
    plain = Access(https=False, secure=False).replica_cookie(number(KEYS + 1), b"beef")
    assert plain == b"Set-Cookie: podium-replica=001-beef; HttpOnly; Path=/; SameSite=Lax\r\n"
    noted = {b"cookie": b"mine=1; __Host-podium-replica=005-beef; podium-replica=001-beef"}
    assert headers.credentials(noted) == b"Cookie: mine=1\r\n"
    assert headers.app_cookie(b"__Host-podium-replica=005-beef; Path=/") is None
