"""The tables of buckets, and the names that Xet clients give to what they upload; the rest is `schema.py`, which counts these as
its own."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, ForeignKeyConstraint, Index, String, Table

from orchestrator.store.schema import ID, metadata, plain

buckets = Table(
    "buckets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("owner_id", ID, ForeignKey("owners.id"), nullable=False),
    Column("name", String(96), nullable=False),
    Column("name_lower", plain(96), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("creator_id", ID, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("uq_buckets_owner_id_name_lower", "owner_id", "name_lower", unique=True),
)

bucket_files = Table(
    "bucket_files",
    metadata,
    Column("bucket_id", ID, primary_key=True),
    Column("path", plain(1024), primary_key=True),
    Column("oid", plain(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("changed_at", Float),
    Column("uploaded_at", Float, nullable=False),
    # What a file holds is not collected, whatever collects: also the version before, which knows no buckets.
    ForeignKeyConstraint(["bucket_id", "oid"], ["owned_objects.repo_id", "owned_objects.oid"]),
    Index("ix_bucket_files_oid", "bucket_id", "oid"),
)

#: What batches did lately: `version` is the bucket's after it, `op` add, update or delete.
bucket_changes = Table(
    "bucket_changes",
    metadata,
    Column("bucket_id", ID, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("path", plain(1024), primary_key=True),
    Column("op", String(8), nullable=False),
    Column("at", Float, nullable=False, index=True),
)

#: What a client calls an object whose SHA-256 it did not tell.
xet_names = Table(
    "xet_names",
    metadata,
    Column("repo_id", ID, primary_key=True),
    Column("hash", plain(64), primary_key=True),
    Column("oid", plain(64), nullable=False),
    Index("ix_xet_names_oid", "repo_id", "oid"),
)
