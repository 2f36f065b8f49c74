"""The tables of what is counted and measured: downloads, the load of apps, the parts of Podium that were heard of, and what a
round of measuring found."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, String, Table

from orchestrator.store.schema import ID, metadata, plain

downloads = Table(
    "downloads",
    metadata,
    Column("repo_id", ID, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Index("ix_downloads_day", "day"),
)

#: `span`: 60 or 3600 seconds; `slot`: how many of them since 1970. CPU in cores, memory in bytes, GPU as a part of 1.
loads = Table(
    "loads",
    metadata,
    Column("space_id", ID, primary_key=True),
    Column("span", Integer, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("cpu", Float),
    Column("cpu_peak", Float),
    Column("memory", Float),
    Column("memory_peak", BigInteger),
    Column("gpu", Float),
    Column("gpu_memory", BigInteger),
    Index("ix_loads_span_slot", "span", "slot"),
)

#: Processes of Podium, by what they call themselves. `at`: last heard of.
parts = Table(
    "parts",
    metadata,
    Column("name", plain(120), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("version", String(40), nullable=False),
    Column("since", Float, nullable=False),
    Column("at", Float, nullable=False),
    Column("detail", JSON, nullable=False),
)

#: What a round of measuring found, by its name.
figures = Table(
    "figures",
    metadata,
    Column("name", plain(24), primary_key=True),
    Column("at", Float, nullable=False),
    Column("value", JSON, nullable=False),
)
