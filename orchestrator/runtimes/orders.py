"""What an instance is made of and what its launcher is told. Owns the directories and files inside an instance, and the order
(its fields are `runtime_images/launcher`'s contract); starts nothing and knows no other instance."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.seen import Image
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import machine, sandbox
from orchestrator.runtimes.environ import Seats, app_command, app_environment
from orchestrator.runtimes.instance import Instance, copy_tree
from runtime_images import static_server

_SITE = Path(static_server.__file__).parent / "site"


@dataclass(frozen=True, slots=True)
class Orders:
    """What is the same for every instance of this machine. `env`: variables that every app gets, below the author's own;
    `grace`: seconds; `log_limit`: bytes."""

    instances: Path
    volumes: Path
    logs: Path
    boxed: bool
    grace: float
    log_limit: int
    env: dict[str, str]

    def prepare(self, instance: Instance, spec: LaunchSpec, user: int | None) -> dict:
        """Fill the instance's directories and write its launcher's order. `user`: the uid it runs as when we are root.
        Raises OSError."""
        return self._order(instance, spec, self._fill(instance, spec, user), user)

    def _fill(self, instance: Instance, spec: LaunchSpec, user: int | None) -> sandbox.Places:
        volume = self.volumes / spec.space_id
        volume.mkdir(mode=0o700, exist_ok=True)
        for directory in (instance.home, instance.tmp, instance.etc):
            directory.mkdir(mode=0o700 if directory != instance.etc else 0o755, exist_ok=True)
        instance.app.mkdir(mode=0o700, exist_ok=True)
        if spec.image.source:
            copy_tree(Path(spec.image.source), instance.app, user)
        if self.boxed:
            (instance.home / "app").symlink_to(sandbox.APP)
        for name, text in sandbox.account_files(1000 if user is None else user).items():
            (instance.etc / name).write_text(text)
            (instance.etc / name).chmod(0o644)
        if user is not None:
            for directory in (instance.app, instance.home, instance.tmp, volume):
                os.chown(directory, user, user)
                directory.chmod(0o700)
        tools = (("static_server.py", Path(static_server.__file__)), ("site", _SITE))
        return sandbox.Places(
            instance.app, instance.home, instance.tmp, instance.etc, volume, runs_on(spec.image), tools
        )

    def _order(self, instance: Instance, spec: LaunchSpec, places: sandbox.Places, user: int | None) -> dict:
        image, hardware, note = spec.image, spec.hardware, instance.note
        assert note is not None
        seats = self._seats(image, places)
        words, only = app_command(image, note.port, seats), machine.told(note.share, self.boxed)
        if self.boxed:
            memory = max(64 * 1024**2, hardware.memory // 2)
            words = [*sandbox.bubblewrap(places, user, "space", memory, machine.devices(note.share)), *words]
        elif user is not None:
            words = [*sandbox.another_user(user, places.app), *words]
        wrapped = self.boxed or user is not None
        return {
            "id": instance.id,
            "argv": words,
            "env": app_environment(image, {**self.env, **spec.env, **only}, note.port, seats),
            "env_fd": sandbox.ENV_FD if wrapped else 0,
            "cwd": str(instance.app),
            "depth": sandbox.DEPTH if self.boxed else 0,
            "umask": 0o022 if self.boxed else 0o077,
            "port": note.port,
            "contract_port": image.port,
            "ready_path": image.ready_path,
            "memory": hardware.memory,
            "processes": hardware.processes,
            "files": hardware.files,
            "file_size": hardware.disk,
            "user_processes": 2 * hardware.processes if user is not None else None,
            "cgroup": instance.id,
            "grace": self.grace,
            "log": str(self.logs / f"{instance.id}.log"),
            "log_limit": self.log_limit,
            "status": str(instance.directory / "status.json"),
            "bell": str(self.instances / ".bell"),
        }

    def _seats(self, image: Image, places: sandbox.Places) -> Seats:
        python = _python(image)
        if self.boxed:
            server = f"{sandbox.TOOLS}/static_server.py"
            return Seats(sandbox.HOME, sandbox.TMP, sandbox.DATA, python, server, f"{sandbox.TOOLS}/site")
        return Seats(str(places.home), str(places.tmp), str(places.volume), python, static_server.__file__, str(_SITE))


def runs_on(image: Image) -> tuple[Path, ...]:
    """The directories, besides the system's, that the app's Python lives in. `{python}` without an environment is our own."""
    if image.environment:
        environment = Path(image.environment)
        return environment, *sandbox.interpreter_roots(environment)
    root = Path(sys.base_prefix)
    return () if "{python}" not in image.argv or sandbox.visible(root) else (root,)


def _python(image: Image) -> str:
    return f"{image.environment}/bin/python" if image.environment else os.path.realpath(sys.executable)


def open_to_others(path: Path) -> bool:
    """Can any user of the machine get to this directory?"""
    return all(os.stat(part).st_mode & 0o001 for part in (path, *path.parents))
