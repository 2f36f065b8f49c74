"""A Space from outside: `App` is what its visitors see, `Space` what its owner does with it through git and the API.
Owns driving; asserts nothing about behaviour beyond that a call succeeded."""

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from tests import processes
from tests.support import GiveUp, Loopback, bearer, eventually, git, names_resolve

if TYPE_CHECKING:
    from tests.podium import Podium

NOT_PUSHED = shutil.ignore_patterns("expect.toml", "check.py", "__pycache__", ".git")
ERRORS = frozenset(["NO_APP_FILE", "CONFIG_ERROR", "BUILD_ERROR", "RUNTIME_ERROR"])
GRACE = 15.0  #: seconds that an error may stay after a push or a command before it is believed


class App:
    """A running app, seen from outside. `url` without a slash at the end; `token` for a private one."""

    def __init__(self, url: str, folder: Path | None = None, token: str = "") -> None:
        self._url, self.folder, self.token = url, folder, token
        self._gradio_clients: list[Any] = []

    @property
    def url(self) -> str:
        return self._url

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def client(self, **options: Any) -> httpx.Client:
        """An HTTP client for the app; follows no redirect by itself."""
        options = {"timeout": 60, "headers": self.headers} | options
        return httpx.Client(base_url=self.url, transport=Loopback(retries=0), **options)

    def gradio(self) -> Any:
        """A new `gradio_client.Client`, which is a new session. Skips the test where its names do not resolve."""
        import pytest

        if self.url.split(":")[1].endswith(".localhost") and not names_resolve():
            pytest.skip(
                "gradio_client resolves names itself and *.localhost does not resolve here: install libnss-myhostname"
            )
        from gradio_client import Client

        client = Client(self.url, token=self.token or False, verbose=False, analytics_enabled=False)
        self._gradio_clients.append(client)
        return client

    def streamlit(self, resume: str = "") -> Any:
        """A new visitor of a Streamlit app, or the one with session id `resume` again."""
        from tests.apps.streamlit_session import StreamlitSession

        parts = urlsplit(self.url)
        return StreamlitSession(self.url, ("127.0.0.1", parts.port or 80), resume, self.headers)

    def close(self) -> None:
        for client in self._gradio_clients:
            client.close()
        self._gradio_clients.clear()


class Space(App):
    """One Space of a running Podium, driven as its owner."""

    def __init__(self, podium: "Podium", owner: str, name: str, token: str, folder: Path | None = None) -> None:
        super().__init__("", folder)
        self.podium, self.owner, self.name, self.owner_token = podium, owner, name, token
        self.work = podium.home / "work" / f"{owner}-{name}"
        self.created = False

    @property
    def id(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def url(self) -> str:
        if not self._url:
            self._url = self.api("GET").json()["host"].rstrip("/")
        return self._url

    def api(self, method: str, path: str = "", json: object = None, token: str | None = None) -> httpx.Response:
        """A call to `/api/spaces/{id}{path}`. Raises AssertionError with the body unless it succeeds."""
        answer = self.podium.request(method, f"/api/spaces/{self.id}{path}", json, token or self.owner_token)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def create(self, sdk: str = "gradio", private: bool = False) -> "Space":
        body = {"name": self.name, "organization": self.owner, "type": "space", "sdk": sdk, "private": private}
        answer = self.podium.request("POST", "/api/repos/create", body, self.owner_token)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        self.created = True
        return self

    def push(
        self, folder: Path | None = None, files: dict[str, str | bytes | None] | None = None, message: str = "Change"
    ) -> str:
        """Commit `folder` (default: only what is there already) with `files` written over it (None deletes) and push it
        to main with git. Returns the commit id. Raises AssertionError with git's words if the push is refused."""
        if not (self.work / ".git").is_dir():
            self.work.mkdir(parents=True, exist_ok=True)
            git(self.work, "init", "-q", "-b", "main")
            git(self.work, "remote", "add", "origin", self.remote())
        if folder is not None:
            self.folder = folder
            for old in self.work.iterdir():
                if old.name != ".git":
                    shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            shutil.copytree(folder, self.work, symlinks=True, dirs_exist_ok=True, ignore=NOT_PUSHED)
        for path, content in (files or {}).items():
            target = self.work / path
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        git(self.work, "add", "--all", "--force")
        git(self.work, "commit", "-q", "--allow-empty", "-m", message)
        # A Space made through the API has a first commit of its own, which the folder replaces.
        git(self.work, "push", "-q", *(["--force"] if self.created else []), "origin", "main")
        self.created = False
        return git(self.work, "rev-parse", "HEAD").strip()

    def remote(self, token: str | None = None) -> str:
        return f"http://{self.owner}:{token or self.owner_token}@localhost:{self.podium.port}/spaces/{self.id}"

    def runtime(self) -> dict:
        return self.api("GET", "/runtime").json()

    def stage(self) -> str:
        return self.runtime()["stage"]

    def wait(self, *stages: str, timeout: float = 240, replaced: set[int] = frozenset()) -> dict:  # type: ignore[assignment]
        """The runtime once its stage is one of `stages` and no process of `replaced` is left. Gives up at once, with the
        reason and the logs, when it ends in an error that is not wanted and stays there."""
        wrong_since: float | None = None

        def arrived() -> dict | None:
            nonlocal wrong_since
            now = self.runtime()
            if now["stage"] in stages and not (replaced & self.pids()):
                return now
            ended = now["stage"] in ERRORS - set(stages)
            wrong_since = (wrong_since or time.monotonic()) if ended else None
            if wrong_since and time.monotonic() - wrong_since > GRACE:
                raise GiveUp(
                    f"{self.id} is {now['stage']}, not {' or '.join(stages)}: {now.get('errorMessage')}{self._last_words()}"
                )
            return None

        try:
            return eventually(arrived, timeout, f"{self.id} becoming {' or '.join(stages)}", every=0.25)
        except AssertionError as error:
            raise AssertionError(f"{error}\nruntime: {self.runtime()}{self._last_words()}") from None

    def _last_words(self) -> str:
        parts = []
        for kind in ("build", "run"):
            lines = self.logs(kind)[-25:]
            parts.append(f"\n--- {kind} log\n" + "\n".join(lines))
        return "".join(parts)

    def logs(self, kind: str) -> list[str]:
        """The lines of the build or run log so far (the stream is server-sent events that may go on)."""
        lines: list[str] = []
        url = f"/api/spaces/{self.id}/logs/{kind}"
        try:
            with self.podium.http.stream(
                "GET", url, headers=bearer(self.owner_token), timeout=httpx.Timeout(10, read=1.5)
            ) as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: {"):
                        lines.append(json.loads(line[6:])["data"].rstrip("\n"))
        except httpx.ReadTimeout:
            pass  # no more lines for now
        return lines

    def files(self) -> list[str]:
        return [
            entry["path"] for entry in self.api("GET", "/tree/main?recursive=true").json() if entry["type"] == "file"
        ]

    def secret(self, key: str, value: str) -> None:
        self.api("POST", "/secrets", {"key": key, "value": value})

    def variable(self, key: str, value: str) -> None:
        self.api("POST", "/variables", {"key": key, "value": value})

    def restart(self, factory: bool = False) -> None:
        self.api("POST", "/restart" + ("?factory=true" if factory else ""))

    def pause(self) -> None:
        self.api("POST", "/pause")

    def sleep_after(self, seconds: int) -> None:
        self.api("POST", "/sleeptime", {"seconds": seconds})

    def delete(self) -> None:
        body = {"name": self.name, "organization": self.owner, "type": "space"}
        answer = self.podium.request("DELETE", "/api/repos/delete", body, self.owner_token)
        assert answer.status_code == 200, answer.text

    def pids(self) -> set[int]:
        """Its processes. Owner names are unique per Podium, so none of another test's."""
        return processes.of_space(self.id)
