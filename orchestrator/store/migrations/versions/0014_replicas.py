"""Replicas of a Space, and where they answer

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # What the release before does not write has a default of the database's.
    with op.batch_alter_table("spaces") as spaces:
        spaces.add_column(sa.Column("replicas", sa.Integer(), nullable=False, server_default="1"))
        spaces.add_column(sa.Column("addresses", sa.JSON(), nullable=True))
