"""The door to the database: connects, migrates, opens transactions, translates what goes wrong. Owns no query, and knows of
each kind of database only the file that opens it."""

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc

from orchestrator.errors import Conflict, Invalid, Unavailable
from orchestrator.store.accounts import Accounts
from orchestrator.store.audit import Audit
from orchestrator.store.buckets import Buckets
from orchestrator.store.builds import Builds
from orchestrator.store.collaborators import Collaborators
from orchestrator.store.collections import Collections
from orchestrator.store.discussions import Discussions
from orchestrator.store.domains import Domains
from orchestrator.store.downloads import Downloads
from orchestrator.store.figures import Figures
from orchestrator.store.finding import Finding
from orchestrator.store.hardware import Hardware
from orchestrator.store.identities import Identities
from orchestrator.store.interest import Interest
from orchestrator.store.invitations import Invitations
from orchestrator.store.loads import Loads
from orchestrator.store.notices import Notices
from orchestrator.store.notifications import Notifications
from orchestrator.store.oauth import OAuth
from orchestrator.store.objects import Objects
from orchestrator.store.postgres import Postgres
from orchestrator.store.pushes import Pushes
from orchestrator.store.repos import Repos
from orchestrator.store.runs import Runs
from orchestrator.store.secrets import Secrets
from orchestrator.store.shares import Shares
from orchestrator.store.spaces import Spaces
from orchestrator.store.sqlite import Sqlite
from orchestrator.store.usage import Usage
from orchestrator.store.visits import Visits
from orchestrator.store.webhooks import Webhooks

log = logging.getLogger(__name__)
HEAD = "0022"  #: newest migration; a test holds it against migrations/versions
_OURS = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError, exc.PendingRollbackError)


class Tx:
    """One transaction; the groups of tables hang on it. See ports.Tx."""

    def __init__(self, connection: sa.Connection) -> None:
        self.accounts = Accounts(connection)
        self.spaces = Spaces(connection)
        self.repos = Repos(connection)
        self.interest = Interest(connection)
        self.finding = Finding(connection)
        self.collections = Collections(connection)
        self.collaborators = Collaborators(connection)
        self.invitations = Invitations(connection)
        self.notifications = Notifications(connection)
        self.buckets = Buckets(connection)
        self.builds = Builds(connection)
        self.runs = Runs(connection)
        self.pushes = Pushes(connection)
        self.objects = Objects(connection)
        self.secrets = Secrets(connection)
        self.audit = Audit(connection)
        self.hardware = Hardware(connection)
        self.usage = Usage(connection)
        self.notices = Notices(connection)
        self.shares = Shares(connection)
        self.domains = Domains(connection)
        self.visits = Visits(connection)
        self.downloads = Downloads(connection)
        self.loads = Loads(connection)
        self.figures = Figures(connection)
        self.oauth = OAuth(connection)
        self.identities = Identities(connection)
        self.discussions = Discussions(connection)
        self.webhooks = Webhooks(connection)


class Store:
    """See ports.Store. `url` is a SQLAlchemy URL of SQLite or PostgreSQL; `migrate` brings the schema up to date. Raises
    Invalid `DATABASE_URL`."""

    def __init__(self, url: str) -> None:
        self.url = url
        kind = next((kind for word, kind in _KINDS.items() if url.startswith(word)), None)
        if kind is None:
            shown = url.partition(":")[0][:40]
            raise Invalid(
                "DATABASE_URL", f"the database is {shown!r}; write sqlite:///FILE or postgresql://USER@HOST/NAME"
            )
        try:
            self._database = kind(url, json_serializer=_json)
        except (exc.ArgumentError, ValueError):
            raise Invalid(
                "DATABASE_URL", "the database URL cannot be read; write postgresql://USER@HOST/NAME"
            ) from None
        except ModuleNotFoundError as error:
            raise Invalid("DATABASE_URL", f"{error.name} is not installed; pip install 'podium[cluster]'") from None
        self.engine = self._database.engine
        event.listen(self.engine, "before_cursor_execute", _storable, retval=True)

    def migrate(self) -> None:
        """Apply missing migrations. Cheap when there are none: alembic is imported only when it is needed. A database that
        is one release ahead is left as it is: what a migration adds, the release before can live with."""
        with self._guard(), self.engine.connect() as connection:
            if _version(connection) >= HEAD:
                return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._guard(), self._database.migrating() as connection:
            if _version(connection) >= HEAD:
                return
            connection.rollback()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        with self._guard(), self._database.begin(write=False) as connection:
            yield Tx(connection)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with self._guard(), self._database.begin(write=True) as connection, connection.begin():
            tx = Tx(connection)
            yield tx
            tx.spaces.number_changes()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except _OURS as error:
            log.warning("database: %s", _first_line(error))
            raise Unavailable("the database does not answer; try again") from error
        except exc.IntegrityError as error:
            log.warning("database: %s", _first_line(error))
            raise Conflict(
                "CHANGED_MEANWHILE", "somebody else changed the same at the same moment; try again"
            ) from error
        except exc.DataError as error:
            log.warning("database: %s", _first_line(error))
            raise Invalid("VALUE", "a value is too long or too large to be stored; write a shorter one") from error
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("the connection to the database was lost; try again") from error
            raise

    def close(self) -> None:
        self._database.close()


_KINDS = {"sqlite": Sqlite, "postgres": Postgres}


def _version(connection: sa.Connection) -> str:
    """The newest migration that was applied; migrations are numbered, so versions compare. "" for none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or ""


def _first_line(error: exc.SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def _json(value: object) -> str:
    """JSON that every database takes: numbers that JSON does not have become null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value))


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(member) for key, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, (list, tuple)) else value


def _storable(_connection, _cursor, statement, parameters, _context, _many):
    """Texts as every database takes them: without NUL, which PostgreSQL has not, and without halves of characters."""
    if isinstance(parameters, dict):
        return statement, {name: _text(value) for name, value in parameters.items()}
    if isinstance(parameters, list):
        return statement, [_storable(None, None, statement, one, None, False)[1] for one in parameters]
    return statement, tuple(_text(value) for value in parameters)


def _text(value: object) -> object:
    if isinstance(value, list):  # an array of PostgreSQL's
        return [_text(one) for one in value]
    if not isinstance(value, str) or value.isascii() and "\0" not in value:
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
