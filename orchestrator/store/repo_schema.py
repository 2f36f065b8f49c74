"""The tables of what all kinds of repos share, and of models and datasets; the rest is `schema.py`, which counts these as its
own. `repo_id` names a row of `spaces` or of `repos`, so it is no foreign key."""

import sqlalchemy as sa
from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from orchestrator.store.schema import ID, metadata, plain

repos = Table(
    "repos",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", plain(8), nullable=False),
    Column("owner_id", ID, ForeignKey("owners.id"), nullable=False),
    Column("name", String(96), nullable=False),
    Column("name_lower", plain(96), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("creator_id", ID, nullable=False, default=""),
    Column("sha", String(40)),
    Column("card", JSON, nullable=False),
    Column("gated", String(8), nullable=False, default=""),
    Column("discussions_disabled", Boolean, nullable=False, default=False),
    Column("likes", Integer, nullable=False, default=0),
    Column("downloads", Integer, nullable=False, default=0, server_default="0"),
    Column("downloads_all", BigInteger, nullable=False, default=0, server_default="0"),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("uq_repos_kind_owner_id_name_lower", "kind", "owner_id", "name_lower", unique=True),
    Index("ix_repos_kind_created_at", "kind", "created_at"),
    Index("ix_repos_kind_updated_at", "kind", "updated_at"),
    Index("ix_repos_kind_likes", "kind", "likes", "id"),
    Index("ix_repos_kind_downloads", "kind", "downloads", "id"),
    Index("ix_repos_deleted", "id", sqlite_where=sa.text("deleted"), postgresql_where=sa.text("deleted")),
)

#: Names that repos had before they were moved.
former_names = Table(
    "former_names",
    metadata,
    Column("kind", plain(8), primary_key=True),
    Column("owner_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True),
    Column("name_lower", plain(96), primary_key=True),
    Column("repo_id", ID, nullable=False, index=True),
    Column("moved_at", Float, nullable=False),
)

likes = Table(
    "likes",
    metadata,
    Column("repo_id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("created_at", Float, nullable=False),
    Index("ix_likes_repo_id_created_at", "repo_id", "created_at"),
)

access_requests = Table(
    "access_requests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("repo_id", ID, nullable=False),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("status", String(8), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("answers", JSON, nullable=False),
    Column("granted_by", String(96), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Index("uq_access_requests_repo_id_user_id", "repo_id", "user_id", unique=True),
)

#: Users who may read or write one repo beside its owner's people.
collaborators = Table(
    "collaborators",
    metadata,
    Column("repo_id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", Integer, nullable=False),
    Column("invited_by", String(96), nullable=False),
    Column("created_at", Float, nullable=False),
)

collections = Table(
    "collections",
    metadata,
    Column("id", ID, primary_key=True),
    Column("owner_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("title", String(60), nullable=False),
    Column("description", String(150)),
    Column("theme", String(16), nullable=False),
    Column("private", Boolean, nullable=False),
    Column("position", Integer, nullable=False, default=0),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False, index=True),
)

collection_items = Table(
    "collection_items",
    metadata,
    Column("id", ID, primary_key=True),
    Column("collection_id", ID, ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("item_id", ID, nullable=False, index=True),
    Column("note", String(500)),
    Column("position", Integer, nullable=False),
    Index("uq_collection_items_collection_id_item_id", "collection_id", "item_id", unique=True),
)
