"""The `Runtime` port on one machine: each instance is a child process tree under its own launcher.

Owns: which instances there are, users, ports, starting launchers, stopping them, and telling who changed. The launcher
(`runtime_images/launcher`) owns the app; it has a session of its own and outlives Podium, which finds it again by its
status file. Does not decide when to launch or stop, and reads no setting."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.domain.load import Load, together
from orchestrator.domain.seen import Event, Fault, Image, InstanceSeen, InstanceState, NodeSeen
from orchestrator.errors import Unavailable
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import hints, load, machine, sandbox
from orchestrator.runtimes.bell import Bell
from orchestrator.runtimes.fence import Fence, Given
from orchestrator.runtimes.instance import Instance, Note, remove_tree, write_json
from orchestrator.runtimes.orders import Orders, open_to_others, runs_on
from orchestrator.runtimes.users import BUILD_USER, PORTS, Users, free_port
from runtime_images import launch
from runtime_images.launcher.log import LogFile

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SPACE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_FIRST_WORD = 15.0  #: seconds until a launcher must have written its first status


class ProcessRuntime:
    """`mode` is the setting `sandbox`: auto, bubblewrap or none. `env`: variables that every app gets, below the author's
    own (a company proxy). `doors`: ports of this machine that every app may call. Raises Unavailable when bubblewrap is
    demanded and does not work."""

    single = "apps are processes of one machine here"

    def __init__(
        self, data: Path, mode: str = "auto", grace: float = 10.0, log_limit: int = 10 * 1024**2,
        env: dict[str, str] | None = None, ports: range = PORTS, doors: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self._instances = Path(data).resolve() / "instances"
        self._volumes = self._instances.parent / "volumes"
        self._logs = self._instances.parent / "logs" / "run"
        self._grace, self._log_limit, self._ports = grace, log_limit, ports
        self._users = Users(self._instances.parent / "users.json") if os.geteuid() == 0 else None
        why_not = "it is switched off" if mode == "none" else sandbox.probe()
        if mode == "bubblewrap" and why_not:
            raise Unavailable(f"PODIUM_SANDBOX is bubblewrap, but {why_not}")
        self.boxed = not why_not  #: whether apps run in bubblewrap
        for directory in (self._instances, self._volumes, self._logs):
            directory.mkdir(parents=True, exist_ok=True)
        closed = self.boxed or not self._users
        self._instances.chmod(0o700 if closed else 0o711)
        self._volumes.chmod(0o700 if closed else 0o711)
        self._logs.chmod(0o700)
        self._orders = Orders(self._instances, self._volumes, self._logs, self.boxed, grace, log_limit, env or {})
        self._lock = threading.RLock()
        self._known: dict[str, Instance] = {}
        self._children: dict[str, subprocess.Popen] = {}
        self._preparing: set[str] = set()
        self._stopping: set[str] = set()
        self._leaving: set[str] = set()  #: whose ports are nobody's any more
        self._draining: dict[str, threading.Event] = {}
        self._closed = threading.Event()
        self._bell: Bell | None = None
        self._rates = load.Rates()
        self.fence = Fence(self._given, doors, (BUILD_USER,))
        self._adopt()
        self.fence.renew(self._given())

    # -- launch

    def launch(self, spec: LaunchSpec) -> None:
        if not _ID.fullmatch(spec.instance_id) or not _SPACE_ID.fullmatch(spec.space_id):
            raise ValueError(f"not an instance: {spec.instance_id!r} of {spec.space_id!r}")
        image = spec.image
        self._check_reachable(image)
        with self._lock:
            instance = Instance(self._instances / spec.instance_id)
            if spec.instance_id in self._known or instance.directory.exists():
                self._call_back(spec.instance_id)
                return
            notes = [known.note for known in self._known.values() if known.note]
            share = machine.share_of(spec.hardware, (n.share for n in notes))
            taken = {*self.fence.doors, *(n.port for n in notes)}
            try:
                port = free_port(taken, self._ports)
                instance.create(
                    Note(
                        spec.instance_id, spec.space_id, spec.launch_key, port, image.port, time.time(),
                        image.startup_timeout, self.boxed, self._grace, share,
                    )
                )  # fmt: skip
            except OSError as problem:
                raise Unavailable(f"cannot launch: {problem}") from problem
            self._known[spec.instance_id] = instance
            self._preparing.add(instance.id)
        threading.Thread(target=self._start, args=(instance, spec), name=f"launch-{instance.id}", daemon=True).start()

    def _check_reachable(self, image: Image) -> None:
        """Raises Unavailable when the app could not see what it is made of."""
        for directory in filter(None, (image.source, image.environment)):
            if not os.path.isdir(directory):
                raise Unavailable(f"the image is gone: {directory} is not there")
        if self._users and not self.boxed:
            for directory in (self._instances, *runs_on(image)):
                if not open_to_others(directory):
                    raise Unavailable(
                        f"an app runs as a user of its own, who cannot reach {directory}; install bubblewrap, or move it"
                    )

    def _start(self, instance: Instance, spec: LaunchSpec) -> None:
        """Prepare the directories and start the launcher; the slow part of `launch`."""
        try:
            user = self._users.of(spec.space_id) if self._users else None
            fenced = self.fence.give(user, instance.note.port) if user is not None else None
            order = self._orders.prepare(instance, spec, user)
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", launch.__file__, "/dev/stdin"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                cwd="/", env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"}, start_new_session=True,
            )  # fmt: skip
            with self._lock:
                self._children[instance.id] = child
            with child.stdin as pipe:  # it starts nothing before it has its order
                if fenced:
                    fenced()
                pipe.write(json.dumps(order).encode())
        except OSError as problem:
            if instance.directory.exists():
                instance.fail(f"Podium could not start the app: {problem.strerror or problem}")
                self._changed(spec.space_id)
        finally:
            self._preparing.discard(instance.id)

    # -- list

    def list(self, space_id: str | None = None) -> list[InstanceSeen]:
        self._reap()
        now = time.time()
        with self._lock:
            known = list(self._known.values())
        seen = (self._see(instance, now) for instance in known if instance.note)
        return [one for one in seen if space_id is None or one.space_id == space_id]

    def _see(self, instance: Instance, now: float) -> InstanceSeen:
        note, status = instance.note, instance.status()
        assert note is not None
        state = InstanceState(status.get("state", "starting"))
        fault: Fault | None = None
        app = sandbox.APP if note.boxed else str(instance.app)
        if state is InstanceState.EXITED:
            fault = hints.exited(status, app)
        elif self._lost(instance, now):
            self._clear_up(instance)
            state, fault = InstanceState.EXITED, hints.LOST
        elif state is InstanceState.STARTING:
            fault = hints.starting(status, note.contract_port)
            if fault is None and now >= note.started_at + note.startup_timeout:
                fault = hints.too_late(note.startup_timeout, note.contract_port)
        if instance.id in self._stopping:
            state = InstanceState.STOPPING
        if state is InstanceState.READY and status["port"] != note.port:  # it insists on the contract's
            self.fence.renew(self._given(instance))
        port, ready_at = status.get("port", note.port), status.get("ready_at")
        return InstanceSeen(
            instance.id, note.space_id, note.launch_key, state, note.started_at, ready_at,
            f"127.0.0.1:{port}" if ready_at else "", fault, note.startup_timeout, instance.id in self._draining,
            hardware=note.share.hardware, placed_at=note.started_at, begun_at=status.get("started_at"),
        )  # fmt: skip

    def _lost(self, instance: Instance, now: float) -> bool:
        """The launcher is dead and never told how the app ended."""
        if instance.status():
            return not instance.launcher_alive() and instance.status().get("state") != "exited"
        child = self._children.get(instance.id)
        if child is not None and child.poll() is not None:
            return not instance.status()
        assert instance.note is not None
        return child is None and now > instance.note.started_at + _FIRST_WORD and instance.id not in self._preparing

    def _clear_up(self, instance: Instance) -> None:
        """Do what a launcher that was killed could not: end what is left of the app, and its log."""
        if instance.sweep():
            log = LogFile(str(self._logs / f"{instance.id}.log"), self._log_limit)
            try:
                log.add([f"[podium] {hints.LOST.message}"], time.time())
                log.end()
            except OSError:
                pass  # a full disk
            finally:
                log.close()

    def _given(self, *instances: Instance) -> Given:
        """Whose ports these are (uid, port); those of all instances when none is named."""
        users = self._users.all() if self._users else {}
        with self._lock:
            there = [one for one in self._known.values() if one.id not in self._leaving]
            asked = [(one.note, one.status().get("port")) for one in instances or there if one.note]
        both = ((note.space_id, port) for note, seen in asked for port in {note.port, seen or note.port})
        return [(users[space_id], port) for space_id, port in both if space_id in users]

    def _reap(self) -> None:
        with self._lock:
            for name, child in list(self._children.items()):
                if child.poll() is not None and name not in self._known:
                    del self._children[name]

    def _adopt(self) -> None:
        """Take over what an earlier Podium left: running instances, half-done stops, broken directories."""
        for directory in self._instances.iterdir():
            if directory.name.startswith(".gone-"):
                threading.Thread(target=remove_tree, args=(directory,), name="remove", daemon=True).start()
            elif directory.is_dir():
                instance = Instance(directory)
                if instance.load() is None:
                    instance.sweep()
                    instance.remove()
                    continue
                self._known[instance.id] = instance
                if instance.stop_file.exists():
                    self.stop(instance.id)

    # -- stop

    def stop(self, instance_id: str, drain: float = 0.0) -> None:
        with self._lock:
            instance = self._known.get(instance_id)
            if instance is None or instance_id in self._stopping:
                return
            self._stopping.add(instance_id)
            if drain:
                self._draining[instance_id] = threading.Event()
            try:
                write_json(instance.stop_file, {"drain": drain})
            except OSError:
                pass  # a full disk: the wish is repeated by the reconciler after a restart
        threading.Thread(target=self._stop, args=(instance, drain), name=f"stop-{instance_id}", daemon=True).start()

    def _stop(self, instance: Instance, drain: float) -> None:
        if drain and not self._drained(instance, drain):
            return
        while instance.id in self._preparing or (not instance.status() and not self._lost(instance, time.time())):
            if self._closed.wait(0.05):
                return
        if not self._end(instance):
            return
        if instance.status().get("state") != "exited":
            self._clear_up(instance)
        ports = self._given(instance)
        with self._lock:
            self._leaving.add(instance.id)
        self.fence.take(ports)  # as long as it is known nobody else gets its port, which would be taken from them
        instance.remove()
        instance.close()
        with self._lock:
            self._known.pop(instance.id, None)
            self._stopping.discard(instance.id)
            self._leaving.discard(instance.id)
            child = self._children.pop(instance.id, None)
        if child is not None:
            child.wait()
        self._changed(instance.note.space_id if instance.note else "")

    def _drained(self, instance: Instance, drain: float) -> bool:
        """Wait. False if the instance was called back, or if Podium ends: whoever adopts the instance finishes this."""
        called_back, until = self._draining[instance.id], time.monotonic() + drain
        while instance.status().get("state") != "exited" and (left := until - time.monotonic()) > 0:
            if self._closed.is_set() or called_back.wait(min(left, 0.5)):
                return False
        with self._lock:
            self._draining.pop(instance.id, None)
        return not called_back.is_set()

    def _call_back(self, instance_id: str) -> None:
        """Undo a stop that has not ended its drain. Called with the lock."""
        called_back = self._draining.pop(instance_id, None)
        if called_back is not None:
            called_back.set()
            self._known[instance_id].stop_file.unlink(missing_ok=True)
            self._stopping.discard(instance_id)
            self._changed(self._known[instance_id].note.space_id)

    def _end(self, instance: Instance) -> bool:
        """Ask the launcher to end its app, wait, insist. False if Podium ended meanwhile."""
        grace = instance.note.grace if instance.note else self._grace
        ended = instance.end_launcher(signal.SIGTERM, grace + 12.0, self._closed.is_set)
        if not ended and not self._closed.is_set():
            ended = instance.end_launcher(signal.SIGKILL, 5.0, self._closed.is_set)
        return not self._closed.is_set() or ended

    def forget_space(self, space_id: str) -> None:
        if not _SPACE_ID.fullmatch(space_id):
            return
        remove_tree(self._volumes / space_id)
        if self._users:
            self._users.forget(space_id)

    # -- news

    def events(self, space_id: str) -> Sequence[Event]:
        """None: nobody but the instance itself tells of it, and that is in its log."""
        return ()

    def capacity(self) -> tuple[NodeSeen, ...]:
        with self._lock:
            notes = [known.note for known in self._known.values() if known.note]
        return (machine.node({(note.id, note.space_id): note.share for note in notes}),)

    def loads(self) -> dict[str, Load]:
        with self._lock:
            known = {one.id: one for one in self._known.values() if one.note}
        accelerators = load.of_accelerators({name: one.note.share for name, one in known.items()})
        found = {}
        for name, instance in known.items():
            if instance.launcher_alive():
                seconds, memory = load.of_launcher(instance.status())
                own = Load(self._rates.cores(name, seconds), memory)
                found[name] = together((own, accelerators.get(name, Load())))
        self._rates.keep(found)
        return found

    def check(self) -> None:
        """There is nothing between an app and us that could be away."""

    def subscribe(self, changed: Callable[[str], None]) -> None:
        with self._lock:
            if self._bell is None:
                self._bell = Bell(self._instances / ".bell", self.list)
                self.fence.keep(self._closed)
            self._bell.subscribers.append(changed)
            self._bell.start()

    def _changed(self, space_id: str) -> None:
        if self._bell:
            self._bell.rung(space_id)

    def close(self) -> None:
        self._closed.set()
        if self._bell:
            self._bell.close()
