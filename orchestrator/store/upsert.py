"""Insert, or overwrite the row that has the same primary key, in one statement: two writers at once never collide."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def upsert_all(connection: sa.Connection, table: sa.Table, rows: list[dict[str, object]]) -> None:
    """Rows of the same columns, all at once."""
    if rows:
        insert, keys = _INSERT[connection.dialect.name](table), [column.name for column in table.primary_key]
        rest = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest), rows)


def upsert(
    connection: sa.Connection, table: sa.Table, values: dict[str, object], only: tuple[str, ...] | None = None
) -> None:
    """`only`: of a row that is there, overwrite no more than these columns; () leaves it as it is."""
    insert = _INSERT[connection.dialect.name](table).values(**values)
    keys = [column.name for column in table.primary_key]
    if only == ():
        connection.execute(insert.on_conflict_do_nothing(index_elements=keys))
        return
    rest = {name: insert.excluded[name] for name in only or values if name not in keys}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest))
