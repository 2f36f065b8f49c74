"""The probe: a small app that boots in about a second, in versions. Owns its files and what it answers."""

from pathlib import Path

from tests.space import Space

FOLDER = Path(__file__).parent / "probe"


def code(version: str) -> str:
    """app.py of this version."""
    return (FOLDER / "app.py").read_text().replace('VERSION = "1"', f'VERSION = "{version}"')


def push(space: Space, version: str = "1", **files: str) -> str:
    """Push the probe with this version, and `files` over it (`README_md="…"` writes README.md)."""
    over = {name.replace("_", "."): text for name, text in files.items()}
    return space.push(FOLDER, {"app.py": code(version), **over}, f"Version {version}")


def running(space: Space, version: str = "1") -> Space:
    """The Space once this version answers."""
    push(space, version)
    space.wait("RUNNING")
    assert ask(space) == version
    return space


def ask(space: Space, path: str = "/version") -> str:
    with space.client() as client:
        answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:200]}"
    return answer.text


def pid(space: Space) -> str:
    """What tells one instance from another: the pid and the start time as the app sees them."""
    return ask(space, "/about").replace(" ", "")
