"""Rules of the house that a program can check: the arrows between packages, style, size, and what must not be in the repo."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("orchestrator", "builder", "runtime_images", "web")
LINES = 350
TOP_LEVEL = {
    "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "constraints.txt", "orchestrator", "builder",
    "runtime_images", "web", "helm", "tests", ".ci", ".gitignore", ".gitattributes", ".dockerignore", ".editorconfig",
}  # fmt: skip
_REGISTRIES = (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("docker", "io"), ("quay", "io"),
    ("ghcr", "io"), ("proxy", "golang", "org"), ("crates", "io"), ("deb", "debian", "org"), ("archive", "ubuntu", "com"),
)  # fmt: skip
#: Hosts of package registries, written so that this file does not hold them.
REGISTRIES = re.compile("|".join(rf"\b{re.escape('.'.join(parts))}\b" for parts in _REGISTRIES))


def tracked() -> list[Path]:
    """Files that git tracks, or would: new ones that are not ignored."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True)
    if done.returncode:
        pytest.skip("this is not a git checkout")
    paths = [ROOT / name.decode() for name in done.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


def modules() -> list[Path]:
    return [
        path for folder in OURS for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts
    ]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def run(*words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


def tool(program: str) -> str:
    """A program beside this Python."""
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        pytest.skip(f"{program} is not installed: make test installs it")
    return str(path)


def test_the_arrows_between_packages_hold() -> None:
    run(tool("lint-imports"), "--no-cache")


def test_ruff_finds_nothing() -> None:
    run(tool("ruff"), "check", "--no-cache", ".")


def test_no_file_does_two_jobs() -> None:
    lines = {name(path): len(path.read_text().splitlines()) for path in modules()}
    long = {path: count for path, count in lines.items() if count > LINES}
    assert not long, f"over {LINES} lines: {long}"


def test_every_module_says_what_it_owns() -> None:
    silent = [
        name(path)
        for path in modules()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_only_settings_reads_podium_variables() -> None:
    # The hook is a program of its own; these variables are how the process that starts git speaks to it.
    readers = [
        name(path)
        for path in modules()
        if name(path) != "orchestrator/repos/hook.py"
        and re.search(r"environ(?:\.get)?[\[(]\s*f?[\"']PODIUM_|getenv\(\s*[\"']PODIUM_", path.read_text())
    ]
    assert not readers


def test_only_two_files_import_adapters() -> None:
    adapters = ("store", "repos", "objects", "builds", "runtimes", "logs", "bells", "providers")
    pattern = re.compile(rf"^\s*(?:from|import) orchestrator\.({'|'.join(adapters)})\b", re.MULTILINE)
    wrong = {}
    for path in modules():
        parts = path.relative_to(ROOT).parts
        if name(path) in ("orchestrator/adapters.py", "orchestrator/wiring.py"):
            continue
        foreign = {found for found in pattern.findall(path.read_text()) if parts[:2] != ("orchestrator", found)}
        if foreign:
            wrong[name(path)] = foreign
    assert not wrong


def test_nothing_new_at_the_top() -> None:
    extra = {path.relative_to(ROOT).parts[0] for path in tracked()} - TOP_LEVEL
    assert not extra


def test_no_registry_is_named() -> None:
    named = [name(path) for path in tracked() if REGISTRIES.search(path.read_bytes().decode("utf-8", "replace"))]
    assert not named


def test_constraints_are_exact_and_without_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    wrong = [line for line in lines if line and not re.fullmatch(r"[a-z0-9_.-]+==[\w.+!-]+( ; .+)?", line)]
    assert lines and not wrong


def test_constraints_cover_what_pyproject_asks_for() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    asked = [Requirement(line) for line in lines]
    pins = dict(
        line.partition(" ;")[0].split("==") for line in (ROOT / "constraints.txt").read_text().split("\n") if line
    )
    pinned = {canonicalize_name(package): version for package, version in pins.items()}
    wrong = [
        str(r) for r in asked if not r.specifier.contains(pinned.get(canonicalize_name(r.name), "0"), prereleases=True)
    ]
    assert not wrong, f"{wrong} do not fit constraints.txt; make constraints"


def test_files_are_no_bigger_than_they_must_be() -> None:
    big = {name(path): path.stat().st_size for path in tracked() if path.stat().st_size > 400_000}
    assert not big
