"""The door to the `docker` SDK: the calls that the runtime needs, with its exceptions translated. Knows no Space."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig, Ulimit
from requests.exceptions import RequestException

from orchestrator.domain.hardware import Hardware
from orchestrator.errors import Unavailable
from orchestrator.runtimes.machine import NVIDIA, Share, devices

log = logging.getLogger("podium.docker")
_TIMEOUT = 30.0  #: seconds that the engine may take to answer
_SILENCE = 120.0  #: seconds that a pull may say nothing
_BROKEN = (DockerException, RequestException, OSError)


class Engine:
    """One Docker engine. All methods raise Unavailable when it does not answer or refuses."""

    def __init__(
        self, owner: str, label: str, runtime: str = "", login: Callable[[str], dict[str, str]] | None = None
    ) -> None:
        self.owner, self.label, self.runtime, self._login = owner, label, runtime, login
        self.network = f"podium-{owner}"
        self._api = docker.APIClient(**docker.utils.kwargs_from_env(), version="1.41", timeout=_TIMEOUT)

    def ping(self) -> None:
        self._call(self._api.ping)

    def has_image(self, reference: str) -> bool:
        try:
            self._call(self._api.inspect_image, reference)
            return True
        except LookupError:
            return False

    def wait_for_image(self, reference: str, hold: Callable[[str], bool]) -> None:
        """Have an image here, however long its registry is away: `hold(why)` says whether to try once more. Raises LookupError
        when there is no such image, Unavailable when it is not waited for."""
        pause = 0.5
        while True:
            try:
                return self._ensure_image(reference)
            except Unavailable as problem:
                if not hold(str(problem)):
                    raise
            time.sleep(pause)
            pause = min(5.0, pause * 2)

    def _ensure_image(self, reference: str) -> None:
        """Have an image of a registry here. Raises LookupError when the registry has none of this digest."""
        if "@" not in reference or self.has_image(reference):
            return
        name, _, digest = reference.partition("@")
        try:
            login = self._login(name.partition("/")[0]) if self._login else {}
        except ValueError as error:
            raise Unavailable(f"{error}; see PODIUM_REGISTRY_CONFIG") from None
        lines: queue.Queue = queue.Queue()
        threading.Thread(target=self._pull, args=(name, digest, login, lines), name="docker-pull", daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=_SILENCE)
            except queue.Empty:
                raise Unavailable(f"the registry sends nothing of {name}") from None
            if line is None:
                return
            if isinstance(line, Exception):
                raise line
            if why := line.get("error"):
                gone = "manifest unknown" in why or "not found" in why
                raise (LookupError if gone else Unavailable)(f"the image cannot be had: {why[:300]}")

    def _pull(self, name: str, digest: str, login: Mapping[str, str], lines: queue.Queue) -> None:
        """What the engine says while it pulls, then None; the engine itself waits for a silent registry for ever."""
        try:
            for line in self._call(
                self._api.pull, name, digest, stream=True, decode=True, auth_config=dict(login) or None
            ):
                lines.put(line)
            lines.put(None)
        except (LookupError, Unavailable) as error:
            lines.put(type(error)(f"the image cannot be had: {error}"))
        except (*_BROKEN, ValueError) as error:
            lines.put(Unavailable(f"pulling the image broke off: {type(error).__name__}"))

    def make_network(self) -> None:
        """The network of this Podium's apps: they reach the outside, not each other. Present: nothing."""
        found = self._call(self._api.networks, names=[self.network])
        if any(one["Name"] == self.network for one in found):
            return
        options = {"com.docker.network.bridge.enable_icc": "false"}
        try:
            self._call(
                self._api.create_network, self.network, "bridge", options=options, check_duplicate=True,
                labels={self.label: self.owner},
            )  # fmt: skip
        except FileExistsError:
            pass

    def remove_network(self) -> None:
        try:
            self._call(self._api.remove_network, self.network)
        except LookupError:
            pass

    def create(
        self, name: str, image: str, env: Mapping[str, str], labels: Mapping[str, str], binds: list[str],
        hardware: Hardware, share: Share, limits: Mapping[str, object],
    ) -> str:  # fmt: skip
        """A container that is not started yet. Raises FileExistsError when the name is taken, LookupError without image."""
        nvidia = [str(number) for number in share.gpus] if share.resource == NVIDIA else []
        gpus = [DeviceRequest(device_ids=nvidia, capabilities=[["gpu"]])] if nvidia else []
        nodes = [] if nvidia else [f"{device}:{device}:rw" for device in devices(share)]
        host = self._api.create_host_config(
            binds=binds, network_mode=self.network, device_requests=gpus or None, devices=nodes or None,
            runtime=self.runtime or None,
            log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
            ulimits=[
                Ulimit(name="nofile", soft=hardware.files, hard=hardware.files), Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="fsize", soft=hardware.disk, hard=hardware.disk),
            ],
            **limits,
        )  # fmt: skip
        made = self._call(
            self._api.create_container, image, name=name, user="1000:1000", environment=dict(env), labels=dict(labels),
            hostname="app", host_config=host, stop_signal="SIGTERM",
        )  # fmt: skip
        return made["Id"]

    def start(self, container: str) -> None:
        self._call(self._api.start, container)

    def stop(self, container: str, grace: float) -> None:
        """Ask it to end, insist after `grace` seconds. Returns when it has ended. Absent: nothing."""
        try:
            self._call(self._api.stop, container, timeout=max(1, round(grace)))
        except LookupError:
            pass

    def remove(self, container: str) -> None:
        """Take it away, running or not. Absent: nothing."""
        try:
            self._call(self._api.remove_container, container, force=True, v=True)
        except (LookupError, FileExistsError):
            pass  # 409: it is being removed already

    def inspect(self, container: str) -> dict | None:
        try:
            return self._call(self._api.inspect_container, container)
        except LookupError:
            return None

    def containers(self) -> list[dict]:
        """All of this Podium, dead ones too, as `inspect` tells them."""
        rows = self._call(self._api.containers, all=True, filters={"label": [f"{self.label}={self.owner}"]})
        return [found for row in rows if (found := self.inspect(row["Id"]))]

    def stats(self, container: str) -> dict | None:
        """What it uses, in one look; None when it is gone."""
        try:
            return self._call(self._api.stats, container, stream=False, one_shot=True)
        except LookupError:
            return None

    def output(self, container: str, since: float) -> Iterator[bytes]:
        """What it writes from `since` on, until it ends."""
        return self._call(self._api.logs, container, stream=True, follow=True, since=since or None)

    def events(self) -> Iterator[dict]:
        """What happens to this Podium's containers from now on. Ends or raises Unavailable when the engine goes."""
        filters = {"type": "container", "label": [f"{self.label}={self.owner}"]}
        stream = self._call(self._api.events, decode=True, filters=filters)
        try:
            yield from stream
        except (*_BROKEN, ValueError) as error:
            raise Unavailable(f"the Docker engine's events broke off: {type(error).__name__}") from None

    def close(self) -> None:
        self._api.close()

    def _call(self, method, *words, **options):
        try:
            return method(*words, **options)
        except (NotFound, ImageNotFound) as error:
            raise LookupError(str(error.explanation)) from None
        except APIError as error:
            if error.status_code == 409:
                raise FileExistsError(str(error.explanation)) from None
            log.info("docker: %s", error)
            raise Unavailable(f"the Docker engine refuses: {str(error.explanation)[:300]}") from None
        except _BROKEN as error:
            raise Unavailable(f"the Docker engine does not answer ({type(error).__name__})") from None
