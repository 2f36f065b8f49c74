"""The index of what is searched by its pieces of one to three characters, in the form that each database has of it, and the
search in it. A migration makes it and fills what it is of; triggers keep SQLite's. Without FTS5 SQLite answers the same."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from orchestrator.domain.finding import text_of, uses_of
from orchestrator.domain.repo import RepoKind
from orchestrator.store.finding_schema import search, uses

TABLE, TERMS = "search_fts", "search_terms"  #: of SQLite
_LONG = 3  #: characters of a piece
_MOST = 1000  #: pieces that a shorter word may be the beginning of; what has more is everywhere
_BATCH = 1000
# The two ends of line let every character begin a piece of three, so that shorter words are found as beginnings.
_PADDED = "{}text || char(10) || char(10)"
_SQLITE = (
    *(f"DROP TRIGGER IF EXISTS search_{word}" for word in ("added", "removed", "changed")),
    *(f"DROP TABLE IF EXISTS {name}" for name in (TERMS, TABLE)),
    "DROP VIEW IF EXISTS search_padded",
    f"CREATE VIEW search_padded AS SELECT n, {_PADDED.format('')} AS text FROM search",
    f"CREATE VIRTUAL TABLE {TABLE} USING fts5(text, content='search_padded', content_rowid='n', tokenize='trigram')",
    f"INSERT INTO {TABLE}({TABLE}) VALUES ('rebuild')",
    f"CREATE VIRTUAL TABLE {TERMS} USING fts5vocab({TABLE}, row)",
    f"CREATE TRIGGER search_added AFTER INSERT ON search BEGIN "
    f"INSERT INTO {TABLE}(rowid, text) VALUES (new.n, {_PADDED.format('new.')}); END",
    f"CREATE TRIGGER search_removed AFTER DELETE ON search BEGIN "
    f"INSERT INTO {TABLE}({TABLE}, rowid, text) VALUES ('delete', old.n, {_PADDED.format('old.')}); END",
    f"CREATE TRIGGER search_changed AFTER UPDATE OF text ON search BEGIN "
    f"INSERT INTO {TABLE}({TABLE}, rowid, text) VALUES ('delete', old.n, {_PADDED.format('old.')}); "
    f"INSERT INTO {TABLE}(rowid, text) VALUES (new.n, {_PADDED.format('new.')}); END",
)
# What PostgreSQL has without any extension: an index of arrays, here of what a function of ours makes of a text. The cost keeps
# the planner from calling it for every row.
_POSTGRES = (
    """
    CREATE OR REPLACE FUNCTION podium_pieces(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5000 AS $$
      SELECT array(
        SELECT substr($1, at, long) FROM generate_series(1, 3) AS long, generate_series(1, length($1) + 1 - long) AS at
      )
    $$
    """,
    "DROP INDEX IF EXISTS ix_search_trigrams",  # of a release before
    "DROP INDEX IF EXISTS ix_search_pieces",
    "CREATE INDEX ix_search_pieces ON search USING gin (podium_pieces(text)) WITH (gin_pending_list_limit = 1024)",
    "ANALYZE search",
)


def create(connection: sa.Connection) -> None:
    """Make the index anew."""
    if connection.dialect.name != "sqlite":
        for statement in _POSTGRES:
            connection.exec_driver_sql(statement)
        return
    try:
        with connection.begin_nested():
            for statement in _SQLITE:
                connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError:
        pass  # without FTS5


def holding(connection: sa.Connection, kind: RepoKind | None, words: list[str], limit: int) -> list[str]:
    """Ids of repos (of a kind) whose text holds all of these words (in lower case), `limit` at most, in no order."""
    query = sa.select(search.c.repo_id).limit(limit)
    if kind is not None:
        query = query.where(search.c.kind == kind.value)
    if connection.dialect.name != "sqlite":
        pieces = sorted({piece for word in words for piece in _pieces(word)})
        query = query.where(sa.func.podium_pieces(search.c.text).op("@>")(sa.cast(pieces, ARRAY(sa.Text))))
        words = [word for word in words if len(word) > _LONG]
        # For pieces that most texts have, the planner would take the rows as they lie and make the pieces of each anew.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    elif _there(connection):
        asked = [_asked(connection, word) for word in words]
        if "" in asked:
            return []
        if any(asked):
            index = sa.table(TABLE, sa.column("rowid", sa.Integer))
            query = query.join(index, index.c.rowid == search.c.n).where(sa.text(f"{TABLE} MATCH :asked"))
            query = query.params(asked=" AND ".join(filter(None, asked)))
            words = [word for word, there in zip(words, asked, strict=True) if there is None]
    query = query.where(*(search.c.text.contains(word, autoescape=True) for word in words))
    found = list(connection.execute(query).scalars())
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
    return found


def _pieces(word: str) -> list[str]:
    return [word[at : at + _LONG] for at in range(max(1, len(word) - _LONG + 1))]


def _asked(connection: sa.Connection, word: str) -> str | None:
    """The word as FTS5 is asked for it; "": no text has it; None: the index does not help."""
    if len(word) >= _LONG:
        return _quoted(word)
    if any(not c.isascii() and c.upper() != c.lower() for c in word):
        return None  # FTS5 has letters of its own that it takes for the same
    query = f"SELECT term FROM {TERMS} WHERE term >= ? AND term < ? LIMIT {_MOST + 1}"
    terms = connection.exec_driver_sql(query, (word, word + chr(0x10FFFF))).scalars().all()
    return None if len(terms) > _MOST else f"({' OR '.join(map(_quoted, terms))})" if terms else ""


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


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
