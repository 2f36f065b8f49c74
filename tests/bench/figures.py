"""One measured number beside its limit, and the table of them."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """`measured` should be at most `limit`, both in `unit`. `how` says what was compared with what."""

    name: str
    measured: float
    limit: float
    unit: str
    how: str = ""

    @property
    def ratio(self) -> float:
        return self.measured / self.limit if self.limit else float("inf")

    @property
    def ok(self) -> bool:
        return self.measured <= self.limit

    def as_dict(self) -> dict:
        return asdict(self) | {"ratio": self.ratio, "ok": self.ok}


def table(figures: list[Figure]) -> str:
    """The figures as text, one a line."""
    rows = [("", "measured", "limit", "", "ratio", "")]
    rows += [
        (f.name, f"{f.measured:.3g}", f"{f.limit:.3g}", f.unit, f"{f.ratio:.2f}", "ok" if f.ok else "OVER")
        for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, 3, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    notes = [f"{f.name}: {f.how}" for f in figures if f.how]
    return "\n".join([*lines, "", *notes])
