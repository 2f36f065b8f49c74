"""The tables of signing in: for Spaces, on devices, with a provider. The rest is `schema.py`, which counts these as its own."""

from sqlalchemy import Column, Float, ForeignKey, Index, String, Table, Text

from orchestrator.store.schema import ID, metadata, plain

oauth_clients = Table(
    "oauth_clients",
    metadata,
    Column("id", plain(64), primary_key=True),
    Column("space_id", ID, nullable=False, unique=True),
    Column("secret", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

oauth_codes = Table(
    "oauth_codes",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("client_id", plain(64), nullable=False),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("scope", String(500), nullable=False),
    Column("nonce", String(500), nullable=False),
    Column("challenge", String(128), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("family", ID, nullable=False, default="", server_default=""),
)

devices = Table(
    "devices",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("user_code", plain(16), nullable=False, unique=True),
    Column("client_id", plain(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("address", String(45), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("polled_at", Float, nullable=False),
    Column("interval", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("user_id", ID, nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("id", ID, primary_key=True),
    Column("issuer", plain(500), nullable=False),
    Column("subject", plain(255), nullable=False),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", String(200), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Index("uq_identities_subject", "issuer", "subject", unique=True),
)
