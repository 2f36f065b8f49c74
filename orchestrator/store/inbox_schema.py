"""The tables of what people are told, and asked: notifications, what somebody wants to hear nothing of, invitations."""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from orchestrator.store.schema import ID, metadata, plain


def _user() -> Column:
    return Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True)


notifications = Table(
    "notifications",
    metadata,
    _user(),
    Column("thread", plain(80), primary_key=True),
    Column("id", ID, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("actor", String(96), nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("detail", JSON, nullable=False),
    Column("read_at", Float),
    Index("ix_notifications_user_id_at", "user_id", "at", "id"),
    Index(
        "ix_notifications_unread",
        "user_id",
        sqlite_where=text("read_at IS NULL"),
        postgresql_where=text("read_at IS NULL"),
    ),
)

muted = Table(
    "muted",
    metadata,
    _user(),
    Column("kind", String(16), primary_key=True),
)

invitations = Table(
    "invitations",
    metadata,
    Column("target_id", ID, primary_key=True),
    _user(),
    Column("id", ID, nullable=False, unique=True),
    Column("org", Boolean, nullable=False),
    Column("role", Integer, nullable=False),
    Column("invited_by", String(96), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Index("ix_invitations_user_id", "user_id"),
)
