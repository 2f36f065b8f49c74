"""End-to-end tests drive a dozen processes on a machine that others may keep busy: one that fails is tried once more, and the
summary names it (`rerun`), so that it is seen."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))
