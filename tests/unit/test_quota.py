"""The arithmetic of quotas: what is denied, what is not, and the sentence."""

from datetime import UTC, datetime

import pytest

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.quota import ALL, Quota, Spent, denial, month_of

T4 = Hardware("t4", "T4", 4, 1, 1, accelerator="Nvidia T4", count=1, price=0.5, currency="EUR")
PAID = Hardware("cpu-xl", "CPU", 8, 1, 1, price=0.1)
FREE = Hardware("cpu-basic", "CPU", 2, 1, 1)


def denied(hardware, *quotas, granted=False, joining=False, **spent) -> str:
    return denial("acme", hardware, {q.flavor: q for q in quotas}, spent, granted, joining)


def quota(flavor="t4", **limits) -> Quota:
    return Quota("o", flavor, **limits)


def test_deny_by_default():
    assert denied(T4) == "acme has no quota for t4; an admin gives one"
    assert denied(PAID) == "acme has no quota for cpu-xl; an admin gives one"
    assert denied(FREE) == ""
    assert denied(T4, granted=True) == ""
    assert denied(T4, quota("cpu-xl")) != ""
    assert denied(T4, quota()) == "" and denied(T4, quota(ALL)) == ""


@pytest.mark.parametrize(
    ("quotas", "spent", "says"),
    [
        ([quota(hours=1)], Spent(3599.9), ""),
        ([quota(hours=1)], Spent(3600.0), "acme has used its 1 hours of t4 for this month"),
        ([quota(hours=0)], Spent(), "acme has used its 0 hours"),
        ([quota(price=2.5)], Spent(9e9, 2.4), ""),
        ([quota(price=2.5)], Spent(0, 2.5), "acme has spent its 2.5 EUR on t4 for this month"),
        ([quota(price=0)], Spent(), "acme has spent its 0 EUR"),
        ([quota(hours=9), quota(ALL, hours=1)], Spent(3600.0), "of hardware with a price or an accelerator for this"),
        ([quota(hours=9), quota(ALL, hours=2)], Spent(3600.0), ""),
        ([quota(count=1)], Spent(count=5), ""),
    ],
)
def test_limits_of_a_month(quotas, spent, says):
    found = denied(T4, *quotas, t4=spent)
    assert says in found if says else found == ""
    assert denied(T4, *quotas, granted=True, t4=spent) == found


def test_count_holds_who_joins():
    assert denied(T4, quota(count=2), joining=True, t4=Spent(count=1)) == ""
    assert denied(T4, quota(count=1), joining=True, t4=Spent(count=1)) == "acme may have 1 Space on t4, and has 1"
    both = {"t4": Spent(count=1), "cpu-xl": Spent(count=1)}
    assert denied(T4, quota(ALL, count=2), joining=True, **both).startswith("acme may have 2 Spaces on hardware with")
    assert denied(T4, quota(count=0), joining=True) == "acme may have 0 Spaces on t4, and has 0"


def test_all_together_leaves_what_is_free_alone():
    assert denied(FREE, quota(ALL, hours=0)) == ""
    assert denied(FREE, quota("cpu-basic", count=0), joining=True) != ""


def test_months_are_those_of_utc():
    def at(*day):
        return datetime(*day, tzinfo=UTC).timestamp()

    assert month_of(at(2026, 11, 22, 5)) == (at(2026, 11, 1), at(2026, 12, 1))
    assert month_of(at(2026, 12, 31, 23, 59)) == (at(2026, 12, 1), at(2027, 1, 1))
    assert month_of(at(2028, 2, 1)) == (at(2028, 2, 1), at(2028, 3, 1))
