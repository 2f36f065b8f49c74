"""Processes of Podium as they last told of themselves, and what rounds of measuring found."""

import sqlalchemy as sa

from orchestrator.domain.parts import Heard
from orchestrator.store.figures_schema import figures, parts
from orchestrator.store.upsert import upsert


class Figures:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def hear(self, one: Heard) -> None:
        """A process tells that it lives."""
        upsert(self._db, parts, {name: getattr(one, name) for name in Heard.__slots__})

    def heard(self) -> list[Heard]:
        """By kind and name."""
        query = sa.select(parts).order_by(parts.c.kind, parts.c.name)
        return [Heard(**row) for row in self._db.execute(query).mappings()]

    def leave(self, name: str) -> None:
        self._db.execute(sa.delete(parts).where(parts.c.name == name))

    def forget_before(self, at: float) -> None:
        """Those that were not heard of since."""
        self._db.execute(sa.delete(parts).where(parts.c.at < at))

    def put(self, name: str, at: float, value: dict) -> None:
        upsert(self._db, figures, {"name": name, "at": at, "value": value})

    def get(self, name: str) -> tuple[float, dict] | None:
        """(when, what), None before the first round."""
        row = self._db.execute(sa.select(figures.c.at, figures.c.value).where(figures.c.name == name)).first()
        return (row.at, row.value) if row else None
