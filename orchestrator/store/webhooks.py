"""Events that nobody was told of yet, webhooks, and their deliveries."""

from dataclasses import asdict

import sqlalchemy as sa

from orchestrator.domain.events import Delivery, Event, Watched, Webhook
from orchestrator.store import event_schema as t

_E, _W, _D = t.events.c, t.webhooks.c, t.deliveries.c
#: Asked all the time, so put together once.
_WORK = sa.select(
    sa.exists(sa.select(_E.id))
    | sa.exists(
        sa.select(_D.id)
        .join(t.webhooks, _W.id == _D.webhook_id)
        .where(_D.state == "waiting", _D.due_at <= sa.bindparam("now", type_=sa.Float), _W.disabled.is_(False))
    )
)


class Webhooks:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    # what happened

    def note(self, event: Event) -> None:
        """In the transaction in which it happens."""
        values = asdict(event)
        del values["id"]
        self._db.execute(sa.insert(t.events).values(**values))

    def any_work(self, now: float) -> bool:
        """Whether something happened that nobody was told of yet, or a delivery may be due."""
        return bool(self._db.execute(_WORK, {"now": now}).scalar())

    def take_events(self, limit: int) -> list[Event]:
        """The oldest, which are gone when this transaction ends; no other takes them too."""
        oldest = sa.select(_E.id).order_by(_E.id).limit(limit)
        rows = self._db.execute(sa.delete(t.events).where(_E.id.in_(oldest)).returning(t.events)).mappings()
        return sorted((Event(**row) for row in rows), key=lambda event: event.id)

    # who wants to hear

    def put(self, webhook: Webhook) -> None:
        """A new one, or all of one that is there."""
        values = asdict(webhook) | {"domains": list(webhook.domains)}
        del values["watched"]
        if not self._db.execute(sa.update(t.webhooks).where(_W.id == webhook.id).values(**values)).rowcount:
            self._db.execute(sa.insert(t.webhooks).values(**values))
        self._db.execute(sa.delete(t.watched).where(t.watched.c.webhook_id == webhook.id))
        rows = [
            {
                "webhook_id": webhook.id,
                "position": number,
                "type": one.type,
                "name": one.name,
                "name_lower": one.name.lower(),
            }
            for number, one in enumerate(webhook.watched)
        ]
        if rows:
            self._db.execute(sa.insert(t.watched), rows)

    def get(self, webhook_id: str) -> Webhook | None:
        return next(iter(self._webhooks(_W.id == webhook_id)), None)

    def of(self, owner_id: str) -> list[Webhook]:
        return self._webhooks(_W.owner_id == owner_id)

    def remove(self, webhook_id: str) -> None:
        for table in (t.deliveries, t.watched):
            self._db.execute(sa.delete(table).where(table.c.webhook_id == webhook_id))
        self._db.execute(sa.delete(t.webhooks).where(_W.id == webhook_id))

    def watching(self, event: Event) -> list[Webhook]:
        """Those that are on and watch the repo or its owner, and this domain."""
        name = event.repo["name"].lower()
        w = t.watched.c
        owner = w.type.in_(["user", "org"]) & (w.name_lower == name.partition("/")[0])
        itself = (w.type == event.repo["type"]) & (w.name_lower == name)
        ids = sa.select(w.webhook_id).where(owner | itself)
        found = self._webhooks(_W.id.in_(ids), _W.disabled.is_(False))
        return [webhook for webhook in found if event.domain in webhook.domains]

    def _webhooks(self, *conditions: sa.ColumnElement) -> list[Webhook]:
        rows = (
            self._db.execute(sa.select(t.webhooks).where(*conditions).order_by(_W.created_at, _W.id)).mappings().all()
        )
        query = sa.select(t.watched).where(t.watched.c.webhook_id.in_([row["id"] for row in rows]))
        items: dict[str, list[Watched]] = {}
        for item in self._db.execute(query.order_by(t.watched.c.position)).mappings() if rows else ():
            items.setdefault(item["webhook_id"], []).append(Watched(item["type"], item["name"]))
        return [
            Webhook(**dict(row) | {"domains": tuple(row["domains"]), "watched": tuple(items.get(row["id"], ()))})
            for row in rows
        ]

    # what was sent

    def add_delivery(self, one: Delivery) -> None:
        self._db.execute(sa.insert(t.deliveries).values(**asdict(one)))

    def delivery(self, webhook_id: str, ident: str) -> Delivery | None:
        query = sa.select(t.deliveries).where(_D.webhook_id == webhook_id, _D.id == ident)
        row = self._db.execute(query).mappings().first()
        return Delivery(**row) if row else None

    def deliveries(self, webhook_id: str, limit: int) -> list[Delivery]:
        """Newest first."""
        query = sa.select(t.deliveries).where(_D.webhook_id == webhook_id)
        query = query.order_by(_D.created_at.desc(), _D.id.desc()).limit(limit)
        return [Delivery(**row) for row in self._db.execute(query).mappings()]

    def due(self, now: float, but: "set[str]", limit: int) -> list[Delivery]:
        """The first one due of each webhook that is on, those of `but` left out."""
        first = sa.func.row_number().over(partition_by=_D.webhook_id, order_by=(_D.due_at, _D.id)).label("first")
        waiting = sa.select(t.deliveries, first).join(t.webhooks, _W.id == _D.webhook_id)
        waiting = waiting.where(
            _D.state == "waiting", _D.due_at <= now, _W.disabled.is_(False), _D.webhook_id.not_in(but)
        )
        inner = waiting.subquery()
        query = sa.select(*[inner.c[column.name] for column in t.deliveries.c]).where(inner.c.first == 1)
        return [Delivery(**row) for row in self._db.execute(query.order_by(inner.c.due_at).limit(limit)).mappings()]

    def claim(self, one: Delivery, until: float) -> bool:
        """For one sender alone, until then."""
        query = sa.update(t.deliveries).where(_D.id == one.id, _D.state == "waiting", _D.due_at == one.due_at)
        return bool(self._db.execute(query.values(due_at=until)).rowcount)

    def sent(self, one: Delivery) -> None:
        values = {name: getattr(one, name) for name in ("state", "attempts", "due_at", "done_at", "status", "answer")}
        self._db.execute(sa.update(t.deliveries).where(_D.id == one.id).values(**values))

    def prune(self, before: float) -> None:
        """Forget old deliveries that need nothing more."""
        self._db.execute(sa.delete(t.deliveries).where(_D.created_at < before, _D.state != "waiting"))
