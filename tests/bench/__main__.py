"""`python -m tests.bench [push wake control images files memory cluster gateway] [--json FILE]`: measures, compares with limits.
The exit code is 0 whatever the figures say: machines differ, and a bench that fails teaches people not to run it."""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.bench import cluster, control, files, images, memory, push, rig, wake
from tests.bench.figures import Figure, table

PARTS = {
    "push": push.run, "wake": wake.run, "control": control.run, "images": images.run, "files": files.run,
    "memory": memory.run, "cluster": cluster.run,
}  # fmt: skip
GATEWAY_LIMIT = 180  #: seconds for the gateway's own bench


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    options.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}, gateway; default: all")
    options.add_argument("--json", type=Path, help="write the figures to this file, too")
    chosen = options.parse_args()
    if unknown := set(chosen.parts) - {*PARTS, "gateway"}:
        options.error(f"unknown part {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}, gateway")
    parts = chosen.parts or [*PARTS, "gateway"]
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as name:
        Path(name).chmod(0o755)
        figures, errors = measure([part for part in parts if part in PARTS], Path(name))
    words = gateway() if "gateway" in parts else ""
    print("\n" + table(figures) if figures else "")
    for part, error in errors.items():
        print(f"{part}: could not be measured: {error}")
    if chosen.json:
        result = {"figures": [f.as_dict() for f in figures], "gateway": words.splitlines(), "errors": errors}
        chosen.json.write_text(json.dumps(result, indent=2))
    return 1 if errors else 0


def measure(parts: list[str], folder: Path) -> tuple[list[Figure], dict[str, str]]:
    """The figures of the parts that worked, and why the others did not."""
    figures: list[Figure] = []
    errors: dict[str, str] = {}
    if not parts:
        return figures, errors
    with rig.podium(folder / "podium") as podium:
        for part in parts:
            began = time.monotonic()
            print(f"{part} ...", end=" ", flush=True)
            (folder / part).mkdir()
            try:
                figures += PARTS[part](podium, folder / part)
            except Exception as error:
                errors[part] = f"{type(error).__name__}: {error}"
            print(f"{time.monotonic() - began:.0f} s", flush=True)
    return figures, errors


def gateway() -> str:
    """The gateway's bench prints for itself; what it said."""
    said = []
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.gateway"], stdout=subprocess.PIPE, text=True)
    limit = threading.Timer(GATEWAY_LIMIT, process.kill)
    limit.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line)
        if code := process.wait():
            said.append(f"ended with {code}\n")
    finally:
        limit.cancel()
        process.kill()
        process.wait()
    return "".join(said)


if __name__ == "__main__":
    sys.exit(main())
