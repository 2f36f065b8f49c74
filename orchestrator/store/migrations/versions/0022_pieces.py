"""What is searched, by its pieces of one to three characters, on PostgreSQL without an extension

Revision ID: 0022
Revises: 0021
"""

from alembic import op

from orchestrator.store import trigrams

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    # The release before searches on: SQLite's triggers are the database's own, PostgreSQL reads the texts without its index.
    trigrams.create(op.get_bind())
