"""The database, SQLite or PostgreSQL: the only importer of SQLAlchemy. `engine.Store` is the door; one file per group of
tables; `schema.py` has the tables and `migrations/` how to get there."""
