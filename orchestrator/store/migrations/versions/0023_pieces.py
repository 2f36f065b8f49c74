"""What is searched, by its pieces of one to three characters, on PostgreSQL without an extension

Revision ID: 0023
Revises: 0019
"""

from alembic import op

from orchestrator.store import trigrams

revision = "0023"
down_revision = "0019"


def upgrade() -> None:
    # The release before searches on: SQLite's triggers are the database's own, PostgreSQL reads the texts without its index.
    trigrams.create(op.get_bind())
