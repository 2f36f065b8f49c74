"""Fine-grained tokens, OAuth clients, codes and devices, and where a session was made

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.schema import plain

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # What the release before does not write has a default of the database's.
    with op.batch_alter_table("tokens") as tokens:
        tokens.add_column(sa.Column("grants", sa.JSON()))
        tokens.add_column(sa.Column("client_id", sa.String(64), nullable=False, server_default=""))
        tokens.add_column(sa.Column("family", plain(24), nullable=False, server_default=""))
        tokens.add_column(sa.Column("scope", sa.String(500), nullable=False, server_default=""))
        tokens.add_column(sa.Column("refresh_hash", sa.String(64)))
        tokens.add_column(sa.Column("refresh_expires_at", sa.Float()))
        tokens.add_column(sa.Column("refreshed_as", plain(24), nullable=False, server_default=""))
        tokens.create_index("ix_tokens_client_id", ["client_id"])
        tokens.create_index("ix_tokens_family", ["family"])
        tokens.create_index("uq_tokens_refresh_hash", ["refresh_hash"], unique=True)
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("address", sa.String(45), nullable=False, server_default=""))
        sessions.add_column(sa.Column("agent", sa.String(200), nullable=False, server_default=""))

    op.create_table(
        "oauth_clients",
        sa.Column("id", plain(64), nullable=False),
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_clients")),
        sa.UniqueConstraint("space_id", name=op.f("uq_oauth_clients_space_id")),
    )
    op.create_table(
        "oauth_codes",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("client_id", plain(64), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(500), nullable=False),
        sa.Column("nonce", sa.String(500), nullable=False),
        sa.Column("challenge", sa.String(128), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("family", plain(24), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(
            ["user_id"], ["owners.id"], name=op.f("fk_oauth_codes_user_id_owners"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_oauth_codes")),
    )
    op.create_index("ix_oauth_codes_expires_at", "oauth_codes", ["expires_at"])
    op.create_table(
        "devices",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("user_code", plain(16), nullable=False),
        sa.Column("client_id", plain(64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("polled_at", sa.Float(), nullable=False),
        sa.Column("interval", sa.Float(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("user_id", plain(24), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_devices")),
        sa.UniqueConstraint("user_code", name=op.f("uq_devices_user_code")),
    )
    op.create_index("ix_devices_expires_at", "devices", ["expires_at"])
