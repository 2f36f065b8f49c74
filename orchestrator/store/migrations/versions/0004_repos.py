"""Models and datasets, names that repos had before, likes, requests for gated repos, collections

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0004"
down_revision = "0003"

DELETED = sa.text("deleted")


def upgrade() -> None:
    # What the release before does not write has a default of the database's.
    with op.batch_alter_table("spaces") as spaces:
        spaces.add_column(sa.Column("likes", sa.Integer(), nullable=False, server_default="0"))
        spaces.add_column(sa.Column("discussions_disabled", sa.Boolean(), nullable=False, server_default=sa.false()))
    _repos()
    _people()
    _collections()


def _repos() -> None:
    op.create_table(
        "repos",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("kind", plain(8), nullable=False),
        sa.Column("owner_id", plain(24), nullable=False),
        sa.Column("name", sa.String(96), nullable=False),
        sa.Column("name_lower", plain(96), nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("creator_id", plain(24), nullable=False),
        sa.Column("sha", sa.String(40)),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("gated", sa.String(8), nullable=False),
        sa.Column("discussions_disabled", sa.Boolean(), nullable=False),
        sa.Column("likes", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_repos_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repos")),
    )
    op.create_index("uq_repos_kind_owner_id_name_lower", "repos", ["kind", "owner_id", "name_lower"], unique=True)
    op.create_index("ix_repos_kind_created_at", "repos", ["kind", "created_at"])
    op.create_index("ix_repos_kind_updated_at", "repos", ["kind", "updated_at"])
    op.create_index("ix_repos_deleted", "repos", ["id"], sqlite_where=DELETED, postgresql_where=DELETED)
    op.create_table(
        "former_names",
        sa.Column("kind", plain(8), nullable=False),
        sa.Column("owner_id", plain(24), nullable=False),
        sa.Column("name_lower", plain(96), nullable=False),
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("moved_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_former_names_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("kind", "owner_id", "name_lower", name=op.f("pk_former_names")),
    )
    op.create_index("ix_former_names_repo_id", "former_names", ["repo_id"])


def _people() -> None:
    op.create_table(
        "likes",
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["owners.id"], name=op.f("fk_likes_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("repo_id", "user_id", name=op.f("pk_likes")),
    )
    op.create_index("ix_likes_user_id", "likes", ["user_id"])
    op.create_index("ix_likes_repo_id_created_at", "likes", ["repo_id", "created_at"])
    op.create_table(
        "access_requests",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("granted_by", sa.String(96), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["owners.id"], name=op.f("fk_access_requests_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_requests")),
    )
    op.create_index("ix_access_requests_user_id", "access_requests", ["user_id"])
    op.create_index("uq_access_requests_repo_id_user_id", "access_requests", ["repo_id", "user_id"], unique=True)


def _collections() -> None:
    op.create_table(
        "collections",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("owner_id", plain(24), nullable=False),
        sa.Column("title", sa.String(60), nullable=False),
        sa.Column("description", sa.String(150)),
        sa.Column("theme", sa.String(16), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_collections_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
    )
    op.create_index("ix_collections_owner_id", "collections", ["owner_id"])
    op.create_index("ix_collections_updated_at", "collections", ["updated_at"])
    op.create_table(
        "collection_items",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("collection_id", plain(24), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item_id", plain(24), nullable=False),
        sa.Column("note", sa.String(500)),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_collection_items_collection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection_items")),
    )
    op.create_index("ix_collection_items_item_id", "collection_items", ["item_id"])
    op.create_index(
        "uq_collection_items_collection_id_item_id", "collection_items", ["collection_id", "item_id"], unique=True
    )
