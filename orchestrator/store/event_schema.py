"""The tables of webhooks: what happened and was not told yet, who wants to hear of what, and what was sent."""

import sqlalchemy as sa
from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from orchestrator.store.schema import ID, metadata, plain

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repo_id", ID, nullable=False),
    Column("owner_id", ID, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("scope", String(32), nullable=False),
    Column("action", String(16), nullable=False),
    Column("at", Float, nullable=False),
    Column("repo", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("owner_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("domains", JSON, nullable=False),
    Column("secret", Text, nullable=False, default=""),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
)

watched = Table(
    "watched",
    metadata,
    Column("webhook_id", ID, ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("type", String(8), nullable=False),
    Column("name", String(200), nullable=False),
    Column("name_lower", plain(200), nullable=False, index=True),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook_id", ID, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("done_at", Float),
    Column("status", Integer),
    Column("answer", Text, nullable=False),
    Column("replay_of", ID, nullable=False),
    Index("ix_deliveries_webhook_id_created_at", "webhook_id", "created_at"),
    Index(
        "ix_deliveries_waiting",
        "due_at",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    ),
)
