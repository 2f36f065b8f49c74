"""Requests for hardware, quotas, usage, and what a Space wants and has of it

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0003"
down_revision = "0002"

PENDING = sa.text("state = 'pending'")
RUNNING = sa.text("running")


def upgrade() -> None:
    # What the release before does not write has a default of the database's.
    with op.batch_alter_table("spaces") as spaces:
        spaces.add_column(sa.Column("goes_first", sa.Boolean(), nullable=False, server_default=sa.false()))
        spaces.add_column(sa.Column("hardware_until", sa.Float()))
        spaces.add_column(sa.Column("hardware_asked", sa.String(40), nullable=False, server_default=""))
        spaces.add_column(sa.Column("running_hardware", sa.String(40), nullable=False, server_default=""))
        spaces.add_column(sa.Column("queued_at", sa.Float()))
        spaces.create_index("ix_spaces_queued_at", ["queued_at"])
    op.execute("UPDATE spaces SET running_hardware = hardware WHERE instance <> ''")

    op.create_table(
        "hardware_requests",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("flavor", sa.String(40), nullable=False),
        sa.Column("asker", sa.String(96), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(96), nullable=False),
        sa.Column("decided_at", sa.Float()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hardware_requests")),
    )
    op.create_index("ix_hardware_requests_space_id", "hardware_requests", ["space_id"])
    op.create_index("ix_hardware_requests_created_at", "hardware_requests", ["created_at"])
    op.create_index(
        "uq_hardware_requests_pending",
        "hardware_requests",
        ["space_id"],
        unique=True,
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_table(
        "quotas",
        sa.Column("owner_id", plain(24), nullable=False),
        sa.Column("flavor", plain(40), nullable=False),
        sa.Column("hours", sa.Float()),
        sa.Column("count", sa.Integer()),
        sa.Column("price", sa.Float()),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_quotas_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id", "flavor", name=op.f("pk_quotas")),
    )
    op.create_table(
        "usage",
        sa.Column("instance_id", sa.String(80), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("space", sa.String(200), nullable=False),
        sa.Column("owner_id", plain(24), nullable=False),
        sa.Column("owner", sa.String(96), nullable=False),
        sa.Column("hardware", plain(40), nullable=False),
        sa.Column("price", sa.Float(), nullable=False),
        sa.Column("begin", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "started_at", name=op.f("pk_usage")),
    )
    op.create_index("ix_usage_owner_id_until", "usage", ["owner_id", "until"])
    op.create_index("ix_usage_until", "usage", ["until"])
    op.create_index("ix_usage_running", "usage", ["space_id"], sqlite_where=RUNNING, postgresql_where=RUNNING)
