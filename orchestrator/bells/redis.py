"""The Bell port between processes and machines, over one Redis stream. A ring is heard here at once, and elsewhere a moment
later; nobody ever waits for Redis: rings are sent by a thread of their own, many of one topic as one.

A stream and not pub/sub, because who was cut off resumes after the last entry that he heard. A Redis that is down, empty or
silent delays rings and may lose old ones, which a bell may do: everybody who waits also looks by himself."""

import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.errors import Invalid, Unavailable
from orchestrator.ports import Bell

log = logging.getLogger(__name__)
STREAM = "podium:bell"
KEPT = 1000  #: entries
TIMEOUT = 1.0  #: seconds for one command
_BLOCK = 2.0  #: seconds that one reading waits for entries
_GATHER = 0.02  #: seconds in which rings are gathered
_COMPLAIN_EVERY = 60.0


class RedisBell:
    """`inner` is rung for rings of our own and for those heard. Raises Invalid `REDIS_URL`."""

    def __init__(self, url: str, inner: Bell) -> None:
        self._inner, self._url = inner, url
        self._me = secrets.token_hex(8)
        self._pending: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._complained = -_COMPLAIN_EVERY
        self._last = ""  #: the last entry heard
        self._out, self._in = _client(url, TIMEOUT), _client(url, _BLOCK + TIMEOUT)

    def start(self) -> None:
        for work, client in ((self._send_some, self._out), (self._hear_some, self._in)):
            threading.Thread(target=self._loop, args=(work, client), name="bell", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def ring(self, topic: str) -> None:
        self._inner.ring(topic)
        with self._changed:
            self._pending.add(topic)
            self._changed.notify_all()

    def wait(self, topic: str, timeout: float) -> bool:
        return self._inner.wait(topic, timeout)

    def hearing(self, topic: str) -> AbstractContextManager[Callable[[float], Awaitable[bool]]]:
        return self._inner.hearing(topic)

    def check(self) -> str:
        """Ask it. Raises Unavailable when it does not answer."""
        try:
            begun = time.perf_counter()
            with _client(self._url, TIMEOUT) as client:
                client.ping()
            return f"answers in {(time.perf_counter() - begun) * 1000:.1f} ms"
        except (redis.RedisError, OSError) as error:
            raise Unavailable(f"it does not answer ({type(error).__name__})") from None

    def _loop(self, work: Callable[[], None], client: redis.Redis) -> None:
        while not self._stopping.is_set():
            try:
                work()
            except Exception as error:
                self._complain(error)
                self._stopping.wait(TIMEOUT)
        with suppress(redis.RedisError, OSError):
            client.close()

    def _send_some(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._stopping.is_set())
            topics, self._pending = self._pending, set()
        try:
            pipeline = self._out.pipeline(transaction=False)
            for topic in sorted(topics):
                pipeline.xadd(STREAM, {"topic": topic, "by": self._me}, maxlen=KEPT)
            pipeline.execute()
        except redis.RedisError:
            with self._changed:
                self._pending |= topics
            raise
        self._stopping.wait(_GATHER)

    def _hear_some(self) -> None:
        self._last = self._last or self._newest()
        found = self._in.xread({STREAM: self._last}, count=KEPT, block=int(_BLOCK * 1000))
        entries = found[0][1] if found else []
        if entries:
            self._last = entries[-1][0]
        for topic in dict.fromkeys(e["topic"] for _, e in entries if e.get("by") != self._me and "topic" in e):
            self._inner.ring(topic)

    def _newest(self) -> str:
        entries = self._in.xrevrange(STREAM, count=1)
        return entries[0][0] if entries else "0-0"

    def _complain(self, error: Exception) -> None:
        if not self._stopping.is_set() and time.monotonic() - self._complained > _COMPLAIN_EVERY:
            self._complained = time.monotonic()
            log.warning("Redis does not answer (%s); changes are noticed some seconds later", error)


def _client(url: str, timeout: float) -> redis.Redis:
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            protocol=2,
        )
    except ValueError:
        raise Invalid("REDIS_URL", "the Redis URL cannot be read; write redis://HOST:6379/0") from None
