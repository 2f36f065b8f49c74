"""The tables. Names are the domain's; times are epoch seconds; JSON columns hold what is never searched by.

Change a table here and add a migration: a test holds the migrated schema against this file."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def plain(length: int) -> String:
    """Text that sorts by its characters' numbers, as SQLite does: PostgreSQL would use the language of its installation."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


ID = plain(24)

owners = Table(
    "owners",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("name", String(96), nullable=False),
    Column("name_lower", plain(96), nullable=False, unique=True),
    Column("fullname", String(200), nullable=False, default=""),
    Column("email", String(200), nullable=False, default=""),
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("password_hash", String(200), nullable=False, default=""),
    Column("created_at", Float, nullable=False),
    Column("private_by_default", Boolean, nullable=False, default=False, server_default=false()),
)

members = Table(
    "members",
    metadata,
    Column("org_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", Integer, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(96), nullable=False),
    Column("role", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False, default=""),
    Column("created_at", Float, nullable=False),
    Column("last_used_at", Float),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("grants", JSON),
    Column("client_id", String(64), nullable=False, default="", server_default="", index=True),
    Column("family", ID, nullable=False, default="", server_default="", index=True),
    Column("scope", String(500), nullable=False, default="", server_default=""),
    Column("refresh_hash", String(64)),
    Column("refresh_expires_at", Float),
    Column("refreshed_as", ID, nullable=False, default="", server_default=""),
    Index("uq_tokens_refresh_hash", "refresh_hash", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("user_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("once", Boolean, nullable=False, default=False),
    Column("address", String(45), nullable=False, default="", server_default=""),
    Column("agent", String(200), nullable=False, default="", server_default=""),
)

spaces = Table(
    "spaces",
    metadata,
    Column("id", ID, primary_key=True),
    Column("owner_id", ID, ForeignKey("owners.id"), nullable=False),
    Column("name", String(96), nullable=False),
    Column("name_lower", plain(96), nullable=False),
    Column("label", String(63), nullable=False, unique=True),
    Column("visibility", String(16), nullable=False),
    Column("creator_id", ID, nullable=False, default=""),
    Column("sha", String(40)),
    Column("card", JSON, nullable=False),
    Column("sdk", String(16)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False, index=True),
    Column("access_epoch", Integer, nullable=False, default=0),
    # the wish
    Column("revision", String(40)),
    Column("rebuilds", Integer, nullable=False, default=0),
    Column("paused", Boolean, nullable=False, default=False),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("hardware", String(40), nullable=False),
    Column("sleep_after", Float),
    Column("env_version", Integer, nullable=False, default=0),
    Column("restarts", Integer, nullable=False, default=0),
    Column("goes_first", Boolean, nullable=False, default=False, server_default=false()),
    Column("replicas", Integer, nullable=False, default=1, server_default="1"),
    Column("hardware_until", Float),
    Column("taken_down", Text, nullable=False, default="", server_default=""),
    Column("frozen", Boolean, nullable=False, default=False, server_default=false()),
    Column("held", String(40)),
    Column("hardware_asked", String(40), nullable=False, default="", server_default=""),
    # the sighting
    Column("stage", String(24), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("stage_since", Float, nullable=False),
    Column("deadline", Float),
    Column("route", String(8), nullable=False),
    Column("address", String(200), nullable=False, default=""),
    Column("addresses", JSON),
    Column("instance", String(80), nullable=False, default=""),
    Column("running_revision", String(40)),
    Column("route_seq", Integer, nullable=False, default=0, index=True),
    Column("image", JSON),
    Column("last_activity", Float, nullable=False, default=0.0),
    Column("failures", JSON),
    Column("running_hardware", String(40), nullable=False, default="", server_default=""),
    Column("queued_at", Float, index=True),
    # where else it is served, and framed
    Column("hosts", JSON, nullable=False, default=list, server_default="[]"),
    Column("embed_origins", JSON),
    # what people think of it
    Column("likes", Integer, nullable=False, default=0, server_default="0"),
    Column("downloads", Integer, nullable=False, default=0, server_default="0"),
    Column("downloads_all", BigInteger, nullable=False, default=0, server_default="0"),
    Column("discussions_disabled", Boolean, nullable=False, default=False, server_default=false()),
    # the reconciler's
    Column("look_at", Float, index=True),
    Column("lease_owner", String(64), nullable=False, default=""),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("fence", Integer, nullable=False, default=0),
    Index("uq_spaces_owner_id_name_lower", "owner_id", "name_lower", unique=True),
    Index("ix_spaces_created_at", "created_at"),
    Index("ix_spaces_likes", "likes", "id"),
    Index("ix_spaces_downloads", "downloads", "id"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Integer, nullable=False),
)

builds = Table(
    "builds",
    metadata,
    Column("key", ID, primary_key=True),
    Column("space_id", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("revision", String(40), nullable=False),
    Column("rebuilds", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("since", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("actor", String(96), nullable=False, default=""),
    Column("title", String(200), nullable=False, default=""),
    Column("fence", Integer, nullable=False, default=0),
    Column("lease_owner", String(64), nullable=False, default=""),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("deadline", Float),
    Column("image", JSON),
    Column("fault", JSON),
    Column("fault_kind", String(16), nullable=False, default="build"),
    Column("warnings", JSON, nullable=False),
    Column("phases", JSON, nullable=False),
    Column("previous", JSON, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Index("ix_builds_space_id_number", "space_id", "number", unique=True),
    Index("ix_builds_state_created_at", "state", "created_at"),
    Index(
        "uq_builds_running",
        "space_id",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)

intents = Table(
    "intents",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repo_id", ID, nullable=False, index=True),
    Column("ref", String(255), nullable=False),
    Column("old", String(40), nullable=False),
    Column("new", String(40), nullable=False),
    Column("actor", String(96), nullable=False),
    Column("created_at", Float, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("space_id", ID, primary_key=True),
    Column("key", plain(128), primary_key=True),
    Column("value", Text, nullable=False),
    Column("secret", Boolean, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("updated_at", Float, nullable=False),
)

hardware_requests = Table(
    "hardware_requests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("space_id", ID, nullable=False, index=True),
    Column("flavor", String(40), nullable=False),
    Column("asker", String(96), nullable=False),
    Column("note", Text, nullable=False, default=""),
    Column("created_at", Float, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("decided_by", String(96), nullable=False, default=""),
    Column("decided_at", Float),
    Column("reason", Text, nullable=False, default=""),
    Column("expires_at", Float),
    Index(
        "uq_hardware_requests_pending",
        "space_id",
        unique=True,
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

quotas = Table(
    "quotas",
    metadata,
    Column("owner_id", ID, ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True),
    Column("flavor", plain(40), primary_key=True),
    Column("hours", Float),
    Column("count", Integer),
    Column("price", Float),
)

usage = Table(
    "usage",
    metadata,
    Column("instance_id", String(80), primary_key=True),
    Column("started_at", Float, primary_key=True),
    Column("space_id", ID, nullable=False),
    Column("space", String(200), nullable=False),
    Column("owner_id", ID, nullable=False),
    Column("owner", String(96), nullable=False),
    Column("hardware", plain(40), nullable=False),
    Column("price", Float, nullable=False),
    Column("begin", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("running", Boolean, nullable=False),
    Index("ix_usage_owner_id_until", "owner_id", "until"),
    Index("ix_usage_until", "until"),
    Index("ix_usage_running", "space_id", sqlite_where=text("running"), postgresql_where=text("running")),
)

objects = Table(
    "objects",
    metadata,
    Column("place", plain(80), primary_key=True),
    Column("oid", plain(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Column("doomed_at", Float, index=True),
    Index(
        "uq_objects_oid",
        "oid",
        unique=True,
        sqlite_where=text("doomed_at IS NULL"),
        postgresql_where=text("doomed_at IS NULL"),
    ),
)

owned_objects = Table(
    "owned_objects",
    metadata,
    Column("repo_id", ID, primary_key=True),
    Column("oid", plain(64), primary_key=True, index=True),
    Column("owned_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False, index=True),
    Column("actor", String(96), nullable=False),
    Column("action", String(40), nullable=False),
    Column("target", String(200), nullable=False, index=True),
    Column("detail", JSON, nullable=False),
    Column("address", String(64), nullable=False, default="", server_default=""),
    Index("ix_audit_actor", "actor"),
)
