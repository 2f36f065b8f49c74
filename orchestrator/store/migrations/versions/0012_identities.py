"""Who is who at the provider with which people sign in

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("issuer", plain(500), nullable=False),
        sa.Column("subject", plain(255), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.ForeignKeyConstraint(["user_id"], ["owners.id"], name="fk_identities_user_id", ondelete="CASCADE"),
    )
    op.create_index("uq_identities_subject", "identities", ["issuer", "subject"], unique=True)
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
