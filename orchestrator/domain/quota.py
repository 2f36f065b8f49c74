"""How much hardware an owner may use in a month, and the sentence that says that it is too much. Pure arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.domain.hardware import Hardware

ALL = "*"  #: a quota for all flavours that need one, together


@dataclass(frozen=True, slots=True)
class Quota:
    """What an owner may use of one flavour, or of ALL together. None: as much as they like. Hours and price are those of a
    calendar month in UTC; `count` is how many Spaces may be on it, where each replica counts as one."""

    owner_id: str
    flavor: str
    hours: float | None = None
    count: int | None = None
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What an owner used of one flavour this month, and how many Spaces, replica by replica, are on it."""

    seconds: float = 0.0
    cost: float = 0.0
    count: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.seconds + other.seconds, self.cost + other.cost, self.count + other.count)


def month_of(now: float) -> tuple[float, float]:
    """Begin and end of the calendar month, in UTC, as epoch seconds."""
    at = datetime.fromtimestamp(now, UTC)
    begin = datetime(at.year, at.month, 1, tzinfo=UTC)
    end = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
    return begin.timestamp(), end.timestamp()


def denial(
    owner: str,
    hardware: Hardware,
    quotas: Mapping[str, Quota],
    spent: Mapping[str, Spent],
    granted: bool = False,
    joining: int = 0,
) -> str:
    """Why a Space of this owner may not run on this hardware now; "" when it may.

    `quotas` and `spent` by flavour, `spent` of those that need a quota only. `granted`: an admin gave it to this Space, which
    stands in for a quota that is not there, but not for one that is used up. `joining`: how many replicas of the Space are not
    on it yet."""
    mine = [quotas[name] for name in (hardware.name, *((ALL,) if hardware.metered else ())) if name in quotas]
    if not mine and hardware.metered and not granted:
        return f"{owner} has no quota for {hardware.name}; an admin gives one"
    for quota in mine:
        used = sum(spent.values(), Spent()) if quota.flavor == ALL else spent.get(quota.flavor, Spent())
        which = "hardware with a price or an accelerator" if quota.flavor == ALL else hardware.name
        if quota.count is not None and joining and used.count + joining > quota.count:
            more = f", where each replica counts; this would be {joining} more" if joining > 1 else ""
            has = f"{_number(quota.count)} {_spaces(quota.count)} on {which}, and has {used.count}"
            return f"{owner} may have {has}{more}"
        if quota.hours is not None and used.seconds >= quota.hours * 3600:
            return f"{owner} has used its {_number(quota.hours)} hours of {which} for this month"
        if quota.price is not None and used.cost >= quota.price and (hardware.price > 0 or quota.price == 0):
            return f"{owner} has spent its {_number(quota.price)} {hardware.currency} on {which} for this month"
    return ""


def share(quota: Quota, used: Spent) -> float:
    """How much of a month's quota is used, 1 for all of it. How many Spaces may be on it is no matter of a month."""
    hours = 0.0 if not quota.hours else used.seconds / 3600 / quota.hours
    return max(hours, 0.0 if not quota.price else used.cost / quota.price)


def _number(value: float) -> str:
    return f"{value:.10g}"


def _spaces(count: int) -> str:
    return "Space" if count == 1 else "Spaces"
