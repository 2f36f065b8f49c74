"""What admins look at: every Space with what it costs, the queue of builds, the audit log, and the notice that everybody sees.
Reads widely and changes nothing but the notice; commands on Spaces, hardware and people are in the files of those names."""

import csv
import io
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.domain.caller import Caller, require_admin
from orchestrator.domain.notice import Notice
from orchestrator.domain.quota import month_of
from orchestrator.domain.records import AuditRow, Build, Owner, Space
from orchestrator.domain.stage import Stage
from orchestrator.errors import Invalid, Unavailable
from orchestrator.ports import Store

BANNER = "banner"
TONES = ("calm", "busy", "bad")
TROUBLED = (Stage.RUNTIME_ERROR, Stage.BUILD_ERROR, Stage.CONFIG_ERROR)
_AT_ONCE = 1000  #: audit rows in one query of an export
_CHARACTERS = 500  #: of a notice
_FRESH = 5.0  #: seconds that a notice is kept in memory: every page shows it
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rows of the audit log: `actor` a whole name; `action`, `target` beginnings; epoch seconds."""

    actor: str = ""
    action: str = ""
    target: str = ""
    since: float | None = None
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A user or an organisation with what is theirs. `seconds` and `cost` of this month, in the catalogue's currency."""

    owner: Owner
    spaces: int
    seconds: float
    cost: float
    members: int = 0


class Oversight:
    def __init__(self, store: Store, clock=time.time) -> None:
        self._store, self._clock = store, clock
        self._banner: tuple[float, Notice | None] = (-_FRESH, None)

    # ------------------------------------------------------------------------------------------------------ looking

    def spaces(
        self, caller: Caller, *, stages: tuple[Stage, ...] = (), search: str = "", after=None, limit: int = 50
    ) -> list[tuple[Space, float]]:
        """All Spaces, newest change first, each with its cost of this month. Raises Forbidden."""
        require_admin(caller)
        begin, _ = month_of(self._clock())
        with self._store.read() as tx:
            found = tx.spaces.list(
                all_visible=True, search=search or None, stages=[s.value for s in stages], after=after, limit=limit
            )
            costs: dict[str, float] = {}
            for owner_id in {space.owner_id for space in found}:
                for one in tx.usage.sums(begin, self._clock(), owner_id):
                    costs[one.space] = costs.get(one.space, 0.0) + one.cost
        return [(space, costs.get(space.full_name, 0.0)) for space in found]

    def builds(self, caller: Caller, limit: int = 50) -> list[tuple[Build, Space | None]]:
        """Those being made, those that wait in order, and the last that ended. Raises Forbidden."""
        require_admin(caller)
        with self._store.read() as tx:
            return [(build, tx.spaces.get(build.space_id)) for build in tx.builds.lately(limit)]

    def owners(self, caller: Caller) -> list[Standing]:
        """Users and organisations by name. Raises Forbidden."""
        require_admin(caller)
        begin, _ = month_of(self._clock())
        with self._store.read() as tx:
            seconds: dict[str, float] = {}
            costs: dict[str, float] = {}
            for one in tx.usage.sums(begin, self._clock()):
                seconds[one.owner] = seconds.get(one.owner, 0.0) + one.seconds
                costs[one.owner] = costs.get(one.owner, 0.0) + one.cost
            counts, members = tx.spaces.by_owner(), tx.accounts.member_counts()
            return [
                Standing(
                    one, counts.get(one.id, 0), seconds.get(one.name, 0.0), costs.get(one.name, 0.0),
                    members.get(one.id, 0),
                )
                for one in tx.accounts.owners()
            ]  # fmt: skip

    # --------------------------------------------------------------------------------------------------- the audit log

    def log(
        self, caller: Caller, sought: Sought, below: int | None = None, limit: int = 100
    ) -> list[tuple[int, AuditRow]]:
        """Newest first, each with its number; `below`: go on after that one. Raises Forbidden."""
        require_admin(caller)
        return self._page(sought, below, limit)

    def export(self, caller: Caller, sought: Sought, form: str) -> Iterator[str]:
        """The same without end, as `csv` or as `jsonl` (one JSON object a line). Raises Forbidden before the first piece."""
        require_admin(caller)
        return self._pieces(sought, _csv if form == "csv" else _json_lines)

    def of_space(self, space: Space, limit: int = 30) -> list[AuditRow]:
        """What was done to one Space, for its own people."""
        with self._store.read() as tx:
            return tx.audit.of(space.full_name, limit)

    def _page(self, sought: Sought, below: int | None, limit: int) -> list[tuple[int, AuditRow]]:
        filters = {name: getattr(sought, name) for name in Sought.__slots__}
        with self._store.read() as tx:
            return tx.audit.search(**filters, below=below, limit=limit)

    def _pieces(self, sought: Sought, written) -> Iterator[str]:
        below: int | None = None
        while rows := self._page(sought, below, _AT_ONCE):
            yield written([row for _, row in rows], head=below is None)
            below = rows[-1][0]

    # ------------------------------------------------------------------------------------------------------ the notice

    def banner(self) -> Notice | None:
        """What every page shows on top; may be some seconds old."""
        at, known = self._banner
        now = time.monotonic()
        if now - at >= _FRESH:
            with suppress(Unavailable), self._store.read() as tx:  # the page that tells of it shows what was known
                known = tx.notices.get(BANNER)
            self._banner = now, known
        return known

    def set_banner(self, caller: Caller, text: str, tone: str = "calm") -> None:
        """Tell everybody something; "" takes it away. Raises Forbidden, Invalid `NOTICE`."""
        require_admin(caller)
        text, now = " ".join(text.split()), self._clock()
        if len(text) > _CHARACTERS or tone not in TONES:
            raise Invalid("NOTICE", f"a notice has at most {_CHARACTERS} characters and a tone of {', '.join(TONES)}")
        with self._store.write() as tx:
            if text:
                tx.notices.put(Notice(BANNER, text, tone, caller.name, now))
            else:
                tx.notices.drop(BANNER)
            tx.audit.add(AuditRow(now, caller.name, "notice.put" if text else "notice.drop", BANNER, {"text": text}))
        self._banner = (-_FRESH, None)


def _csv(rows: list[AuditRow], head: bool) -> str:
    """Pure. A cell that begins like a formula gets a quote before it: names are typed by strangers."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    if head:
        table.writerow(["time", "actor", "action", "target", "address", "detail"])
    for row in rows:
        cells = [
            _moment(row.at),
            row.actor,
            row.action,
            row.target,
            row.address,
            json.dumps(row.detail, sort_keys=True),
        ]
        table.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return text.getvalue()


def _json_lines(rows: list[AuditRow], head: bool) -> str:
    keys = ("actor", "action", "target", "address", "detail")
    return "".join(
        json.dumps({"time": _moment(row.at)} | {key: getattr(row, key) for key in keys}, sort_keys=True) + "\n"
        for row in rows
    )


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
