"""Where audited changes came from, Spaces taken down by admins, the notice to everybody, and visits

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # What the release before does not write has a default of the database's.
    with op.batch_alter_table("audit") as audit:
        audit.add_column(sa.Column("address", sa.String(64), nullable=False, server_default=""))
        audit.create_index("ix_audit_actor", ["actor"])
    with op.batch_alter_table("spaces") as spaces:
        spaces.add_column(sa.Column("taken_down", sa.Text(), nullable=False, server_default=""))

    op.create_table(
        "notices",
        sa.Column("name", plain(24), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tone", sa.String(8), nullable=False),
        sa.Column("actor", sa.String(96), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_notices"),
    )
    op.create_table(
        "visits",
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("slow", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "hour", name="pk_visits"),
    )
    op.create_index("ix_visits_hour", "visits", ["hour"])
    op.create_table(
        "visitors",
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("sketch", sa.String(600), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "day", name="pk_visitors"),
    )
    op.create_index("ix_visitors_day", "visitors", ["day"])
