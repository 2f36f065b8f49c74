"""The index of what is searched by its trigrams, in the form that each database has of it, and the search in it. A migration
makes it and fills what it is of; triggers keep it. Where there is none, the same questions are answered without."""

import sqlalchemy as sa

from orchestrator.domain.finding import text_of, uses_of
from orchestrator.domain.repo import RepoKind
from orchestrator.store.finding_schema import search, uses

INDEX = "ix_search_trigrams"  #: of PostgreSQL
TABLE = "search_fts"  #: of SQLite
_LEAST = 3  #: characters
_BATCH = 1000
_SQLITE = (
    f"CREATE VIRTUAL TABLE {TABLE} USING fts5(text, content='search', content_rowid='n', tokenize='trigram')",
    f"INSERT INTO {TABLE}({TABLE}) VALUES ('rebuild')",
    f"CREATE TRIGGER search_added AFTER INSERT ON search BEGIN "
    f"INSERT INTO {TABLE}(rowid, text) VALUES (new.n, new.text); END",
    f"CREATE TRIGGER search_removed AFTER DELETE ON search BEGIN "
    f"INSERT INTO {TABLE}({TABLE}, rowid, text) VALUES ('delete', old.n, old.text); END",
    f"CREATE TRIGGER search_changed AFTER UPDATE OF text ON search BEGIN "
    f"INSERT INTO {TABLE}({TABLE}, rowid, text) VALUES ('delete', old.n, old.text); "
    f"INSERT INTO {TABLE}(rowid, text) VALUES (new.n, new.text); END",
)
_POSTGRES = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"CREATE INDEX {INDEX} ON search USING gin (text gin_trgm_ops)",
    "ANALYZE search",
)


def create(connection: sa.Connection) -> None:
    """Make the index, where this database can."""
    try:
        with connection.begin_nested():
            for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES:
                connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError:
        pass  # an SQLite without FTS5, a PostgreSQL without pg_trgm or whose administrator must make the extension


def holding(connection: sa.Connection, kind: RepoKind | None, words: list[str], limit: int) -> list[str]:
    """Ids of repos (of a kind) whose text holds all of these words (in lower case), `limit` at most, in no order."""
    query = sa.select(search.c.repo_id).limit(limit)
    if kind is not None:
        query = query.where(search.c.kind == kind.value)
    long = [word for word in words if len(word) >= _LEAST]
    if connection.dialect.name == "sqlite" and long and _there(connection):
        asked = " ".join('"' + word.replace('"', '""') + '"' for word in long)
        index = sa.table(TABLE, sa.column("rowid", sa.Integer))
        query = query.join(index, index.c.rowid == search.c.n).where(sa.text(f"{TABLE} MATCH :asked"))
        query = query.params(asked=asked)
        words = [word for word in words if word not in long]
    query = query.where(*(search.c.text.contains(word, autoescape=True) for word in words))
    return list(connection.execute(query).scalars())


def _there(connection: sa.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.exec_driver_sql(query, (TABLE,)).first() is not None


def fill(connection: sa.Connection) -> None:
    """Rows of all repos that there are: for the migration, which knows no other columns than these."""
    named = ("id", "owner_id", "name", "card", "updated_at")
    owners = sa.table("owners", sa.column("id"), sa.column("name"))
    for table, kinds in (("spaces", None), ("repos", "kind")):
        columns = [
            sa.column(name, sa.JSON if name == "card" else None) for name in (*named, *([kinds] if kinds else []))
        ]
        rows = sa.table(table, *columns)
        query = sa.select(rows, owners.c.name.label("owner")).join(owners, owners.c.id == rows.c.owner_id)
        after = ""
        while some := connection.execute(query.where(rows.c.id > after).order_by(rows.c.id).limit(_BATCH)).all():
            after = some[-1].id
            put(connection, [(row.id, RepoKind(row.kind if kinds else "space"), row) for row in some])


def put(connection: sa.Connection, some: list) -> None:
    """New rows of (id, kind, row with owner, name, card, updated_at) which have none."""
    found, used = [], []
    for repo_id, kind, row in some:
        name, card = f"{row.owner}/{row.name}", row.card if isinstance(row.card, dict) else {}
        text = text_of(kind, name, card)
        values = {"repo_id": repo_id, "kind": kind.value, "name": name.lower(), "text": text, "at": row.updated_at}
        found.append(values)
        used += [{"kind": of.value, "name": what, "space_id": repo_id} for of, what in uses_of(kind, card)]
    # Asked to return something, the drivers send many rows at once.
    connection.execute(sa.insert(search).returning(search.c.n), found)
    if used:
        connection.execute(sa.insert(uses).returning(uses.c.space_id), used)
