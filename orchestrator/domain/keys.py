"""The two keys that make deploy, restart, rollback, hardware change and secret change one and the same comparison:
whatever was built or runs under another key is stale. Also the names derived from keys."""

import hashlib
import json


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()[:24]


def build_key(repo_id: str, revision: str, rebuilds: int) -> str:
    """24 hex digits naming what must be built. `rebuilds` counts factory rebuilds."""
    return _digest("build", repo_id, revision, rebuilds)


def launch_key(image_id: str, hardware: str, env_version: int, restarts: int) -> str:
    """24 hex digits naming what must be running. `env_version` counts changes of secrets and variables."""
    return _digest("launch", image_id, hardware, env_version, restarts)


def instance_id(space_id: str, key: str) -> str:
    """The deterministic name of the instance of a launch key: launching twice finds the first one. Fits a DNS label."""
    return f"s-{space_id}-{key[:12]}"
