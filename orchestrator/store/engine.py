"""The door to the database: connects, migrates, opens transactions. Owns no query."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError

from orchestrator.errors import Unavailable
from orchestrator.store.accounts import Accounts
from orchestrator.store.audit import Audit
from orchestrator.store.builds import Builds
from orchestrator.store.pushes import Pushes
from orchestrator.store.secrets import Secrets
from orchestrator.store.spaces import Spaces

log = logging.getLogger(__name__)
HEAD = "0001"  #: newest migration; a test holds it against migrations/versions


class Tx:
    """One transaction; the groups of tables hang on it. See ports.Tx."""

    def __init__(self, connection: sa.Connection) -> None:
        self.accounts = Accounts(connection)
        self.spaces = Spaces(connection)
        self.builds = Builds(connection)
        self.pushes = Pushes(connection)
        self.secrets = Secrets(connection)
        self.audit = Audit(connection)


class Store:
    """See ports.Store. `url` is a SQLAlchemy URL; `migrate` brings the schema up to date."""

    def __init__(self, url: str) -> None:
        self.url = url
        sqlite = url.startswith("sqlite")
        options = {"connect_args": {"timeout": 15, "check_same_thread": False}} if sqlite else {"pool_pre_ping": True}
        self.engine = sa.create_engine(url, pool_size=8, max_overflow=8, **options)
        if sqlite:
            event.listen(self.engine, "connect", _sqlite_connect)
            event.listen(self.engine, "begin", _sqlite_begin)

    def migrate(self) -> None:
        """Apply missing migrations. Cheap when there are none: alembic is imported only when it is needed."""
        with self.engine.connect() as connection:
            if sa.inspect(connection).has_table("alembic_version"):
                version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
                if version == HEAD:
                    return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["engine"] = self.engine
        command.upgrade(config, "head")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        with self._guard(), self.engine.connect() as connection:
            yield Tx(connection)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with self._guard(), self.engine.connect() as connection:
            connection = connection.execution_options(podium_write=True)
            with connection.begin():
                yield Tx(connection)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            log.warning("database: %s", error.orig)
            raise Unavailable("the database does not answer; nothing was changed, try again") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("the database connection was lost; nothing was changed, try again") from error
            raise

    def close(self) -> None:
        self.engine.dispose()


def _sqlite_connect(connection, _record) -> None:
    """WAL lets readers go on while one writes; synchronous FULL makes a commit durable before it is acknowledged."""
    connection.isolation_level = None  # transactions are begun by _sqlite_begin
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=15000",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection) -> None:
    """A writer takes the lock at once, so that a transaction never fails half way for having read first."""
    write = connection.get_execution_options().get("podium_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
