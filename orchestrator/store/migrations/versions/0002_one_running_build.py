"""At most one running build per Space, whoever claims

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    # Should two be running, which nothing forbade so far, both are queued again: their builders see it and stop.
    op.execute(
        "UPDATE builds SET state = 'queued', lease_until = 0 WHERE state = 'running' AND space_id IN"
        " (SELECT space_id FROM builds WHERE state = 'running' GROUP BY space_id HAVING count(*) > 1)"
    )
    op.create_index(
        "uq_builds_running", "builds", ["space_id"], unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING
    )
