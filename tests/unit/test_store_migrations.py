"""The migrations lead to the tables that the code uses."""

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from orchestrator.store import engine  # imports every table
from orchestrator.store.schema import metadata

#: What a database has of its own kind for search: store/trigrams.py.
TRIGRAMS = ("search_fts", "search_terms", "ix_search_pieces")
VERSIONS = Path(engine.__file__).parent / "migrations" / "versions"


@pytest.fixture
def store(empty_database):
    store = engine.Store(empty_database)
    store.migrate()
    yield store
    store.close()


def test_the_migrated_schema_is_that_of_the_code(store) -> None:
    with store.engine.connect() as connection:
        ours = lambda name, kind, _: kind not in ("table", "index") or not str(name).startswith(TRIGRAMS)  # noqa: E731
        options = {"compare_type": True, "compare_server_default": False, "include_name": ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing_and_keeps_rows(store) -> None:
    from orchestrator.domain.records import Owner

    with store.write() as tx:
        tx.accounts.add_owner(Owner("a" * 24, "acme", created_at=1.0))
    store.migrate()
    again = engine.Store(store.url)
    again.migrate()
    with again.read() as tx:
        assert [owner.name for owner in tx.accounts.owners()] == ["acme"]
    again.close()


def test_head_names_the_newest_migration() -> None:
    newest = sorted(path.name for path in VERSIONS.glob("[0-9]*.py"))[-1]
    assert newest.partition("_")[0] == engine.HEAD


def test_migrations_are_one_line_of_descent() -> None:
    script = ScriptDirectory(str(VERSIONS.parent))
    assert script.get_heads() == [engine.HEAD]
    numbers = [re.match(r"\d+", path.name) for path in VERSIONS.glob("*.py") if path.name != "__init__.py"]
    assert all(numbers) and len({n.group() for n in numbers}) == len(numbers)
