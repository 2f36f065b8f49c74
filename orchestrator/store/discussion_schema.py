"""The tables of discussions and pull requests."""

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, String, Table

from orchestrator.store.schema import ID, metadata

discussions = Table(
    "discussions",
    metadata,
    Column("repo_id", ID, primary_key=True),
    Column("num", Integer, primary_key=True, autoincrement=False),
    Column("id", ID, nullable=False, unique=True),
    Column("title", String(200), nullable=False),
    Column("status", String(8), nullable=False),
    Column("is_pull_request", Boolean, nullable=False),
    Column("author_id", ID, nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("base", String(255), nullable=False, default=""),
    Column("base_oid", String(40), nullable=False, default=""),
    Column("merge_commit", String(40), nullable=False, default=""),
    Column("comments", Integer, nullable=False, default=0),
)

happenings = Table(
    "happenings",
    metadata,
    Column("id", ID, primary_key=True),
    Column("repo_id", ID, nullable=False),
    Column("num", Integer, nullable=False),
    Column("type", String(16), nullable=False),
    Column("author_id", ID, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_happenings_repo_id_num", "repo_id", "num"),
)
