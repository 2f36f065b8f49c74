"""`podium doctor`: what it says about machines, most of them not this one."""

import json
import socket

import pytest

from orchestrator.cli import apart, checks, surroundings
from orchestrator.cli.check import run
from orchestrator.settings import GB, MB, Settings
from tests.support import free_port
from tests.unit.command_line import podium_says


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("git version 2.50.2", "ok"),
        ("git version 2.51.0.windows.1", "ok"),
        ("git version 3.0", "ok"),
        ("git version 2.50.1", "warn"),
        ("git version 2.39.5 (Apple Git-154)", "warn"),
        ("", "bad"),
        ("command not found", "bad"),
    ],
)
def test_git(text, state) -> None:
    assert checks.judge_git(text).state == state


@pytest.mark.parametrize(
    ("wanted", "trouble", "root", "state", "word"),
    [
        ("auto", "", True, "ok", "works"),
        ("auto", "bubblewrap is not installed", True, "warn", "not installed"),
        ("auto", "bubblewrap does not work here: no", False, "warn", "does not work"),
        ("bubblewrap", "bubblewrap is not installed", False, "bad", "not installed"),
        ("none", "", True, "warn", "switched off"),
    ],
)
def test_sandbox(wanted, trouble, root, state, word) -> None:
    check = checks.judge_sandbox(wanted, trouble, root)
    assert check.state == state and word in check.found
    assert (check.fix == "") == ("installed" not in trouble and wanted != "none")


@pytest.mark.parametrize(
    ("runtime", "trouble", "root", "state", "fix"),
    [
        ("process", "", True, "ok", ""),
        (
            "process",
            "nftables is not installed; install the package nftables",
            True,
            "warn",
            "apt-get install nftables",
        ),
        ("process", "Operation not permitted", True, "warn", ""),
        ("process", "only root can", False, "warn", ""),
        ("docker", "", True, "ok", ""),
    ],
)
def test_app_ports(runtime, trouble, root, state, fix) -> None:
    check = apart.judge_app_ports(runtime, trouble, root)
    assert (check.state, check.fix) == (state, fix)
    assert trouble in check.found and bool(check.cost) == bool(trouble)


def test_what_to_type_fits_the_user() -> None:
    assert checks.judge_sandbox("auto", "bubblewrap is not installed", True).fix == "apt-get install bubblewrap"
    assert checks.judge_sandbox("auto", "bubblewrap is not installed", False).fix == "sudo apt-get install bubblewrap"


@pytest.mark.parametrize(("free", "state"), [(100 * MB, "bad"), (2 * GB, "warn"), (50 * GB, "ok")])
def test_disk(free, state) -> None:
    assert surroundings.judge_disk(free, "/").state == state


def test_disk_of_a_directory_that_is_not_there_yet(tmp_path) -> None:
    assert str(tmp_path) in surroundings.disk(tmp_path / "a" / "b").found


@pytest.mark.parametrize(("available", "state"), [(512 * MB, "warn"), (4 * GB, "ok")])
def test_memory(available, state) -> None:
    assert surroundings.judge_memory(8 * GB, available).state == state


@pytest.mark.parametrize(
    ("versions", "state", "cost"),
    [
        ([], "bad", "no Python app"),
        (["3.9.2"], "bad", "no Python app"),
        (["3.11.2"], "ok", "download"),
        (["3.11.2", "3.12.4"], "ok", ""),
    ],
)
def test_interpreters(versions, state, cost) -> None:
    check = checks.judge_interpreters(versions)
    assert check.state == state and cost in check.cost and bool(cost) == bool(check.cost)


@pytest.mark.parametrize(("version", "state"), [((3, 10, 9), "bad"), ((3, 11, 0), "ok"), ((3, 14, 1), "ok")])
def test_python(version, state) -> None:
    assert checks.python(version).state == state


def test_names() -> None:
    assert surroundings.judge_names("localhost", True, ["127.0.0.1", "::1"]).state == "ok"
    local, far = (
        surroundings.judge_names("localhost", True, []),
        surroundings.judge_names("apps.example.net", False, []),
    )
    assert local.state == far.state == "warn"
    assert "libnss-myhostname" in local.fix and "DNS" in far.fix


def test_index_says_what_kind_of_trouble_it_is_and_no_secret() -> None:
    assert surroundings.judge_index(0, "iniconfig==2.1.0", 0.4).state == "ok"
    for code, text, word in (
        (2, "error: invalid peer certificate: UnknownIssuer", "certificate"),
        (124, "timed out", "timed out"),
        (2, "error: Failed to fetch: `https://user:hunter2@index.example.org/simple/`", "no answer"),
    ):
        check = surroundings.judge_index(code, text, 1.0)
        assert check.state == "warn" and word in check.found and "hunter2" not in str(check)


def test_index_is_really_asked(tmp_path) -> None:
    """An index where nobody listens is no index."""
    settings = Settings(data=tmp_path, index_url=f"http://127.0.0.1:{free_port()}/simple")
    assert surroundings.index(checks.find_uv(), settings).state == "warn"


def test_certificates(tmp_path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    assert surroundings.judge_certificates({"SSL_CERT_FILE": str(bundle)}).state == "ok"
    gone = surroundings.judge_certificates({"SSL_CERT_FILE": str(bundle), "PODIUM_CA_BUNDLE": str(tmp_path / "no.pem")})
    assert gone.state == "bad" and gone.fix == "unset PODIUM_CA_BUNDLE"


def test_clock() -> None:
    assert surroundings.clock(newest=0, now=1.0).state == "bad"
    assert surroundings.clock(newest=2e9, now=2e9 - 3600).state == "bad"
    assert surroundings.clock(newest=2e9, now=2e9 + 5).state == "ok"


def test_a_taken_port_is_bad_and_a_free_one_is_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        # Somebody listens and never answers: not Podium.
        assert surroundings.port("127.0.0.1", number).state == "bad"
    assert surroundings.port("127.0.0.1", free_port()).state == "ok"


def test_a_program_that_is_missing_or_hangs_is_an_answer_too() -> None:
    assert run("no-such-program-here")[0] == 127
    assert run("sleep", "30", seconds=0.1)[0] == 124


def test_this_machine_as_json_with_its_exit_code(tmp_path) -> None:
    said = podium_says("doctor", "--json", "--data", str(tmp_path), "--port", str(free_port()))
    found = json.loads(said.out)
    assert {"python", "uv", "git", "sandbox", "app ports", "disk", "port", "package index", "app names"} <= {
        c["name"] for c in found
    }
    assert all(c["state"] in ("ok", "warn", "bad") and c["found"] for c in found)
    assert said.code == int(any(c["state"] == "bad" for c in found))
    assert all(c["cost"] for c in found if c["state"] != "ok"), "whatever is missing costs something"


def test_what_cannot_run_is_exit_code_1(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PODIUM_CA_BUNDLE", str(tmp_path / "no.pem"))
    said = podium_says("doctor", "--data", str(tmp_path))
    assert said.code == 1
    assert "Podium cannot run here" in said.err and "PODIUM_CA_BUNDLE" in said.out


def test_hardware(tmp_path) -> None:
    assert checks.hardware(Settings(data=tmp_path)).found == "cpu-basic"
    (tmp_path / "hardware.yaml").write_text("flavors:\n  - name: cpu basic\n")
    check = checks.hardware(Settings(data=tmp_path, hardware=str(tmp_path / "hardware.yaml")))
    assert check.state == "bad" and f"{tmp_path}/hardware.yaml:2: name of a flavour is 'cpu basic'" in check.found


def test_a_registry_is_asked_only_where_one_is_named():
    assert "none is named" in checks.registry(Settings()).found
    away = checks.registry(Settings(runtime="docker", registry=f"localhost:{free_port()}/podium"))
    assert away.state == "bad" and "does not answer" in away.found and "PODIUM_REGISTRY" in away.fix
