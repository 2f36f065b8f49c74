"""`make image`: what it says before it begins when its base image cannot be had. With a `docker` that answers as a real one."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "runtime_images" / "podium" / "build.py"
NOT_FOUND = "ERROR: failed to do request: lookup registry-1.example.org on 10.0.0.2:53: no such host"


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """Makes a docker that has the images of these names, and says this of all others."""

    def made(here: str, registry: str = NOT_FOUND) -> None:
        script = tmp_path / "docker"
        script.write_text(
            f'#!/bin/sh\ncase "$*" in\n  "image inspect {here}") exit 0;;\n  "buildx imagetools"*" remote:1") exit 0;;\n'
            f'  "buildx imagetools"*) echo "{registry}" >&2; exit 1;;\n  *) echo "unexpected: $*" >&2; exit 9;;\nesac\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return made


def test_a_base_image_that_cannot_be_had_is_said_in_one_sentence(docker):
    docker("debian-python:3.11")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--base", "python:9-nowhere"],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "python:9-nowhere is not in this Docker engine" in done.stderr
    assert "no such host" in done.stderr and "make image BASE=NAME" in done.stderr


def test_a_base_that_is_here_or_in_its_registry_is_taken(docker, monkeypatch, tmp_path):
    missing, base = (runpy.run_path(str(SCRIPT))[name] for name in ("missing", "default_base"))
    docker("debian-python:3.11")
    assert missing("debian-python:3.11") == "" == missing("remote:1") and missing(base())
    assert base().startswith("python:3.")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert missing(base()) == "there is no docker on PATH; install Docker with its buildx plugin"
