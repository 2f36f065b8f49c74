"""Databases as the newest release makes them, without the half second of CPU that migrating takes: it is done once in each
process, and then copied. Owns no test of migrations, which are real ones."""

import functools
import tempfile
from pathlib import Path


@functools.cache
def _empty() -> bytes:
    from orchestrator.store.engine import Store

    with tempfile.TemporaryDirectory(prefix="podium-test-") as place:
        store = Store(f"sqlite:///{place}/podium.db")
        store.migrate()
        store.close()
        return (Path(place) / "podium.db").read_bytes()


def sqlite(folder: Path) -> str:
    """The URL of a database in the folder: the one that is there, or a new one that holds nothing."""
    path = folder / "podium.db"
    if not path.exists():
        path.write_bytes(_empty())
    return f"sqlite:///{path}"
