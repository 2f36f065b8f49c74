"""An index for lists by likes

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_index("ix_spaces_likes", "spaces", ["likes", "id"])
    op.create_index("ix_repos_kind_likes", "repos", ["kind", "likes", "id"])
