"""Domains and members of single repos, which sites may frame an app, and frozen deploys

Revision ID: 0016
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    # What the release before does not write has a default of the database's.
    with op.batch_alter_table("spaces") as spaces:
        spaces.add_column(sa.Column("hosts", sa.JSON(), nullable=False, server_default="[]"))
        spaces.add_column(sa.Column("embed_origins", sa.JSON(), nullable=True))
        spaces.add_column(sa.Column("frozen", sa.Boolean(), nullable=False, server_default=sa.false()))
        spaces.add_column(sa.Column("held", sa.String(40), nullable=True))

    op.create_table(
        "domains",
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("name", plain(253), nullable=False),
        sa.Column("token", plain(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(96), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("checked_at", sa.Float(), nullable=True),
        sa.Column("proven_at", sa.Float(), nullable=True),
        sa.Column("check_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("space_id", "name", name="pk_domains"),
    )
    active = sa.text("state = 'active'")
    op.create_index("uq_domains_active", "domains", ["name"], unique=True, sqlite_where=active, postgresql_where=active)
    op.create_index("ix_domains_check_at", "domains", ["check_at"])

    op.create_table(
        "collaborators",
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("invited_by", sa.String(96), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["owners.id"], name="fk_collaborators_user_id_owners", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("repo_id", "user_id", name="pk_collaborators"),
    )
    op.create_index("ix_collaborators_user_id", "collaborators", ["user_id"])
