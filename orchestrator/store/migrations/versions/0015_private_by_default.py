"""Organisations whose new repos are private

Revision ID: 0015
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    column = sa.Column("private_by_default", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("owners", column)
