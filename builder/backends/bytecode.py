"""Bytecode for environments, so that no app compiles the same modules at every start. Compiled files are kept by package (name,
version and list of files) and linked into later environments; only new packages cost time. Runs no package code: the
compiler is the bare interpreter, which looks into no site-packages.

What is kept serves other Spaces, so nothing is taken from a package that brings compiled files, or whose files another
package has overwritten: a module counts only if it has the digest that its package's RECORD names."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARKER = ".compiled"  #: in an environment that has all of it
TIMEOUT = 900.0  #: seconds for one environment


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package: `key` names its compiled files, `modules` are paths of .py files below site-packages, each with
    its digest as in RECORD (`sha256=...`)."""

    key: str
    modules: dict[str, str]


def packages(site: Path) -> Iterator[Package]:
    """The packages of a site-packages directory, by what their RECORD lists."""
    for record in sorted(site.glob("*.dist-info/RECORD")):
        try:
            data = record.read_bytes()
        except OSError:
            continue
        rows = (line.rsplit(",", 2) for line in data.decode("utf-8", "replace").splitlines())
        files = {row[0].strip('"'): row[1] for row in rows if len(row) == 3}
        modules = {
            name: digest
            for name, digest in files.items()
            if name.endswith(".py") and not name.startswith(("/", "..")) and "/../" not in name
        }
        yield Package(f"{record.parent.name[: -len('.dist-info')]}-{hashlib.sha256(data).hexdigest()[:32]}", modules)


def is_genuine(site: Path, package: Package) -> bool:
    """Whether the modules are what the package's RECORD says."""
    try:
        return all(_digest(site / name) == digest for name, digest in package.modules.items())
    except OSError:
        return False


def _digest(path: Path) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")


def drop(env: Path) -> None:
    """Remove the compiled files that packages brought themselves."""
    for folder, folders, _ in os.walk(_site(env)):
        if "__pycache__" in folders:
            folders.remove("__pycache__")
            shutil.rmtree(os.path.join(folder, "__pycache__"), ignore_errors=True)


def compiled_name(module: str, tag: str) -> str:
    """`a/b.py` -> `a/__pycache__/b.cpython-311.pyc`."""
    folder, _, name = module.rpartition("/")
    return f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc".lstrip("/")


def link(env: Path, cache: Path, tag: str) -> bool:
    """Link what earlier builds compiled into an environment; whether that is all of it."""
    site, whole = _site(env), True
    for package in packages(site):
        kept = cache / tag / package.key
        if not kept.is_dir() or not is_genuine(site, package):
            whole = whole and not package.modules
            continue
        for module in package.modules:
            _link(kept / compiled_name(module, tag), site / compiled_name(module, tag))
    if whole:
        (env / MARKER).touch()
    return whole


def compile_all(env: Path, cache: Path, tag: str) -> None:
    """Compile an environment and keep the result by package in `cache`. Safe beside running apps: a
    file appears whole. Failures cost speed only. Only for environments in which no code of an author's ran."""
    site = _site(env)
    python = os.path.realpath(env / "bin" / "python")
    lowest = ["nice", "-n", "19"] if shutil.which("nice") else []
    command = [
        *lowest,
        python,
        "-I",
        "-S",
        "-m",
        "compileall",
        "-q",
        "-j",
        "0",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    subprocess.run(
        [*command, str(site)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        timeout=TIMEOUT,
    )
    for package in packages(site):
        kept = cache / tag / package.key
        if kept.is_dir() or not package.modules or not is_genuine(site, package):
            continue
        fresh = kept.with_name(f".{package.key}.{os.getpid()}")
        fresh.mkdir(parents=True, exist_ok=True)
        for module in package.modules:
            _link(site / compiled_name(module, tag), fresh / compiled_name(module, tag))
        try:
            fresh.rename(kept)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
    (env / MARKER).touch()


def tag_of(version: str) -> str:
    """`3.11.7` -> `cpython-311`, the word in the names of compiled files."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return f"cpython-{numbers[1]}{numbers[2]}"


def _site(env: Path) -> Path:
    return next(iter(sorted(env.glob("lib/python3.*/site-packages"))), env / "lib")


def _link(source: Path, target: Path) -> None:
    """A hard link, a copy across file systems; what is missing or there already is left alone."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except FileNotFoundError:
        if not source.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _link(source, target)
    except OSError:
        try:
            shutil.copy2(source, target)
        except OSError:
            pass
