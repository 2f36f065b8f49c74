"""Links that let outsiders into private apps

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "share_links",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("hash", plain(64), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("actor", sa.String(96), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_share_links"),
    )
    op.create_index("ix_share_links_hash", "share_links", ["hash"], unique=True)
    op.create_index("ix_share_links_space", "share_links", ["space_id"])
