"""A registry of one's own as tests need it: the real program on a free port, with passwords where wanted, ended and emptied
afterwards; and a proxy before it that breaks what passes. Owns no Podium."""

import base64
import json
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import httpx

from tests.support import eventually, free_port

PROGRAM = next(filter(None, map(shutil.which, ("docker-registry", "registry"))), "")
_SECRET = "$2b$04$yG9nccTUhIn4uHHbMmYcv.TWuNnAvZghMqQU2K/J1r1IkASCjC7SS"  #: bcrypt of `secret`
_CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}, delete: {{enabled: {delete}}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}"""

_KINDS = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
_ACCEPT = {"Accept": ", ".join(_KINDS)}


def trouble() -> str:
    """Why tests cannot have a registry here, "" when they can."""
    return "" if PROGRAM else "needs the program docker-registry"


class Registry:
    """`user`: with this name and the password `secret`. Its place is `localhost:<port>`."""

    def __init__(self, folder: Path, user: str = "", delete: bool = True) -> None:
        self.folder, self.port = folder, free_port()
        self.host = f"localhost:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        auth = ""
        if user:
            (folder / "users").write_text(f"{user}:{_SECRET}\n")
            auth = f"auth: {{htpasswd: {{realm: tests, path: {folder}/users}}}}\n"
        text = _CONFIG.format(folder=folder, port=self.port, delete=str(delete).lower(), auth=auth)
        (folder / "registry.yml").write_text(text)
        self._process: subprocess.Popen | None = None

    def start(self) -> "Registry":
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "serve", str(self.folder / "registry.yml")], stdout=log, stderr=log
            )
        eventually(lambda: httpx.get(f"http://127.0.0.1:{self.port}/v2/").status_code in (200, 401))
        return self

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def manifest(self, repository: str, which: str) -> dict:
        url = f"http://127.0.0.1:{self.port}/v2/{repository}/manifests/{which}"
        return httpx.get(url, headers=_ACCEPT).raise_for_status().json()

    def config(self, repository: str, which: str) -> dict:
        digest = self.manifest(repository, which)["config"]["digest"]
        return httpx.get(f"http://127.0.0.1:{self.port}/v2/{repository}/blobs/{digest}").raise_for_status().json()

    def tags(self, repository: str) -> list[str]:
        answer = httpx.get(f"http://127.0.0.1:{self.port}/v2/{repository}/tags/list")
        return (answer.json().get("tags") or []) if answer.status_code == 200 else []

    def digest(self, repository: str, tag: str) -> str:
        url = f"http://127.0.0.1:{self.port}/v2/{repository}/manifests/{tag}"
        return httpx.head(url, headers=_ACCEPT).raise_for_status().headers["docker-content-digest"]

    def remove(self, repository: str, digest: str) -> None:
        httpx.delete(f"http://127.0.0.1:{self.port}/v2/{repository}/manifests/{digest}").raise_for_status()

    def lose(self, digest: str) -> None:
        """Forget a blob, as a collection of garbage at the wrong moment does."""
        kind, _, word = digest.partition(":")
        root = self.folder / "blobs" / "docker" / "registry" / "v2"
        shutil.rmtree(root / "blobs" / kind / word[:2] / word)
        for link in root.glob(f"repositories/**/_layers/{kind}/{word}"):
            shutil.rmtree(link)


def login(folder: Path, host: str, user: str, password: str = "secret") -> Path:
    """A file with passwords as Docker writes it."""
    place = folder / "login.json"
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    place.write_text(json.dumps({"auths": {host: {"auth": word}}}))
    return place


class Breaker:
    """Passes TCP on to a port until it is told otherwise. `mode`: pass, reset (connections break after `after` bytes from the
    client), error (an HTTP 503 for each request), hang (says nothing). `times`: how often, -1 always."""

    def __init__(self, port: int) -> None:
        self._target, self.mode, self.after, self.times = port, "pass", 0, -1
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.host = f"localhost:{self.port}"
        self.met = 0  #: connections that were broken
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, mode: str, after: int = 0, times: int = -1) -> None:
        """From the next connection on; those that are open are closed."""
        self.mode, self.after, self.times, self.met = mode, after, times, 0
        for one in self._open:
            _close(one)
        self._open.clear()

    def close(self) -> None:
        self.fail("pass")
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._open.append(client)
            mode = self.mode if self.times else "pass"
            if mode != "pass":
                self.times -= self.times > 0
                self.met += 1
            threading.Thread(target=self._serve, args=(client, mode), daemon=True).start()

    def _serve(self, client: socket.socket, mode: str) -> None:
        try:
            if mode == "error":
                client.recv(1 << 16)
                client.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            elif mode == "hang":
                while client.recv(1 << 16):
                    pass
            else:
                self._pass(client, self.after if mode == "reset" else -1)
        except OSError:
            pass
        finally:
            _close(client)

    def _pass(self, client: socket.socket, limit: int) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            _copy(client, server, limit)


def _copy(source: socket.socket, target: socket.socket, limit: int = -1) -> None:
    sent = 0
    try:
        while data := source.recv(1 << 14):
            if 0 <= limit < (sent := sent + len(data)):
                source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                break
            target.sendall(data)
    except OSError:
        pass
    finally:
        _close(target)
        _close(source)


def _close(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()
