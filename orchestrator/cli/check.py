"""What a check of `podium doctor` is, and what checks are made with."""

import os
import re
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`state`: ok, warn (it runs, something is lost) or bad (it does not run). `cost`: what that means; `fix`: what to type."""

    name: str
    state: str
    found: str
    cost: str = ""
    fix: str = ""


def run(*words: str, seconds: float = 10, env: dict[str, str] | None = None, text: str = "") -> tuple[int, str]:
    """Exit code and output of a program; 127 when it is not there, 124 when it takes too long."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, env=env, input=text)
    except FileNotFoundError:
        return 127, ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return 124, str(error)
    return done.returncode, (done.stdout or done.stderr).strip()


def apt(package: str, root: bool | None = None) -> str:
    """How to install a Debian package here."""
    root = os.geteuid() == 0 if root is None else root
    return f"{'' if root else 'sudo '}apt-get install {package}"


def numbers(text: str) -> tuple[int, ...]:
    """The first version number in a text: `git version 2.39.5 (x)` -> (2, 39, 5); empty if there is none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
