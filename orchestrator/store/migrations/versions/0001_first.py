"""first

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=96), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_target"), ["target"], unique=False)

    op.create_table(
        "builds",
        sa.Column("key", plain(24), nullable=False),
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.String(length=40), nullable=False),
        sa.Column("rebuilds", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=96), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("deadline", sa.Float(), nullable=True),
        sa.Column("image", sa.JSON(), nullable=True),
        sa.Column("fault", sa.JSON(), nullable=True),
        sa.Column("fault_kind", sa.String(length=16), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("phases", sa.JSON(), nullable=False),
        sa.Column("previous", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_builds")),
    )
    with op.batch_alter_table("builds", schema=None) as batch_op:
        batch_op.create_index("ix_builds_space_id_number", ["space_id", "number"], unique=True)
        batch_op.create_index("ix_builds_state_created_at", ["state", "created_at"], unique=False)

    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "intents",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("old", sa.String(length=40), nullable=False),
        sa.Column("new", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=96), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intents")),
    )
    with op.batch_alter_table("intents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_intents_repo_id"), ["repo_id"], unique=False)

    op.create_table(
        "owners",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("name_lower", plain(96), nullable=False),
        sa.Column("fullname", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owners")),
        sa.UniqueConstraint("name_lower", name=op.f("uq_owners_name_lower")),
    )
    op.create_table(
        "secrets",
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("key", plain(128), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("secret", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "key", name=op.f("pk_secrets")),
    )
    op.create_table(
        "members",
        sa.Column("org_id", plain(24), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["owners.id"], name=op.f("fk_members_org_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["owners.id"], name=op.f("fk_members_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("org_id", "user_id", name=op.f("pk_members")),
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_members_user_id"), ["user_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("once", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["owners.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "spaces",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("owner_id", plain(24), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("name_lower", plain(96), nullable=False),
        sa.Column("label", sa.String(length=63), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("creator_id", plain(24), nullable=False),
        sa.Column("sha", sa.String(length=40), nullable=True),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("sdk", sa.String(length=16), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("access_epoch", sa.Integer(), nullable=False),
        sa.Column("revision", sa.String(length=40), nullable=True),
        sa.Column("rebuilds", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("hardware", sa.String(length=40), nullable=False),
        sa.Column("sleep_after", sa.Float(), nullable=True),
        sa.Column("env_version", sa.Integer(), nullable=False),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("stage", plain(24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stage_since", sa.Float(), nullable=False),
        sa.Column("deadline", sa.Float(), nullable=True),
        sa.Column("route", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("instance", sa.String(length=80), nullable=False),
        sa.Column("running_revision", sa.String(length=40), nullable=True),
        sa.Column("route_seq", sa.Integer(), nullable=False),
        sa.Column("image", sa.JSON(), nullable=True),
        sa.Column("last_activity", sa.Float(), nullable=False),
        sa.Column("failures", sa.JSON(), nullable=True),
        sa.Column("look_at", sa.Float(), nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_spaces_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spaces")),
        sa.UniqueConstraint("label", name=op.f("uq_spaces_label")),
    )
    with op.batch_alter_table("spaces", schema=None) as batch_op:
        batch_op.create_index("ix_spaces_created_at", ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_spaces_look_at"), ["look_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_spaces_route_seq"), ["route_seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_spaces_updated_at"), ["updated_at"], unique=False)
        batch_op.create_index("uq_spaces_owner_id_name_lower", ["owner_id", "name_lower"], unique=True)

    op.create_table(
        "tokens",
        sa.Column("id", plain(24), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["owners.id"], name=op.f("fk_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokens_user_id"), ["user_id"], unique=False)

    # One row: the number of the last route change. Feeds resume from it.
    op.bulk_insert(sa.table("counters", sa.column("name"), sa.column("value")), [{"name": "route_seq", "value": 0}])
