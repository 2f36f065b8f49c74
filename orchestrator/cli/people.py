"""`podium user`, `org` and `token`: who may come in. They open the database themselves, so they work with and without a
running `podium up`. A secret is the only thing on stdout; what is said about it goes to stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.output import ago, moment, say, table
from orchestrator.domain.grants import EVERYWHERE
from orchestrator.errors import Invalid
from orchestrator.settings import Settings, load

if TYPE_CHECKING:
    from orchestrator.services.accounts import Accounts

_PLAIN = {"no_args_is_help": True, "rich_markup_mode": None}
users = typer.Typer(help="People.", **_PLAIN)
orgs = typer.Typer(help="Organisations and their members.", **_PLAIN)
tokens = typer.Typer(help="Access tokens, for git and for the API.", **_PLAIN)

Data = Annotated[Path | None, typer.Option(help="Data directory.  [PODIUM_DATA, ./data]", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="USER", help="User name.")]
Fullname = Annotated[str, typer.Option(help="The name that people read.  [the short one]", show_default=False)]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read a password from standard input.")]


@contextmanager
def _opened(data: Path | None, new: bool = False) -> Iterator[tuple["Accounts", Settings]]:
    """The accounts of a data directory. `new`: it may be made now. Raises Invalid `NO_DATA`."""
    settings = load(data=data)
    if not new and not settings.database_url and not (settings.data / "podium.db").exists():
        raise Invalid("NO_DATA", f"there is no Podium in {settings.data}; give its data directory with --data")
    from orchestrator import adapters, wiring

    store = adapters.open_store(settings)
    try:
        yield wiring.accounts(settings, store), settings
    finally:
        store.close()


def _password() -> str:
    """One line of standard input; asked for on a terminal."""
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return sys.stdin.readline().rstrip("\r\n")


def sign_in_url(settings: Settings, secret: str) -> str:
    """The link for a secret of `Accounts.sign_in_link`. A running `podium up` notes in the data directory where it is."""
    try:
        console = (settings.run_directory / "url").read_text().strip()
    except OSError:
        console = settings.public_url
    return f"{console}/login?code={secret}"


# ---------------------------------------------------------------------------------------------------------------- users


@users.command("add")
def user_add(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="May do everything.")] = False,
    token: Annotated[
        str, typer.Option(help="Use this access token (hf_…) instead of a random one.", show_default=False)
    ] = "",
    fullname: Fullname = "",
    password_stdin: PasswordStdin = False,
    data: Data = None,
) -> None:
    """Make a user and print their access token, once."""
    password = _password() if password_stdin else ""
    with _opened(data, new=True) as (accounts, settings):
        if token:
            accounts.check_new_token(token)
        user = accounts.add_user(name, admin=admin, password=password, fullname=fullname)
        secret = accounts.add_token(user, "write", "first", token)
        link = sign_in_url(settings, accounts.sign_in_link(user.name))
    say(f"Made {'the administrator' if admin else 'the user'} {user.name}. The access token is shown only now:")
    print(secret, flush=True)
    say(f"Sign in with the browser within the hour, once: {link}")


@users.command("list")
def user_list(data: Data = None) -> None:
    """All users: name, admin or not, has a password, since when."""
    with _opened(data) as (accounts, _):
        rows = [(u.name, u.is_admin, bool(u.password_hash), moment(u.created_at)) for u in accounts.users()]
    table(("name", "admin", "password", "since"), rows)


@users.command("link")
def user_link(name: Name, data: Data = None) -> None:
    """Print a new sign-in link, good for one use within the hour."""
    with _opened(data) as (accounts, settings):
        print(sign_in_url(settings, accounts.sign_in_link(name)))


@users.command("password")
def user_password(name: Name, password_stdin: PasswordStdin = False, data: Data = None) -> None:
    """Set a password and end all browser sessions of the user."""
    if not password_stdin and not sys.stdin.isatty():
        raise Invalid("PASSWORD", "there is no terminal to ask on; add --password-stdin and pipe the password in")
    with _opened(data) as (accounts, _):
        user = accounts.user(name)
        accounts.set_password(user, _password())
    say(f"{user.name} has a new password; all their browser sessions were ended.")


# ------------------------------------------------------------------------------------------------------- organisations


@orgs.command("add")
def org_add(
    name: Annotated[str, typer.Argument(metavar="ORG", help="Organisation name.")],
    fullname: Fullname = "",
    private: Annotated[
        bool, typer.Option("--private", help="Its new repos are private unless somebody says otherwise.")
    ] = False,
    data: Data = None,
) -> None:
    """Make an organisation."""
    with _opened(data, new=True) as (accounts, _):
        org = accounts.add_org(name, fullname=fullname, private_by_default=private)
    say(f"Made the organisation {org.name}; give it members: podium org member {org.name} USER --role write")


@orgs.command("member")
def org_member(
    org: Annotated[str, typer.Argument(metavar="ORG", help="Organisation name.")],
    user: Name,
    role: Annotated[
        Literal["read", "write", "admin", "none"], typer.Option(help="What they may do; none takes them out.")
    ],
    data: Data = None,
) -> None:
    """Give a user a role in an organisation."""
    from orchestrator.domain.space import Role

    with _opened(data) as (accounts, _):
        accounts.set_member(org, user, Role.named(role))
    say(f"{user} is no member of {org} any more." if role == "none" else f"{user} may {role} in {org}.")


@orgs.command("set")
def org_set(
    org: Annotated[str, typer.Argument(metavar="ORG", help="Organisation name.")],
    private: Annotated[
        bool, typer.Option("--private/--public", help="What its new repos are unless somebody says otherwise.")
    ],
    data: Data = None,
) -> None:
    """Say who sees the new repos of an organisation; those that are there stay as they are."""
    with _opened(data) as (accounts, _):
        accounts.set_private_by_default(org, private)
    say(f"New repos of {org} are {'private' if private else 'public'} unless somebody says otherwise.")


@orgs.command("list")
def org_list(data: Data = None) -> None:
    """All organisations with their members."""
    with _opened(data) as (accounts, _):
        found = [(org, accounts.members(org)) for org in accounts.organisations()]
    named = lambda members: ", ".join(f"{u.name} ({role.name.lower()})" for u, role in members)  # noqa: E731
    rows = [(o.name, named(members), o.visibility.value) for o, members in found]
    table(("name", "members", "new repos"), rows)


# --------------------------------------------------------------------------------------------------------------- tokens


@tokens.command("add")
def token_add(
    user: Name,
    role: Annotated[
        Literal["read", "write", "fineGrained"],
        typer.Option(help="read: clone and call; write: also push; fineGrained: only what is named here."),
    ],
    name: Annotated[str, typer.Option(help="What it is for.", show_default=False)] = "",
    repo: Annotated[
        list[str] | None, typer.Option(help="owner/name:read or :write, of a fineGrained token.", show_default=False)
    ] = None,
    owner: Annotated[
        list[str] | None,
        typer.Option(
            "--org", help="Everything of an organisation or of the user: NAME:read or :write.", show_default=False
        ),
    ] = None,
    can: Annotated[
        list[str] | None,
        typer.Option(help=f"Also everywhere: {', '.join(sorted(EVERYWHERE))}.", show_default=False),
    ] = None,
    days: Annotated[float, typer.Option(help="Days until it ends; 0: never.")] = 0.0,
    data: Data = None,
) -> None:
    """Make an access token and print it, once."""
    if role != "fineGrained" and (repo or owner or can):
        raise Invalid("TOKEN_GRANTS", "--repo, --org and --can are for --role fineGrained")
    with _opened(data) as (accounts, _):
        person = accounts.user(user)
        grants = None
        if role == "fineGrained":
            grants = accounts.grants(person, _by_name(owner), _by_name(repo), can or ())
        ends = time.time() + days * 86400 if days else None
        secret = accounts.add_token(person, role, name, grants=grants, expires_at=ends)
    print(secret, flush=True)
    say(f"A {role} token of {user}, shown only now. Use it as password for git, and as HF_TOKEN.")


@tokens.command("list")
def token_list(user: Name, data: Data = None) -> None:
    """The tokens of a user: id, name, role, last four characters, last use. Never the tokens themselves."""
    with _opened(data) as (accounts, _):
        found = accounts.tokens(accounts.user(user))
    ends = lambda t: moment(t.expires_at) if t.expires_at else "never"  # noqa: E731
    rows = [(t.id, t.name, t.role, f"…{t.hint}", moment(t.created_at), ago(t.last_used_at), ends(t)) for t in found]
    table(("id", "name", "role", "ends in", "since", "used", "until"), rows)


def _by_name(given: list[str] | None) -> dict[str, str]:
    """`acme/demo:write` as name and permission; without a colon it is read."""
    pairs = (one.rpartition(":") if ":" in one else (one, ":", "read") for one in given or ())
    return {name: role for name, _, role in pairs}


@tokens.command("revoke")
def token_revoke(
    user: Name,
    which: Annotated[
        str, typer.Argument(metavar="WHICH", help="Its id, name, last four characters, or the token itself.")
    ],
    data: Data = None,
) -> None:
    """Make a token invalid, at once."""
    with _opened(data) as (accounts, _):
        token = accounts.revoke_token(accounts.user(user), which)
    say(f"Revoked {token.name!r} of {user}.")
