"""The bell in process: a ring is heard by who waits, by who was busy, and by nobody who left; the route feed lives on it."""

import asyncio
import threading

import pytest

from orchestrator.domain.hardware import catalogue
from orchestrator.domain.space import Visibility
from orchestrator.repos.git import GitRepos
from orchestrator.services import routes
from orchestrator.services.accounts import Accounts
from orchestrator.services.allotment import Allotment
from orchestrator.services.bell import LocalBell
from orchestrator.services.environment import Environment
from orchestrator.services.routes import RouteFeed
from orchestrator.services.spaces import NewSpace, Spaces
from orchestrator.services.vault import Vault
from orchestrator.store.engine import Store
from tests import migrated
from tests.memory import MemoryRuntime

LONG = 30.0  #: seconds that no test waits, unless it fails


def test_a_coroutine_hears_a_ring_of_another_thread_also_one_that_came_before_it_listened():
    bell = LocalBell()

    async def listen() -> list[bool]:
        with bell.hearing("spaces") as rung:
            bell.ring("routes")
            heard = [await rung(0.01)]
            bell.ring("spaces")
            bell.ring("spaces")
            heard.append(await rung(LONG))
            heard.append(await rung(0.01))
            threading.Timer(0.02, bell.ring, ["spaces"]).start()
            return [*heard, await rung(LONG)]

    assert asyncio.run(listen()) == [False, True, False, True]
    bell.ring("spaces")  # the loop that listened is gone, and so is its ear


@pytest.mark.parametrize("page", [1, 1000])
def test_the_route_feed_tells_all_then_what_changes(tmp_path, monkeypatch, page):
    """In pages of any size, and of Spaces that vanished between two looks as well."""
    monkeypatch.setattr(routes, "PAGE", page)
    store, bell = Store(migrated.sqlite(tmp_path)), LocalBell()
    accounts = Accounts(store)
    ada = accounts.add_user("ada")
    caller = accounts.caller(f"Bearer {accounts.add_token(ada, 'write', 'x')}", None, "127.0.0.1")
    vault = Vault.at(tmp_path / "key")
    requests = Allotment.of(store, bell, MemoryRuntime(), catalogue(1, 1024**3, 1024**3)).requests
    repos, environment = GitRepos(tmp_path / "repos", 1024**2), Environment(store, vault, bell)
    spaces = Spaces(store, repos, accounts, environment, bell, requests)
    first = spaces.create(caller, NewSpace("first", sdk="static"))
    second = spaces.create(caller, NewSpace("second", sdk="static"))

    def forget() -> None:
        with store.write() as tx:
            tx.spaces.forget(second.id)
        bell.ring("routes")

    async def read() -> list[dict]:
        messages = RouteFeed(store, bell, {"k": "v"}).messages()
        told = [await anext(messages) for _ in range(5)]
        await asyncio.to_thread(spaces.set_visibility, caller, first, Visibility.PRIVATE)
        told.append(await asyncio.wait_for(anext(messages), LONG))
        await asyncio.to_thread(spaces.delete, caller, spaces.get(first.id))
        told.append(await asyncio.wait_for(anext(messages), LONG))
        await asyncio.to_thread(forget)
        told.append(await asyncio.wait_for(anext(messages), LONG))
        await messages.aclose()
        return told

    reset, keys, put, other, synced, again, drop, gone = asyncio.run(read())
    store.close()
    assert (reset, keys, synced) == ({"reset": True}, {"keys": {"k": "v"}}, {"synced": True})
    assert put["put"]["label"] == again["put"]["label"] == "ada-first"
    assert (put["put"]["private"], again["put"]["private"]) == (False, True)
    assert other["put"]["label"] == "ada-second"
    assert (drop, gone) == ({"drop": "ada-first"}, {"drop": "ada-second"})
