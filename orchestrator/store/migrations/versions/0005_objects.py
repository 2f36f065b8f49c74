"""Large objects by their SHA-256, and which repos own them

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0005"
down_revision = "0004"

THERE = sa.text("doomed_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "objects",
        sa.Column("place", plain(80), nullable=False),
        sa.Column("oid", plain(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        sa.Column("doomed_at", sa.Float()),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_objects")),
    )
    op.create_index("ix_objects_doomed_at", "objects", ["doomed_at"])
    op.create_index("uq_objects_oid", "objects", ["oid"], unique=True, sqlite_where=THERE, postgresql_where=THERE)
    op.create_table(
        "owned_objects",
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("oid", plain(64), nullable=False),
        sa.Column("owned_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "oid", name=op.f("pk_owned_objects")),
    )
    op.create_index("ix_owned_objects_oid", "owned_objects", ["oid"])
