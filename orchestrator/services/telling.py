"""Tells webhooks what happened. An event is a row, written in the transaction in which it happened; here it becomes a delivery
for each webhook that watches, in one transaction too, and a delivery is sent until it is taken or given up. A crash at any moment
repeats at most one sending."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from orchestrator.domain.events import PAUSES, Answer, Delivery, Event, payload
from orchestrator.errors import PodiumError
from orchestrator.ports import Bell, Store
from orchestrator.services.accounts import new_id
from orchestrator.services.audience import may_know
from orchestrator.services.loop import Loop
from orchestrator.services.webhooks import Webhooks

log = logging.getLogger(__name__)
LOOK_EVERY = 2.0
LEASE = 60.0  #: seconds; more than one sending may take
SENDERS = 4
KEPT = 30 * 86400.0  #: seconds that the log of deliveries goes back
_BATCH = 100
_PRUNE_EVERY = 3600.0


#: Sends (url, body, headers) by POST, to public addresses alone.
Post = Callable[[str, bytes, Mapping[str, str]], Answer]


class Telling:
    """A loop: `start` and `stop` it. `public_url` is put before the paths in payloads."""

    def __init__(
        self,
        store: Store,
        webhooks: Webhooks,
        post: Post,
        bell: Bell,
        public_url: str,
        version: str = "0",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._webhooks = webhooks
        self._post = post
        self._bell = bell
        self._public_url = public_url
        self._agent = f"podium/{version} (webhooks)"
        self._clock = clock
        self._pool = ThreadPoolExecutor(SENDERS, "webhooks")
        self._flying: set[str] = set()
        self._lock = threading.Lock()
        self._loop = Loop("webhooks", LOOK_EVERY, self._round, bell=bell, topic="webhooks")
        self._pruned = 0.0

    def start(self) -> None:
        self._loop.start()

    def stop(self) -> None:
        self._loop.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _round(self) -> None:
        if self._any_work():
            self.match()
            self._launch()
        self._prune()

    def _any_work(self) -> bool:
        with self._store.read() as tx:
            return tx.webhooks.any_work(self._clock())

    # ------------------------------------------------------------------------------------------- events to deliveries

    def match(self) -> int:
        """Make deliveries of all events that are there; returns how many."""
        made = 0
        while not self._loop.ending.is_set():
            with self._store.write() as tx:
                events = tx.webhooks.take_events(_BATCH)
                for event in events:
                    made += self._deliveries(tx, event)
            if len(events) < _BATCH:
                break
        return made

    def _deliveries(self, tx: Any, event: Event) -> int:
        now = self._clock()
        about = event.repo_id, event.owner_id, event.private
        watching = [one for one in tx.webhooks.watching(event) if may_know(tx, one.owner_id, *about)]
        for webhook in watching:
            told = payload(event, webhook.id, self._public_url)
            name = f"{event.action} {event.scope}"
            tx.webhooks.add_delivery(Delivery(new_id(), webhook.id, name, told, now, due_at=now))
        return len(watching)

    # ------------------------------------------------------------------------------------------------------ sending

    def _launch(self) -> None:
        """Give to senders what is due, one delivery of each webhook at a time."""
        with self._lock:
            flying, room = set(self._flying), SENDERS - len(self._flying)
        if room <= 0:
            return
        now = self._clock()
        with self._store.read() as tx:
            due = tx.webhooks.due(now, flying, room)
        for delivery in due:
            with self._store.write() as tx:
                if not tx.webhooks.claim(delivery, now + LEASE):
                    continue
            with self._lock:
                self._flying.add(delivery.webhook_id)
            self._pool.submit(self._fly, delivery)

    def _fly(self, delivery: Delivery) -> None:
        try:
            self.send(delivery)
        except PodiumError as error:
            log.warning("webhooks: %s", error)
        except Exception:
            log.exception("webhook %s", delivery.webhook_id)
        finally:
            with self._lock:
                self._flying.discard(delivery.webhook_id)
            self._loop.nudge()

    def send(self, delivery: Delivery) -> Delivery:
        """One attempt, and what became of it."""
        with self._store.read() as tx:
            webhook = tx.webhooks.get(delivery.webhook_id)
        if webhook is None or webhook.disabled:
            return delivery
        body = json.dumps(delivery.payload, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "User-Agent": self._agent, "X-Request-Id": delivery.id}
        if secret := self._webhooks.secret(webhook):
            headers["X-Webhook-Secret"] = secret
        ended = after(delivery, self._post(webhook.url, body, headers), self._clock())
        with self._store.write() as tx:
            tx.webhooks.sent(ended)
        return ended

    def _prune(self) -> None:
        now = self._clock()
        if now - self._pruned >= _PRUNE_EVERY:
            self._pruned = now
            with self._store.write() as tx:
                tx.webhooks.prune(now - KEPT)


def after(delivery: Delivery, answer: Answer, now: float) -> Delivery:
    """The delivery after an attempt: taken, to be tried again, or given up. Pure."""
    attempts = delivery.attempts + 1
    told = replace(delivery, attempts=attempts, status=answer.status, answer=answer.words[:1000])
    if answer.status is not None and 200 <= answer.status < 300:
        return replace(told, state="done", done_at=now)
    if attempts > len(PAUSES):
        return replace(told, state="failed", done_at=now)
    return replace(told, due_at=now + PAUSES[attempts - 1])
