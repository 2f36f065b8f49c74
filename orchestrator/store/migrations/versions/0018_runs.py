"""What became of instances: when each was launched, answered and ended, and why

Revision ID: 0018
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0018"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("instance_id", sa.String(80), nullable=False),
        sa.Column("launch_key", plain(24), nullable=False),
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("build", sa.Integer(), nullable=False),
        sa.Column("revision", sa.String(40), nullable=False),
        sa.Column("hardware", plain(40), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("placed_at", sa.Float()),
        sa.Column("begun_at", sa.Float()),
        sa.Column("ready_at", sa.Float()),
        sa.Column("ended_at", sa.Float()),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("fault", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_space_id", "runs", ["space_id", "started_at"])
    op.create_index("uq_runs_instance_id", "runs", ["instance_id", "started_at"], unique=True)
