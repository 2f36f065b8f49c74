"""`podium user`, `org`, `token` against a real database: what is on stdout, what on stderr, and the exit code."""

from pathlib import Path

import pytest

from orchestrator import adapters, wiring
from orchestrator.domain.space import Role
from orchestrator.errors import Unauthorized
from orchestrator.settings import load
from tests.unit.command_line import Said, podium_says

TOKEN = "hf_" + "a1" * 17


class Line:
    """The command line in a data directory of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def __call__(self, *words: str, text: str = "", code: int = 0) -> Said:
        said = podium_says(*words, "--data", str(self.data), text=text)
        assert said.code == code, said
        return said

    def accounts(self):
        settings = load(data=self.data)
        return wiring.accounts(settings, adapters.open_store(settings))


@pytest.fixture
def podium(tmp_path) -> Line:
    return Line(tmp_path / "data")


def test_a_new_users_token_is_all_there_is_on_stdout_and_works(podium) -> None:
    done = podium("user", "add", "ada", "--admin")
    token = done.out.removesuffix("\n")
    assert token.startswith("hf_") and "\n" not in token
    caller = podium.accounts().caller(f"Bearer {token}")
    assert caller.name == "ada" and caller.is_admin and caller.limit is Role.ADMIN


def test_names_that_people_read_and_who_sees_new_repos(podium) -> None:
    podium("user", "add", "ada", "--fullname", " Ada  Lovelace ")
    podium("org", "add", "acme", "--fullname", "Acme & Co", "--private")
    accounts = podium.accounts()
    assert (accounts.owner("ada").fullname, accounts.owner("acme").fullname) == ("Ada Lovelace", "Acme & Co")
    assert accounts.owner("acme").private_by_default
    assert podium("org", "list").out == "acme\t\tprivate\n"
    podium("org", "set", "acme", "--public")
    assert not podium.accounts().owner("acme").private_by_default
    assert "NOT_AN_ORG" in podium("org", "set", "ada", "--private", code=2).err
    assert "PROFILE" in podium("user", "add", "bob", "--fullname", "b" * 101, code=2).err


def test_a_new_signing_key(podium) -> None:
    podium("user", "add", "ada")
    podium("new-signing-key")
    podium("new-signing-key")
    path = load(data=podium.data).key_directory / "oidc.pem"
    assert path.read_text().count("-----BEGIN") == 3


def test_the_sign_in_link_on_stderr_works_once(podium) -> None:
    done = podium("user", "add", "ada")
    url, _, secret = done.err.strip().split()[-1].partition("/login?code=")
    assert url == "http://localhost:8000"
    session = podium.accounts().follow_link(secret)
    assert podium.accounts().by_session(session).name == "ada"
    with pytest.raises(Unauthorized):
        podium.accounts().follow_link(secret)


def test_links_lead_to_the_running_podium(podium) -> None:
    podium("user", "add", "ada")
    (podium.data / "run").mkdir(exist_ok=True)
    (podium.data / "run" / "url").write_text("http://localhost:9123\n")
    assert podium("user", "link", "ada").out.startswith("http://localhost:9123/login?code=")


def test_a_given_token_is_used_and_a_bad_one_makes_no_user(podium) -> None:
    assert podium("user", "add", "ada", "--token", TOKEN).out.strip() == TOKEN
    assert "[TOKEN_SHAPE]" in podium("user", "add", "eve", "--token", "hunter2", code=2).err
    assert "[TOKEN_TAKEN]" in podium("user", "add", "eve", "--token", TOKEN, code=2).err
    assert [user.name for user in podium.accounts().users()] == ["ada"]


@pytest.mark.parametrize("name", ["", "a--b", "api", "-x", "a/b", "x" * 97, "<b>"])
def test_a_bad_name_is_one_line_and_exit_code_2(podium, name) -> None:
    done = podium_says("user", "add", "--data", str(podium.data), "--", name)
    assert done.code == 2
    assert done.out == "" and len(done.err.strip().splitlines()) == 1
    assert done.err.startswith("podium: ") and done.err.rstrip().endswith("[NAME]")


def test_a_taken_name_is_refused_whatever_its_case(podium) -> None:
    podium("user", "add", "ada")
    assert "[NAME_TAKEN]" in podium("user", "add", "Ada", code=2).err
    assert "[NAME_TAKEN]" in podium("org", "add", "ADA", code=2).err


def test_passwords_come_from_stdin_and_can_be_changed(podium) -> None:
    podium("user", "add", "ada", "--password-stdin", text="correct horse\n")
    accounts = podium.accounts()
    session = accounts.sign_in("ada", "correct horse", "::1")
    podium("user", "password", "ada", "--password-stdin", text="battery staple\n")
    assert accounts.by_session(session) is None, "the sessions of before are ended"
    with pytest.raises(Unauthorized):
        accounts.sign_in("ada", "correct horse", "::1")
    assert accounts.sign_in("ada", "battery staple", "::1")


def test_a_short_password_is_refused_and_makes_no_user(podium) -> None:
    assert "[PASSWORD]" in podium("user", "add", "ada", "--password-stdin", text="short\n", code=2).err
    assert podium.accounts().is_empty()
    podium("user", "add", "ada")
    assert "[PASSWORD]" in podium("user", "password", "ada", "--password-stdin", text="\n", code=2).err
    assert "[PASSWORD]" in podium("user", "password", "ada", code=2).err


def test_lists_are_tab_separated_without_a_header(podium) -> None:
    podium("user", "add", "ada", "--admin")
    podium("user", "add", "bob")
    rows = [line.split("\t") for line in podium("user", "list").out.splitlines()]
    assert [(row[0], row[1], row[2]) for row in rows] == [("ada", "yes", "no"), ("bob", "no", "no")]


def test_organisations_and_their_members(podium) -> None:
    podium("user", "add", "ada")
    podium("org", "add", "acme")
    podium("org", "member", "acme", "ada", "--role", "write")
    assert podium("org", "list").out == "acme\tada (write)\tpublic\n"
    podium("org", "member", "acme", "ada", "--role", "none")
    assert podium("org", "list").out == "acme\t\tpublic\n"
    assert "[OWNER]" in podium("org", "member", "acme", "eve", "--role", "read", code=2).err
    assert "[NOT_AN_ORG]" in podium("org", "member", "ada", "ada", "--role", "read", code=2).err
    assert "owner" in podium("org", "member", "acme", "ada", "--role", "owner", code=2).err


def test_tokens_are_made_listed_and_revoked(podium) -> None:
    podium("user", "add", "ada")
    secret = podium("token", "add", "ada", "--role", "read", "--name", "ci").out.strip()
    assert podium.accounts().caller(f"Bearer {secret}").limit is Role.READ
    shown = podium("token", "list", "ada").out
    assert "\tci\tread\t" in shown and secret not in shown
    podium("token", "revoke", "ada", "ci")
    with pytest.raises(Unauthorized):
        podium.accounts().caller(f"Bearer {secret}")
    assert "[TOKEN]" in podium("token", "revoke", "ada", "ci", code=2).err


def test_a_data_directory_that_is_not_there_is_not_made_by_looking(podium) -> None:
    for words in (("user", "list"), ("token", "list", "ada"), ("org", "member", "a", "b", "--role", "read")):
        assert "[NO_DATA]" in podium(*words, code=2).err
    assert not podium.data.exists()


def test_a_data_directory_that_cannot_be_made_is_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    done = Line(tmp_path / "file" / "data")("user", "add", "ada", code=3)
    assert done.err.startswith("podium: ") and len(done.err.splitlines()) == 1


def test_an_unknown_setting_is_refused(podium, monkeypatch) -> None:
    monkeypatch.setenv("PODIUM_PROT", "9000")
    assert "PODIUM_PROT" in podium("user", "add", "ada", code=2).err
