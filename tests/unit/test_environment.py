"""Secrets and variables: names, limits, encryption at rest, restarts, and the environment of an app."""

import sqlite3

import pytest

from orchestrator.domain.caller import STRANGER
from orchestrator.errors import Conflict, Invalid, Unauthorized
from orchestrator.services.environment import check_setting
from orchestrator.services.vault import Undecryptable, Vault
from tests.unit.test_reconciler import house  # noqa: F401


@pytest.mark.parametrize(
    "key",
    ["", "1ABC", "A-B", "a b", "PATH", "path", "LD_PRELOAD", "KUBERNETES_SERVICE_HOST", "NVIDIA_VISIBLE_DEVICES", "SPACE_ID",
     "PODIUM_DATA", "SYSTEM", "x" * 129, "é", "A\n", "A=B", "\0"],
)  # fmt: skip
def test_bad_names(key):
    with pytest.raises(Invalid) as caught:
        check_setting(key, "value")
    assert caught.value.code == "SECRET_NAME" and caught.value.message.isprintable()


@pytest.mark.parametrize("value", ["a\0b", "x" * 32769, "é" * 20000])
def test_bad_values(value):
    with pytest.raises(Invalid, match="NUL character|bytes, at most 32768"):
        check_setting("KEY", value)


def test_secrets_are_not_in_the_database(house, tmp_path):  # noqa: F811
    house.environment.put(house.ann, house.space, "TOKEN", "canary-value", secret=True)
    house.environment.put(house.ann, house.space, "COLOUR", "teal", secret=False)
    for file in tmp_path.glob("podium.db*"):
        assert b"canary-value" not in file.read_bytes()
    stored = dict(sqlite3.connect(tmp_path / "podium.db").execute("SELECT key, value FROM secrets"))
    assert stored["COLOUR"] == "teal" and stored["TOKEN"] != "canary-value"


def test_one_name_is_a_secret_or_a_variable(house):  # noqa: F811
    house.environment.put(house.ann, house.space, "KEY", "a", secret=True)
    with pytest.raises(Conflict, match="delete it before"):
        house.environment.put(house.ann, house.space, "KEY", "b", secret=False)
    house.environment.remove(house.ann, house.space, "KEY", secret=False)
    assert [s.key for s in house.environment.all(house.ann, house.space, secret=True)] == ["KEY"]


def test_each_change_is_one_new_version_of_the_environment(house):  # noqa: F811
    before = house.space.wish.env_version
    house.environment.put(house.ann, house.space, "KEY", "a", secret=True)
    house.environment.put_in(house.space_id, {"A": ("1", False, ""), "B": ("2", False, "")}, "ann")
    house.environment.remove(house.ann, house.space, "KEY", secret=True)
    house.environment.remove(house.ann, house.space, "KEY", secret=True)  # absent: nothing
    assert house.space.wish.env_version == before + 3


def test_quota_leaves_nothing_half_written(house):  # noqa: F811
    many = {f"K{i}": ("x" * 30000, False, "") for i in range(20)}
    with pytest.raises(Invalid, match="524288 bytes together, these would be 20 of 600000"):
        house.environment.put_in(house.space_id, many, "ann")
    assert house.environment.all(house.ann, house.space, secret=False) == []


def test_strangers_see_nothing(house):  # noqa: F811
    with pytest.raises(Unauthorized):
        house.environment.all(STRANGER, house.space, secret=False)


def test_the_platforms_names_win(house):  # noqa: F811
    from orchestrator.domain.hardware import Hardware

    house.environment.put(house.ann, house.space, "SPACES_ZERO_GPU", "1", secret=False)
    env = house.environment.of_app(
        house.space, Hardware("cpu-basic", "CPU", 2, 16 * 1024**3, 1), "ann-demo.localhost:8000", "T"
    )
    assert env["SPACES_ZERO_GPU"] == "1"
    assert (env["SPACE_HOST"], env["MEMORY"], env["CPU_CORES"]) == ("ann-demo.localhost:8000", "16Gi", "2")


def test_a_value_opens_only_in_its_own_place(tmp_path):
    vault = Vault.at(tmp_path / "key")
    locked = vault.lock("space", "KEY", "value")
    assert Vault.at(tmp_path / "key").unlock("space", "KEY", locked) == "value"
    for place in (("other", "KEY"), ("space", "OTHER")):
        with pytest.raises(Undecryptable):
            vault.unlock(*place, locked)
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
