"""How the store opens PostgreSQL: isolation, time limits, and what to do about connections that died. Owns no query.

Reads see one snapshot (REPEATABLE READ), as on SQLite. Writes are READ COMMITTED: rows are locked in the order of their ids,
and the counter of the route feed last (`Spaces.number_changes`), so that writers wait for each other but not in a circle.

Nothing may wait for ever. The server ends long statements, lock waits and idle transactions; the kernel ends connections whose
peer is gone; and what only a peer that acknowledges and never answers can cause, a watch here ends: it cuts the sockets of
transactions older than `BLOCK`."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from sqlalchemy import event

STATEMENT = 8.0  #: seconds that one statement may take
LOCK = 5.0  #: seconds that it may wait for another transaction
BLOCK = 15.0  #: seconds that one transaction may take
CONNECT = 5  #: seconds to connect
PING = 4.0  #: seconds that a connection may take to show that it lives
POOL_WAIT = 4.0  #: seconds to wait for a connection of the pool
FRESH = 2.0  #: seconds since its last use for which a connection is believed to live
_MIGRATION_LOCK = 0x706F6469756D  # any number that is ours

_SESSION = f"""
SET statement_timeout = {STATEMENT * 1000:.0f};
SET lock_timeout = {LOCK * 1000:.0f};
SET idle_in_transaction_session_timeout = {BLOCK * 1000:.0f};
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""


def normalized(url: str) -> str:
    """The URL with our driver: `postgres://` and `postgresql://` are what people write."""
    scheme, rest = url.split("://", 1)
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url


class Postgres:
    """`block`: seconds that one transaction may take."""

    def __init__(self, url: str, pool: int = 16, block: float = BLOCK, **options: object) -> None:
        arguments = {
            "connect_timeout": CONNECT,
            "application_name": "podium",
            "keepalives_idle": 5,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": int(block * 1000),
            # Prepared statements outlive migrations and confuse poolers that hand out connections by transaction.
            "prepare_threshold": None,
        }
        self.engine = sa.create_engine(
            normalized(url),
            pool_size=pool,
            max_overflow=0,
            pool_timeout=POOL_WAIT,
            pool_use_lifo=True,
            connect_args=arguments,
            **options,
        )
        self._watch = Watch(block)
        event.listen(self.engine, "connect", _connect)
        event.listen(self.engine, "checkin", _checkin)

    @contextmanager
    def begin(self, write: bool) -> Iterator[sa.Connection]:
        """A connection in a transaction; whoever asked commits it."""
        connection = self._living()
        with connection, self._watch.over(connection):
            yield connection.execution_options(
                isolation_level="READ COMMITTED" if write else "REPEATABLE READ", postgresql_readonly=not write
            )

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """A connection for migrations: without limits, and nobody else migrates meanwhile."""
        with self.engine.connect() as connection:
            connection.detach()  # closed afterwards, so that its limits and its lock go with it
            connection.exec_driver_sql("SET statement_timeout = 0; SET lock_timeout = '60s'")
            connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")
            connection.commit()
            yield connection

    def close(self) -> None:
        self._watch.close()
        self.engine.dispose()

    def _living(self) -> sa.Connection:
        """A connection that answers. After a restart of the server all that are in the pool are dead: the first that is
        found so makes the pool forget the others."""
        for _ in range(2):
            connection = self.engine.connect()
            if time.monotonic() - connection.info.get("used", 0.0) < FRESH:
                return connection
            try:
                with self._watch.over(connection, PING):
                    connection.exec_driver_sql("SELECT 1")
                    connection.rollback()
                return connection
            except sa.exc.DBAPIError:
                connection.invalidate()
                connection.close()
        return self.engine.connect()


class Watch:
    """Cuts the connections of transactions that take too long, in a thread that lives while there are any."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[int, tuple[float, object]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, connection: sa.Connection, seconds: float = 1e9) -> Iterator[None]:
        """`seconds`: less than the watch's own."""
        driver = connection.connection.driver_connection
        with self._changed:
            self._until[id(driver)] = (time.monotonic() + min(seconds, self._seconds), driver)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="database-watch", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._until.pop(id(driver), None)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _loop(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for key, (until, driver) in list(self._until.items()):
                    if until < now:
                        del self._until[key]
                        _cut(driver)
                self._changed.wait(min(1.0, self._seconds / 4))


def _cut(driver) -> None:
    """Shut its socket down: whoever waits on it wakes with an error, and the pool throws it away."""
    with suppress(Exception), socket.socket(fileno=os.dup(driver.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def _connect(connection, _record) -> None:
    connection.autocommit = True
    connection.execute(_SESSION)
    connection.autocommit = False


def _checkin(_connection, record) -> None:
    record.info["used"] = time.monotonic()
