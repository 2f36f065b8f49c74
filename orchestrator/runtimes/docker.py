"""The `Runtime` port on a Docker engine on this machine: each instance is a container of its own.

Owns: creating, stopping and finding containers again, their directories and volumes, and telling who changed. What a container
is made of is in `container.py`, its log in `follow.py`. The engine outlives Podium: after a restart the labels tell everything.
Does not decide when to launch or stop, and reads no setting."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.domain.load import Load, together
from orchestrator.domain.seen import Event, Fault, InstanceSeen, InstanceState, NodeSeen
from orchestrator.errors import Unavailable
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import container, hints, load, look, machine
from orchestrator.runtimes.container import Note
from orchestrator.runtimes.docker_engine import Engine
from orchestrator.runtimes.docker_known import Known
from orchestrator.runtimes.follow import Follower
from orchestrator.runtimes.instance import remove_tree
from orchestrator.runtimes.news import News

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SPACE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class DockerRuntime:
    """`owner` tells this Podium's containers from those of others on the same engine. `runtime`: the engine's name of another
    OCI runtime (runsc); `login`: user and password for a registry's host, as the engine takes them. Raises Unavailable when
    the engine does not answer."""

    single = "apps are containers of one Docker engine here"

    def __init__(
        self, data: Path, owner: str, runtime: str = "", grace: float = 10.0, log_limit: int = 10 * 1024**2,
        login: Callable[[str], dict[str, str]] | None = None,
    ) -> None:  # fmt: skip
        self._data = Path(data).resolve()
        self._places, self._volumes = self._data / "containers", self._data / "volumes"
        self._logs = self._data / "logs" / "run"
        for directory in (self._places, self._volumes, self._logs):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o700)
        self._grace, self._log_limit = grace, log_limit
        self._engine = Engine(owner, container.LABEL, runtime, login)
        self._known: dict[str, Known] = {}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._rates = load.Rates()
        self._news = News(self.list, self._tick, self._sync)
        self._engine.make_network()
        self._sync()
        self._news.start()
        threading.Thread(target=self._listen, name="docker-events", daemon=True).start()

    # -- launch

    def launch(self, spec: LaunchSpec) -> None:
        if not _ID.fullmatch(spec.instance_id) or not _SPACE_ID.fullmatch(spec.space_id):
            raise ValueError(f"not an instance: {spec.instance_id!r} of {spec.space_id!r}")
        with self._lock:
            if known := self._known.get(spec.instance_id):
                return self._call_back(known)
        by_digest = "@" in spec.image.reference  # in a registry: had from there when it is needed
        if not by_digest and not (spec.image.reference and self._engine.has_image(spec.image.reference)):
            raise Unavailable(f"the image is gone: {spec.image.reference or spec.image.id}")
        with self._lock:
            if spec.instance_id in self._known:
                return
            share = machine.share_of(spec.hardware, (one.note.share for one in self._known.values()))
            note = container.note_of(spec, self._grace, time.time(), share)
            known = Known(note, self._name(note.id), self._status(note), preparing=True)
            self._known[note.id] = known
        threading.Thread(target=self._start, args=(known, spec), name=f"launch-{note.id}", daemon=True).start()

    def _start(self, known: Known, spec: LaunchSpec) -> None:
        """The slow part of `launch`."""
        note = known.note
        try:
            place, volume = self._places / note.id, self._volumes / note.space_id
            for directory in (place, volume):
                container.give(directory)
            self._engine.wait_for_image(spec.image.reference, lambda why: self._hold(known, why))
            binds = [f"{place}:{container.STATUS}:rw", f"{volume}:/data:rw"]
            with suppress(FileExistsError):  # an earlier attempt of ours made it and never heard so
                self._engine.create(
                    known.name, spec.image.reference, container.environment(spec, self._grace, note.share),
                    note.labels(self._engine.owner), binds, spec.hardware, note.share,
                    container.limits(spec.hardware, spec.image),
                )  # fmt: skip
            self._engine.start(known.name)
        except (Unavailable, LookupError, OSError) as problem:
            known.failed = f"Podium could not start the app: {problem}"
        finally:
            known.preparing = False
        self._refresh(known)
        self._news.ring()

    def _hold(self, known: Known, why: str) -> bool:
        """Note what an instance waits for. False when it is to stop."""
        known.seen = {"reason": why}
        self._news.ring()
        return not (known.stopping or self._closed.is_set())

    def _name(self, instance_id: str) -> str:
        return f"{self._engine.network}-{instance_id}"

    def _status(self, note: Note) -> Callable[[], dict]:
        return container.Status(self._places / note.id) if note.launcher else dict

    # -- what the engine says

    def _sync(self) -> None:
        """Look at all containers: adopt what is new to us, notice what is gone."""
        found = {about["Name"].lstrip("/"): about for about in self._engine.containers()}
        for name, about in found.items():
            note = container.read_note(about["Config"].get("Labels") or {})
            if note is None or not _ID.fullmatch(note.id) or name != self._name(note.id):
                continue
            with self._lock:
                known = self._known.setdefault(note.id, Known(note, name, self._status(note)))
            self._take(known, about)
            if self._stop_file(note.id).exists() and not known.stopping:
                self.stop(note.id)
        for known in list(self._known.values()):
            if known.name not in found and not known.preparing and not known.failed:
                self._refresh(known)
        for place in self._places.iterdir():
            if place.is_dir() and place.name not in self._known:
                remove_tree(place)

    def _refresh(self, known: Known) -> None:
        """Ask about one container. What the engine does not answer now is asked again later."""
        with suppress(Unavailable):
            about = self._engine.inspect(known.name)
            if about is not None:
                self._take(known, about)
            elif known.state or not (known.preparing or known.failed):
                known.state = {"Status": "gone"}

    def _take(self, known: Known, about: dict) -> None:
        networks = (about.get("NetworkSettings") or {}).get("Networks") or {}
        address = next((one["IPAddress"] for one in networks.values() if one.get("IPAddress")), "")
        with self._lock:
            known.take(about["State"])
            known.address = f"{address}:{known.note.port}" if address else ""
            known.ready_at = known.ready_at or self._kept_ready(known)
            begun = known.state.get("StartedAt", "0001")[:4] != "0001"
            new = begun and known.follower is None
            if new:
                known.follower = self._follower(known)
        if new:
            known.follower.start()
            if not known.note.launcher and known.ready_at is None and known.state.get("Running"):
                threading.Thread(target=self._probe, args=(known,), name=f"look-{known.note.id}", daemon=True).start()

    def _follower(self, known: Known) -> Follower:
        def running() -> bool:
            if known.state.get("Running"):
                self._refresh(known)
            return bool(known.state.get("Running"))

        def ending() -> str:
            told = known.status().get("state") == "exited"  # then the launcher has said it
            self._news.ring()
            return "" if told else "stopped" if known.stopping else known.why(known.status()).message

        path = self._logs / f"{known.note.id}.log"
        return Follower(path, self._log_limit, lambda since: self._engine.output(known.name, since), running, ending)

    def _probe(self, known: Known) -> None:
        """Until an author's own image answers."""
        pause, asked = 0.05, 0
        while known.ready_at is None and known.state.get("Running") and not self._closed.wait(pause):
            host, _, port = known.address.rpartition(":")
            ready, reason = look.answer(host, int(port), known.note.ready_path) if host else (False, "")
            asked += 1
            if ready:
                known.seen, known.ready_at = {}, time.time()
                self._ready_file(known.note.id).write_text(str(known.ready_at))
            elif reason or asked * pause > 3.0:
                elsewhere = [] if reason else look.listening(known.state.get("Pid", 0))
                known.seen = {"reason": reason, "listening_elsewhere": elsewhere, "port": known.note.port}
            self._news.ring()
            pause = min(0.25, pause * 1.1)

    def _kept_ready(self, known: Known) -> float | None:
        try:
            return float(self._ready_file(known.note.id).read_text())
        except (OSError, ValueError):
            return None

    def _ready_file(self, instance_id: str) -> Path:
        return self._places / f"{instance_id}.ready"

    def _stop_file(self, instance_id: str) -> Path:
        return self._places / f"{instance_id}.stop"

    # -- list

    def list(self, space_id: str | None = None) -> list[InstanceSeen]:
        with self._lock:
            known = [one for one in self._known.values() if space_id is None or one.note.space_id == space_id]
        return [self._see(one) for one in known]

    def _see(self, known: Known) -> InstanceSeen:
        note, status = known.note, known.status()
        ready_at = status.get("ready_at") if note.launcher else known.ready_at
        fault: Fault | None = None
        if known.failed:
            state, fault = InstanceState.EXITED, Fault("APP_EXITED", known.failed)
        elif known.has_ended(status):
            state, fault = InstanceState.EXITED, known.why(status)
        elif ready_at is not None:
            state = InstanceState.READY
        else:
            state, fault = InstanceState.STARTING, hints.starting(status or known.seen, note.port)
            if fault is None and time.time() >= note.started_at + note.startup_timeout:
                fault = hints.too_late(note.startup_timeout, note.port)
        if known.stopping:
            state = InstanceState.STOPPING
        return InstanceSeen(
            note.id, note.space_id, note.launch_key, state, note.started_at, ready_at,
            known.address if ready_at else "", fault, note.startup_timeout, known.called_back is not None,
            hardware=note.share.hardware, placed_at=note.started_at, begun_at=known.begun_at,
        )  # fmt: skip

    # -- stop

    def stop(self, instance_id: str, drain: float = 0.0) -> None:
        with self._lock:
            known = self._known.get(instance_id)
            if known is None or known.stopping:
                return
            known.stopping = True
            known.called_back = threading.Event() if drain else None
            with suppress(OSError):  # a full disk: the reconciler repeats the wish after a restart
                self._stop_file(instance_id).touch()
        threading.Thread(target=self._stop, args=(known, drain), name=f"stop-{instance_id}", daemon=True).start()

    def _stop(self, known: Known, drain: float) -> None:
        if known.called_back and not self._drained(known, known.called_back, drain):
            return
        while known.preparing and not self._closed.wait(0.05):
            pass
        while not self._closed.is_set():
            try:
                self._engine.stop(known.name, known.note.grace + (5.0 if known.note.launcher else 0.0))
                self._refresh(known)
                if known.follower:
                    known.follower.join(3.0)
                self._engine.remove(known.name)
                break
            except Unavailable:
                self._closed.wait(1.0)
        else:
            return  # whoever adopts it finishes this
        remove_tree(self._places / known.note.id)
        for file in (self._ready_file(known.note.id), self._stop_file(known.note.id)):
            file.unlink(missing_ok=True)
        with self._lock:
            self._known.pop(known.note.id, None)
        self._news.ring()

    def _drained(self, known: Known, called_back: threading.Event, drain: float) -> bool:
        """Wait. False if the instance was called back, or if Podium ends."""
        until = time.monotonic() + drain
        while known.state.get("Running") and (left := until - time.monotonic()) > 0:
            if self._closed.is_set() or called_back.wait(min(left, 0.5)):
                return False
        with self._lock:
            known.called_back = None
        return not called_back.is_set()

    def _call_back(self, known: Known) -> None:
        """Undo a stop that has not ended its drain. Called with the lock."""
        if known.called_back is not None:
            known.called_back.set()
            known.called_back, known.stopping = None, False
            self._stop_file(known.note.id).unlink(missing_ok=True)
            self._news.ring()

    def forget_space(self, space_id: str) -> None:
        if _SPACE_ID.fullmatch(space_id):
            remove_tree(self._volumes / space_id)

    # -- news

    def events(self, space_id: str) -> Sequence[Event]:
        """None: the engine keeps what it tells of only a short while, and it is no more than the runs say."""
        return ()

    def capacity(self) -> tuple[NodeSeen, ...]:
        notes = [known.note for known in list(self._known.values())]
        return (machine.node({(note.id, note.space_id): note.share for note in notes}),)

    def loads(self) -> dict[str, Load]:
        with self._lock:
            known = {one.note.id: one for one in self._known.values() if one.state.get("Running")}
        accelerators = load.of_accelerators({name: one.note.share for name, one in known.items()})
        found = {}
        for name, one in known.items():
            stats = self._engine.stats(one.name)
            if stats is not None:
                seconds, memory = load.of_container(stats)
                own = Load(self._rates.cores(name, seconds), memory)
                found[name] = together((own, accelerators.get(name, Load())))
        self._rates.keep(found)
        return found

    def check(self) -> None:
        self._engine.ping()

    def subscribe(self, changed: Callable[[str], None]) -> None:
        self._news.subscribers.append(changed)

    def _listen(self) -> None:
        """Follow the engine's events; after each break look at everything again."""
        while not self._closed.is_set():
            try:
                for event in self._engine.events():
                    if self._closed.is_set():
                        return
                    name = (event.get("Actor") or {}).get("Attributes", {}).get("name", "")
                    known = next((one for one in list(self._known.values()) if one.name == name), None)
                    if known and event.get("Action") in ("start", "die", "oom", "destroy"):
                        self._refresh(known)
                        self._news.ring()
            except Unavailable:
                pass
            self._closed.wait(1.0)

    def _tick(self) -> None:
        for known in list(self._known.values()):
            if known.follower:
                known.follower.tick()

    def close(self) -> None:
        self._closed.set()
        self._news.close()
        for known in list(self._known.values()):
            if known.follower:
                known.follower.close()
        self._engine.close()
