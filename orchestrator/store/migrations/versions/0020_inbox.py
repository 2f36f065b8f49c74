"""Notifications, what people do not want to hear of, invitations

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0020"
down_revision = "0019"


def _user() -> sa.Column:
    return sa.Column("user_id", plain(24), nullable=False)


def _theirs(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["owners.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "notifications",
        _user(),
        sa.Column("thread", plain(80), nullable=False),
        sa.Column("id", plain(24), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(96), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("read_at", sa.Float()),
        _theirs("fk_notifications_user_id"),
        sa.PrimaryKeyConstraint("user_id", "thread", name="pk_notifications"),
        sa.UniqueConstraint("id", name="uq_notifications_id"),
    )
    unread = sa.text("read_at IS NULL")
    op.create_index("ix_notifications_at", "notifications", ["at"])
    op.create_index("ix_notifications_user_id_at", "notifications", ["user_id", "at", "id"])
    op.create_index(
        "ix_notifications_unread", "notifications", ["user_id"], sqlite_where=unread, postgresql_where=unread
    )
    op.create_table(
        "muted",
        _user(),
        sa.Column("kind", sa.String(16), nullable=False),
        _theirs("fk_muted_user_id"),
        sa.PrimaryKeyConstraint("user_id", "kind", name="pk_muted"),
    )
    op.create_table(
        "invitations",
        sa.Column("target_id", plain(24), nullable=False),
        _user(),
        sa.Column("id", plain(24), nullable=False),
        sa.Column("org", sa.Boolean(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("invited_by", sa.String(96), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        _theirs("fk_invitations_user_id"),
        sa.PrimaryKeyConstraint("target_id", "user_id", name="pk_invitations"),
        sa.UniqueConstraint("id", name="uq_invitations_id"),
    )
    op.create_index("ix_invitations_expires_at", "invitations", ["expires_at"])
    op.create_index("ix_invitations_user_id", "invitations", ["user_id"])
