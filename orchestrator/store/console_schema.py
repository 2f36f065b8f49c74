"""The tables of what the console alone shows: notices to everybody, what gateways counted of visits, links to private apps,
domains of people's own, and what became of instances."""

from sqlalchemy import JSON, Column, Float, Index, Integer, String, Table, Text, text

from orchestrator.store.schema import ID, metadata, plain

notices = Table(
    "notices",
    metadata,
    Column("name", plain(24), primary_key=True),
    Column("text", Text, nullable=False),
    Column("tone", String(8), nullable=False),
    Column("actor", String(96), nullable=False),
    Column("at", Float, nullable=False),
)

visits = Table(
    "visits",
    metadata,
    Column("space_id", ID, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("slow", JSON, nullable=False),
    Index("ix_visits_hour", "hour"),
)

visitors = Table(
    "visitors",
    metadata,
    Column("space_id", ID, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("sketch", String(600), nullable=False),
    Index("ix_visitors_day", "day"),
)

share_links = Table(
    "share_links",
    metadata,
    Column("id", ID, primary_key=True),
    Column("space_id", ID, nullable=False),
    Column("hash", plain(64), nullable=False),
    Column("note", String(200), nullable=False),
    Column("actor", String(96), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("uses", Integer, nullable=False, default=0),
    Index("ix_share_links_hash", "hash", unique=True),
    Index("ix_share_links_space", "space_id"),
)

domains = Table(
    "domains",
    metadata,
    Column("space_id", ID, primary_key=True),
    Column("name", plain(253), primary_key=True),
    Column("token", plain(64), nullable=False),
    Column("state", String(8), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("found", Text, nullable=False, default=""),
    Column("actor", String(96), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("checked_at", Float),
    Column("proven_at", Float),
    Column("check_at", Float),
    # Whoever has not proven that a name is theirs keeps nobody from it.
    Index(
        "uq_domains_active",
        "name",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
    Index("ix_domains_check_at", "check_at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("instance_id", String(80), nullable=False),
    Column("launch_key", plain(24), nullable=False),
    Column("space_id", ID, nullable=False),
    Column("build", Integer, nullable=False),
    Column("revision", String(40), nullable=False),
    Column("hardware", plain(40), nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("placed_at", Float),
    Column("begun_at", Float),
    Column("ready_at", Float),
    Column("ended_at", Float),
    Column("why", Text, nullable=False),
    Column("fault", JSON),
    Index("ix_runs_space_id", "space_id", "started_at"),
    Index("uq_runs_instance_id", "instance_id", "started_at", unique=True),
)
