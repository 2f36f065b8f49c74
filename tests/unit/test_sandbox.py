"""The command lines that confine an app, and the environment that it gets."""

from pathlib import Path

import pytest

from orchestrator.domain.seen import Image
from orchestrator.runtimes import sandbox
from orchestrator.runtimes.environ import Seats, app_command, app_environment
from orchestrator.runtimes.users import FIRST_USER, Users, free_port

INSTANCE = Path("/srv/podium/instances/s-1")
PLACES = sandbox.Places(
    INSTANCE / "app", INSTANCE / "home", INSTANCE / "tmp", INSTANCE / "etc", Path("/srv/podium/volumes/1"),
    (Path("/srv/podium/environments/e"),), (("static_server.py", Path("/lib/x.py")),),
)  # fmt: skip


def mounts(words: list[str]) -> dict[str, str]:
    """Where inside -> what outside, for all binds."""
    kinds = ("--bind", "--ro-bind", "--ro-bind-try", "--dev-bind-try")
    return {words[i + 2]: words[i + 1] for i, word in enumerate(words) if word in kinds}


@pytest.mark.parametrize("user", [None, 200_001])
def test_only_these_places_can_be_written(user):
    words = sandbox.bubblewrap(PLACES, user, "space", 1024)
    writable = {words[i + 2]: words[i + 1] for i, word in enumerate(words) if word == "--bind"}
    assert writable == {
        "/app": f"{INSTANCE}/app", "/home/user": f"{INSTANCE}/home", "/tmp": f"{INSTANCE}/tmp",
        "/data": "/srv/podium/volumes/1",
    }  # fmt: skip
    assert words[words.index("--remount-ro") + 1] == "/"


def test_no_directory_of_podium_is_shown_but_the_apps_own():
    shown = mounts(sandbox.bubblewrap(PLACES, 200_001, "space", 1024))
    ours = {outside for outside in shown.values() if outside.startswith("/srv")}
    own = {f"{INSTANCE}/{name}" for name in ("app", "home", "tmp", "etc/passwd", "etc/group")}
    assert ours == own | {"/srv/podium/volumes/1", "/srv/podium/environments/e"}
    assert not {"/etc", "/root", "/home", "/var", "/run", "/"} & set(shown.values())
    assert not {"/etc/shadow", "/etc/ssh", "/etc/sudoers"} & set(shown)


def test_namespaces_and_rights():
    words = sandbox.bubblewrap(PLACES, 200_001, "space", 1024)
    assert {"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"} <= set(words)
    assert "--unshare-user" not in words
    end = words[words.index("setpriv") :]
    assert end[:5] == ["setpriv", "--reuid", "200001", "--regid", "200001"]
    assert {"--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"} <= set(end)
    words = sandbox.bubblewrap(PLACES, None, "space", 1024)
    assert "setpriv" not in words
    assert words[words.index("--uid") + 1] == "1000"


def test_mounts_below_tmp_and_home_come_after_them():
    places = sandbox.Places(*[Path("/x")] * 5, read_only=(Path("/tmp/e"), Path("/home/me/e")))
    words = sandbox.bubblewrap(places, 1, "space", 1024)
    for inside, below in (("/tmp", "/tmp/e"), ("/home/user", "/home/me/e")):
        assert words.index(inside) < len(words) - 1 - words[::-1].index(below)
    assert words[words.index("/home/me") - 1] == "--dir"


def test_the_interpreters_of_an_environment_are_found(tmp_path):
    base, environment = tmp_path / "pythons" / "cpython-3.12.1", tmp_path / "e"
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "python3.12").touch()
    (tmp_path / "pythons" / "cpython-3.12").symlink_to("cpython-3.12.1")
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(tmp_path / "pythons" / "cpython-3.12" / "bin" / "python3.12")
    (environment / "pyvenv.cfg").write_text(f"home = {tmp_path}/pythons/cpython-3.12/bin\nversion = 3.12.1\n")
    assert set(sandbox.interpreter_roots(environment)) == {base, tmp_path / "pythons" / "cpython-3.12"}
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (environment / "bin" / "python").unlink()
    assert sandbox.interpreter_roots(environment) == ()
    assert sandbox.interpreter_roots(tmp_path / "nothing") == ()


SEATS = Seats("/home/user", "/tmp", "/data", "/py", "/static.py")


def test_who_wins_in_the_environment():
    image = Image("i", "gradio", (), {"PORT": "{port}", "A": "image", "B": "image"}, environment="/e")
    env = app_environment(
        image, {"A": "author", "PORT": "1", "HOME": "/", "PATH": "/evil", "LANG": "de_DE"}, 21000, SEATS
    )
    assert (env["A"], env["B"], env["PORT"], env["HOME"], env["LANG"]) == (
        "author",
        "image",
        "21000",
        "/home/user",
        "de_DE",
    )
    assert env["PATH"].startswith("/e/bin:/home/user/.local/bin:")
    assert env["VIRTUAL_ENV"] == "/e"
    assert env["SPACE_DATA_DIR"] == "/data"


def test_words_of_the_command_are_filled_in():
    image = Image("i", "static", ("{python}", "{static_server}", "--port={port}", "{other}"))
    assert app_command(image, 21000, SEATS) == ["/py", "/static.py", "--port=21000", "{other}"]


def test_a_space_keeps_its_user_and_no_other_gets_it(tmp_path):
    users = Users(tmp_path / "users.json")
    first, second = users.of("a"), users.of("b")
    assert FIRST_USER <= first < 2**31 and second == first + 1
    assert users.all() == {"a": first, "b": second}
    assert Users(tmp_path / "users.json").of("a") == first
    users.forget("b")
    assert users.of("c") == first + 2
    assert users.of("b") == first + 3
    assert len({Users(tmp_path / f"{n}.json").of("a") for n in range(5)}) > 1, "Podiums of one machine begin apart"


def test_ports_that_are_taken_are_passed_over():
    ports = range(23100, 23110)
    assert free_port(set(ports) - {23105}, ports) == 23105
    with pytest.raises(OSError, match="no free port"):
        free_port(ports, ports)
