"""Buckets and their files; what Xet clients call what they upload

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "buckets",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("owner_id", plain(24), nullable=False),
        sa.Column("name", sa.String(96), nullable=False),
        sa.Column("name_lower", plain(96), nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("creator_id", plain(24), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_buckets"),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name="fk_buckets_owner_id"),
    )
    op.create_index("uq_buckets_owner_id_name_lower", "buckets", ["owner_id", "name_lower"], unique=True)
    op.create_table(
        "bucket_files",
        sa.Column("bucket_id", plain(24), nullable=False),
        sa.Column("path", plain(1024), nullable=False),
        sa.Column("oid", plain(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.Float()),
        sa.Column("uploaded_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("bucket_id", "path", name="pk_bucket_files"),
        sa.ForeignKeyConstraint(
            ["bucket_id", "oid"], ["owned_objects.repo_id", "owned_objects.oid"], name="fk_bucket_files_bucket_id_oid"
        ),
    )
    op.create_index("ix_bucket_files_oid", "bucket_files", ["bucket_id", "oid"])
    op.create_table(
        "bucket_changes",
        sa.Column("bucket_id", plain(24), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", plain(1024), nullable=False),
        sa.Column("op", sa.String(8), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("bucket_id", "version", "path", name="pk_bucket_changes"),
    )
    op.create_index("ix_bucket_changes_at", "bucket_changes", ["at"])
    op.create_table(
        "xet_names",
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("hash", plain(64), nullable=False),
        sa.Column("oid", plain(64), nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "hash", name="pk_xet_names"),
    )
    op.create_index("ix_xet_names_oid", "xet_names", ["repo_id", "oid"])
