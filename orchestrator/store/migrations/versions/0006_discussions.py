"""Discussions, pull requests, and what happened in them

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "discussions",
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("num", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("id", plain(24), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("is_pull_request", sa.Boolean(), nullable=False),
        sa.Column("author_id", plain(24), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("base", sa.String(255), nullable=False),
        sa.Column("base_oid", sa.String(40), nullable=False),
        sa.Column("merge_commit", sa.String(40), nullable=False),
        sa.Column("comments", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "num", name=op.f("pk_discussions")),
        sa.UniqueConstraint("id", name=op.f("uq_discussions_id")),
    )
    op.create_index("ix_discussions_author_id", "discussions", ["author_id"])
    op.create_table(
        "happenings",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("num", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("author_id", plain(24), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_happenings")),
    )
    op.create_index("ix_happenings_repo_id_num", "happenings", ["repo_id", "num"])
