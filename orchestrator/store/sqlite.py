"""How the store opens SQLite: one writer at a time, readers never wait. Owns no query."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import event

WAIT = 15  #: seconds that a writer waits for another one


class Sqlite:
    def __init__(self, url: str, **options: object) -> None:
        arguments = {"timeout": WAIT, "check_same_thread": False}
        self.engine = sa.create_engine(url, pool_size=8, max_overflow=8, connect_args=arguments, **options)
        event.listen(self.engine, "connect", _connect)
        event.listen(self.engine, "begin", _begin)

    @contextmanager
    def begin(self, write: bool) -> Iterator[sa.Connection]:
        """A connection in a transaction; whoever asked commits it."""
        with self.engine.connect() as connection:
            yield connection.execution_options(podium_write=True) if write else connection

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """A connection for migrations."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def _connect(connection, _record) -> None:
    """WAL lets readers go on while one writes; synchronous FULL makes a commit durable before it is acknowledged."""
    connection.isolation_level = None  # transactions are begun by _begin
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={WAIT * 1000}",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection) -> None:
    """A writer takes the lock at once, so that a transaction never fails half way for having read first."""
    write = connection.get_execution_options().get("podium_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
