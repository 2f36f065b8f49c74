"""Alembic's entry: runs the migrations on the connection that `Store.migrate` hands over."""

from alembic import context

from orchestrator.store.schema import metadata

connection = context.config.attributes["connection"]
# A batch table is SQLite's only way to change a column.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
