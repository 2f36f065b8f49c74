"""Repos by what is searched and used, downloads, the load of apps, parts of Podium, figures

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

from orchestrator.store import trigrams
from orchestrator.store.schema import plain

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    _counted()
    op.create_table(
        "search",
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("kind", plain(8), nullable=False),
        sa.Column("name", plain(200), nullable=False),
        sa.Column("text", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_search"),
    )
    op.create_index("uq_search_repo_id", "search", ["repo_id"], unique=True)
    op.create_table(
        "uses",
        sa.Column("kind", plain(8), nullable=False),
        sa.Column("name", plain(200), nullable=False),
        sa.Column("space_id", plain(24), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "space_id", name="pk_uses"),
    )
    op.create_index("ix_uses_space_id", "uses", ["space_id"])
    trigrams.fill(op.get_bind())
    trigrams.create(op.get_bind())
    # Last, because it locks tables that the release before is working with. What that does not write has a default of the
    # database's; with the rest `services/finding.py` catches up.
    for table, index, keys in (("spaces", "ix_spaces_downloads", []), ("repos", "ix_repos_kind_downloads", ["kind"])):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("downloads", sa.Integer(), nullable=False, server_default="0"))
            changed.add_column(sa.Column("downloads_all", sa.BigInteger(), nullable=False, server_default="0"))
        op.create_index(index, table, [*keys, "downloads", "id"])


def _counted() -> None:
    op.create_table(
        "downloads",
        sa.Column("repo_id", plain(24), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "day", name="pk_downloads"),
    )
    op.create_index("ix_downloads_day", "downloads", ["day"])
    op.create_table(
        "loads",
        sa.Column("space_id", plain(24), nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("cpu", sa.Float()),
        sa.Column("cpu_peak", sa.Float()),
        sa.Column("memory", sa.Float()),
        sa.Column("memory_peak", sa.BigInteger()),
        sa.Column("gpu", sa.Float()),
        sa.Column("gpu_memory", sa.BigInteger()),
        sa.PrimaryKeyConstraint("space_id", "span", "slot", name="pk_loads"),
    )
    op.create_index("ix_loads_span_slot", "loads", ["span", "slot"])
    op.create_table(
        "parts",
        sa.Column("name", plain(120), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_parts"),
    )
    op.create_table(
        "figures",
        sa.Column("name", plain(24), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_figures"),
    )
