"""The tables by which repos are found: what is searched, and which Spaces use what. Rows follow those of `spaces` and `repos`,
and can be made of them again (`finding.py`); `repo_id` names a row of either.

On SQLite there is `search_fts` beside them, an index of `search.text` by trigrams that triggers keep; on PostgreSQL
`ix_search_pieces`, of what the function `podium_pieces` makes of it (`trigrams.py`)."""

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from orchestrator.store.schema import ID, metadata, plain

#: `at`: `updated_at` of the repo that the row was made of.
search = Table(
    "search",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("repo_id", ID, nullable=False),
    Column("kind", plain(8), nullable=False),
    Column("name", plain(200), nullable=False),
    Column("text", Text().with_variant(Text(collation="C"), "postgresql"), nullable=False),
    Column("at", Float, nullable=False),
    Index("uq_search_repo_id", "repo_id", unique=True),
)

#: What the cards of Spaces name: `kind` and `name` (in lower case) of the model or dataset.
uses = Table(
    "uses",
    metadata,
    Column("kind", plain(8), primary_key=True),
    Column("name", plain(200), primary_key=True),
    Column("space_id", ID, primary_key=True),
    Index("ix_uses_space_id", "space_id"),
)
