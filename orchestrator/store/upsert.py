"""Insert, or overwrite the row that has the same primary key, in one statement: two writers at once never collide."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: sa.Connection, table: sa.Table, values: dict[str, object], only: tuple[str, ...] | None = None
) -> None:
    """`only`: of a row that is there, overwrite no more than these columns; () leaves it as it is."""
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name](table).values(**values)
    keys = [column.name for column in table.primary_key]
    if only == ():
        connection.execute(insert.on_conflict_do_nothing(index_elements=keys))
        return
    rest = {name: insert.excluded[name] for name in only or values if name not in keys}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest))
