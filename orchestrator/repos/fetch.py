"""Fetching a stranger's repo into one of ours: one process of git that may speak with one address and nothing else. Which
addresses may be spoken with is `services/imports.py`'s."""

import secrets
import subprocess

from orchestrator.errors import Invalid, TooLarge
from orchestrator.repos.process import Git, GitFailed, end

WALL_CLOCK = 300.0  #: seconds


def fetch(git: Git, git_dir: str, url: str, pin: str, limit: int) -> str:
    """The commit that HEAD of `url` names; its objects are in the repo when this returns, and no ref names them. `pin` is
    `host:port:address`: names are not looked up again. No redirect is followed, no credential sent, no submodule fetched.
    `limit`: bytes of a pack. Raises Invalid `IMPORT`, TooLarge `IMPORT_SIZE`."""
    scratch = f"refs/podium/import-{secrets.token_hex(8)}"
    settings = {
        f"protocol.{url.partition('://')[0]}.allow": "always",
        "http.followRedirects": "false",
        "http.curloptResolve": pin,
        "http.proxy": "",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "20",
        "credential.helper": "",
    }
    words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    words += ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-gc"]
    # A limit that is set from outside, once git runs, comes too late for what git has started by then.
    within = ("prlimit", f"--fsize={limit}", "--")
    process = git.start(git_dir, *words, "--end-of-options", url, f"+HEAD:{scratch}", within=within)
    try:
        _, errors = process.communicate(timeout=WALL_CLOCK)
        if process.returncode:
            raise _refusal(errors.decode("utf-8", "replace"), limit)
        return git.run(git_dir, "rev-parse", "--verify", "--end-of-options", f"{scratch}^{{commit}}").decode().strip()
    except subprocess.TimeoutExpired:
        raise Invalid("IMPORT", f"It took longer than {WALL_CLOCK:g} seconds to fetch that repo.") from None
    except GitFailed:
        raise Invalid("IMPORT", "What is there is no git repo with a commit.") from None
    finally:
        end(process)


def release(git: Git, git_dir: str) -> None:
    """Let go of what `fetch` brought, once a ref names it or nobody wants it."""
    for name in git.run(git_dir, "for-each-ref", "--format=%(refname)", "refs/podium/").decode().split():
        if name.startswith("refs/podium/import-"):
            git.run(git_dir, "update-ref", "-d", name)


def _refusal(errors: str, limit: int) -> Invalid | TooLarge:
    if "file size limit" in errors.lower() or "File too large" in errors or "pack exceeds" in errors:
        return TooLarge("IMPORT_SIZE", f"That repo is larger than {limit // 1024**2} MB.")
    if "Authentication" in errors or "could not read Username" in errors or " 401" in errors or " 403" in errors:
        return Invalid("IMPORT", "That repo is not public, or there is none at this address.")
    if "redirect" in errors or "unable to update url base" in errors:
        return Invalid("IMPORT", "That address leads elsewhere; write the address that it leads to.")
    if "couldn't find remote ref" in errors:
        return Invalid("IMPORT", "That repo is empty.")
    return Invalid("IMPORT", "There is no git repo at this address that everybody may clone.")
