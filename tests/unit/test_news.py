"""News of instances: whoever subscribed is told of each difference that is shown to people."""

from dataclasses import replace

import pytest

from orchestrator.domain.seen import Fault, InstanceSeen, InstanceState
from orchestrator.runtimes.news import News
from tests.support import eventually

ONE = InstanceSeen("i", "space", "key", InstanceState.STARTING, 1.0)


@pytest.mark.parametrize("change", [
    {"waiting": "the registry does not answer"}, {"state": InstanceState.READY}, {"draining": True},
    {"address": "127.0.0.1:1"}, {"fault": Fault("APP_EXITED", "it ended")},
])  # fmt: skip
def test_what_differs_is_told_once(change):
    seen, told = [ONE], []
    news = News(lambda: list(seen), lambda: None, lambda: None, quick=0.01)
    news.subscribers.append(told.append)
    news.start()
    try:
        eventually(lambda: told == ["space"])
        seen[0] = replace(ONE, **change)
        eventually(lambda: told == ["space", "space"])
    finally:
        news.close()
    assert told == ["space", "space"]
