"""Alembic's entry: runs the migrations on the engine that `Store.migrate` hands over."""

from alembic import context

from orchestrator.store.schema import metadata

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    # A batch table is SQLite's only way to change a column.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
