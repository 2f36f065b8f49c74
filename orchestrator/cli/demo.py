"""`podium demo`: a running Podium with a sample Space in it, made the way a person would make it: `podium up`, a user, a
`git push`, a visit. Owns its child `podium up` and sees that it ends with it."""

import base64
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx

from orchestrator import adapters, wiring
from orchestrator.cli import watch
from orchestrator.cli.hub import Hub
from orchestrator.cli.output import clean, say, seconds
from orchestrator.cli.people import sign_in_url
from orchestrator.errors import Invalid, NotFound, Unavailable
from orchestrator.settings import Settings, load

USER, NAME, TOKEN_NAME = "demo", "hello", "podium demo"
SAMPLE = Path(__file__).parents[2] / "tests" / "apps" / "gradio_interface"
_START_SECONDS = 180.0
_STOP_SECONDS = 60.0
_NOT_PUSHED = shutil.ignore_patterns("expect.toml", "check.py", "__pycache__", ".git")
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(KeyboardInterrupt):
    """A signal asked us to end. A KeyboardInterrupt, so that nothing on the way takes it for a failure."""


def demo(
    host: str | None = None,
    port: int | None = None,
    data: Path | None = None,
    apps_domain: str | None = None,
    sample: Path | None = None,
) -> None:
    """Run until a signal. Raises Invalid for a sample that is no folder, Unavailable when Podium or the Space does not come
    up or the child ends by itself."""
    settings = load(host=host, port=port, data=data, apps_domain=apps_domain)
    folder = (sample or SAMPLE).resolve()
    if not folder.is_dir():
        raise Invalid("SAMPLE", f"there is no folder {folder}; give one with --sample")
    for number in _STOPS:
        signal.signal(number, _stop)
    try:
        with _podium(settings) as child:
            _show(settings, folder)
            child.wait()
            raise Unavailable(f"podium up ended by itself with code {child.returncode}; see {_log(settings)}")
    except _Stopped:
        say("Stopped.")


def _stop(*_: object) -> None:
    for number in _STOPS:  # once is enough: what follows is the tidying up
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


def _log(settings: Settings) -> Path:
    return settings.data / "logs" / "up.log"


@contextmanager
def _podium(settings: Settings) -> Iterator[subprocess.Popen]:
    """A `podium up` that is ready; stopped and waited for at the end."""
    _log(settings).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = [sys.executable, "-m", "orchestrator.cli", "up", "--host", settings.host, "--port", str(settings.port)]
    words += ["--data", str(settings.data), "--apps-domain", settings.apps_domain]
    with _log(settings).open("wb") as log:
        # A session of its own: Ctrl-C reaches us alone, and we pass it on in order.
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        _await_ready(settings, child)
        yield child
    finally:
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)
        if child.poll() is None:
            say("\nStopping Podium …")
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _await_ready(settings: Settings, child: subprocess.Popen) -> None:
    say(f"Starting Podium on port {settings.port}, data in {settings.data} …")
    began = time.monotonic()
    while True:
        if child.poll() is not None:
            words = _log(settings).read_text(errors="replace").strip().splitlines()
            raise Unavailable(f"podium up did not start: {clean(words[-1]) if words else 'it said nothing'}")
        try:
            if httpx.get(f"{_here(settings)}/readyz", timeout=2, trust_env=False).status_code == 200:
                return say(f"Podium is ready after {seconds(time.monotonic() - began)}.")
        except httpx.HTTPError:
            pass
        if time.monotonic() - began > _START_SECONDS:
            raise Unavailable(f"podium up is not ready after {_START_SECONDS:g} s; see {_log(settings)}")
        time.sleep(0.05)


def _here(settings: Settings) -> str:
    """The front door by address, whatever names resolve on this machine."""
    host = "127.0.0.1" if settings.host in ("localhost", "0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _show(settings: Settings, folder: Path) -> None:
    token, link = _user(settings)
    console = f"http://localhost:{settings.port}" if settings.is_local else _here(settings)
    hub, space_id = Hub(console, token), f"{USER}/{NAME}"
    _push(folder, f"{console}/spaces/{space_id}", token)
    Thread(target=_print_build_log, args=(hub, space_id), daemon=True).start()
    if watch.wait(hub, space_id) != 0:
        raise Unavailable(f"the sample does not run; see the lines above and {_log(settings)}")
    url = str(hub.get(f"/api/spaces/{space_id}").get("host", "")).rstrip("/")
    _visit(settings, url)
    _say_what_next(settings, url, link, token)


def _user(settings: Settings) -> tuple[str, str]:
    """Token and sign-in link of the demo's user; a second run finds the user and replaces the token."""
    store = adapters.open_store(settings)
    try:
        accounts = wiring.accounts(settings, store)
        try:
            user = accounts.user(USER)
        except NotFound:
            user = accounts.add_user(USER, admin=True, fullname="Demo")
        for old in accounts.tokens(user):
            if old.name == TOKEN_NAME:
                accounts.revoke_token(user, old.id)
        token = accounts.add_token(user, "write", TOKEN_NAME, "hf_" + secrets.token_hex(17))
        return token, sign_in_url(settings, accounts.sign_in_link(USER))
    finally:
        store.close()


# ------------------------------------------------------------------------------------------------------------- pushing


def _push(folder: Path, remote: str, token: str) -> None:
    """Push the folder to a repo that has no main yet; what somebody pushed there since the first run stays."""
    with tempfile.TemporaryDirectory(prefix="podium-demo-") as temporary:
        work = Path(temporary) / NAME
        work.mkdir()
        _git(work, token, "init", "-q", "-b", "main")
        if _git(work, token, "ls-remote", remote, "refs/heads/main", may_fail=True).strip():
            say(f"{remote} is there from an earlier run.")
            return
        shutil.copytree(folder, work, symlinks=True, dirs_exist_ok=True, ignore=_NOT_PUSHED)
        _git(work, token, "add", "--all", "--force")
        _git(work, token, "commit", "-q", "-m", "The first demo")
        say(f"git push {remote} main")
        _git(work, token, "push", "-q", remote, "main")


def _git(work: Path, token: str, *words: str, may_fail: bool = False) -> str:
    """git with no configuration but this. The token goes through the environment: command lines can be read by others.
    Raises Unavailable with git's words."""
    login = base64.b64encode(f"{USER}:{token}".encode()).decode()
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    env |= {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_KEY_1": "http.proxy"}
    env |= {"GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}", "GIT_CONFIG_VALUE_1": ""}
    for person in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{person}_NAME": "Demo", f"GIT_{person}_EMAIL": "demo@localhost"}
    try:
        done = subprocess.run(["git", *words], cwd=work, env=env, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        raise Unavailable("git is not installed; `podium doctor` says what else is missing") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"git {words[0]} did not end in 120 s") from None
    if done.returncode and not may_fail:
        raise Unavailable(f"git {words[0]} failed: {clean(' '.join(done.stderr.split()))}")
    return done.stdout


# ------------------------------------------------------------------------------------------------------------- showing


def _print_build_log(hub: Hub, space_id: str) -> None:
    """Show the build while it happens, as soon as there is one; the stage alone says how it ends."""
    try:
        begun = False
        while not begun:
            for line in watch.log(hub, space_id, "build", follow=True):
                begun = True
                say(f"         | {clean(line.text)}")
            time.sleep(0.1)
    except Exception as error:  # the log is an extra here: the wait beside it reports what matters
        say(f"         | no more of the build log: {error}")


def _visit(settings: Settings, url: str) -> None:
    """Open the Space at its own URL, as a browser does. Raises Unavailable if it does not answer."""
    name = url.partition("://")[2]
    try:
        answer = httpx.get(
            f"{_here(settings)}/", headers={"host": name, "accept": "text/html"}, timeout=60, trust_env=False
        )
    except httpx.HTTPError as error:
        raise Unavailable(f"{url} does not answer: {error}") from error
    if answer.status_code != 200:
        raise Unavailable(f"{url} answers {answer.status_code} {answer.reason_phrase}")
    say(f"{url} answers.")


def _say_what_next(settings: Settings, url: str, link: str, token: str) -> None:
    console = settings.public_url
    print(
        f"""
  The Space    {url}
  Its page     {console}/spaces/{USER}/{NAME}
  Sign in      {link}   (once, within the hour)

  Change it:
    git clone http://{USER}:{token}@{console.partition("://")[2]}/spaces/{USER}/{NAME} && cd {NAME}
    sed -i 's/Word counter/Counter of words/' app.py && git commit -am 'Another title' && git push

  Or with the Hub's own tools:
    export HF_ENDPOINT={console} HF_TOKEN={token}
    hf upload {USER}/another . --repo-type space

  Ctrl-C stops everything.
""",
        flush=True,
    )
