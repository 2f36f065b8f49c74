"""The door to the `kubernetes` client: the few requests that the runtime makes, on plain JSON, each with a deadline, and its
exceptions translated. Knows no Space. The client's typed calls and its own watch are not used: they have no deadlines of
their own, and take many times as long to read an object."""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from urllib.parse import quote

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from orchestrator.errors import Unavailable

log = logging.getLogger("podium.kubernetes")
CONNECT, ANSWER = 3.0, 15.0  #: seconds until there is a connection, until a request is answered
SLACK = 10.0  #: seconds beyond its length after which a silent watch is broken
_SULK = 3.0  #: seconds for which nothing is asked after an answer that never came
_ANSWER_LIMIT = 256 * 1024**2
_LINE_LIMIT = 16 * 1024**2
_BLOCK = 64 * 1024
_BROKEN = (client.ApiException, config.ConfigException, HTTPError, OSError, ValueError)
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_MERGE = "application/merge-patch+json"
_GROUPS = {"deployments": "/apis/apps/v1", "nodes": ""}


class Gone(Exception):
    """What was to be continued is too old to be: list again."""


class Refused(Unavailable):
    """The cluster understood and will not; asking again does not help by itself."""


class Cluster:
    """One namespace of one cluster. `kubeconfig` "": the service account of the pod that this runs in, else what kubectl uses.
    Raises Unavailable when it cannot be told where the cluster is. Absent things raise LookupError, and present ones
    FileExistsError."""

    def __init__(self, namespace: str, kubeconfig: str = "", context: str = "") -> None:
        self.namespace = namespace
        settings = client.Configuration()
        try:
            if not kubeconfig and os.path.exists(_SERVICE_ACCOUNT):
                config.load_incluster_config(client_configuration=settings)
            else:
                config.load_kube_config(kubeconfig or None, context or None, client_configuration=settings)
        except (*_BROKEN, TypeError, KeyError) as error:
            raise Unavailable(f"no way to a Kubernetes cluster: {str(error)[:300]}") from None
        settings.retries = False  # whoever asks decides about asking again
        settings.connection_pool_maxsize = 32
        self._api = client.ApiClient(settings)
        self._sulk_until = 0.0
        self._streams: set = set()
        self._lock = threading.Lock()

    # -- one answer

    def get(self, kind: str, name: str) -> dict:
        return self._ask("GET", self._path(kind, name))

    def create(self, kind: str, manifest: Mapping) -> dict:
        return self._ask("POST", self._path(kind), body=manifest)

    def patch(self, kind: str, name: str, change: Mapping) -> dict:
        return self._ask("PATCH", self._path(kind, name), body=change)

    def delete(self, kind: str, name: str, uid: str = "", grace: int | None = None, wait: bool = False) -> dict:
        """Absent, or another of the same name when there is a `uid`: {}. `wait`: what it owns goes first; it is returned as it
        is until then."""
        options: dict = {"propagationPolicy": "Foreground" if wait else "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        with suppress(LookupError, FileExistsError):
            return self._ask("DELETE", self._path(kind, name), body=options)
        return {}

    def page(self, kind: str, selectors: Mapping[str, str], more: str = "") -> dict:
        """Some of all objects of a kind; `more` is the answer's `metadata.continue`. Raises Gone when that is too old."""
        query = [("limit", "500"), *selectors.items()]
        return self._ask("GET", self._path(kind), [*query, ("continue", more)] if more else query)

    def metrics(self, labels: str) -> list[dict]:
        """What pods with these labels use, as metrics.k8s.io tells it. Raises LookupError in a cluster without."""
        place = f"/apis/metrics.k8s.io/v1beta1/namespaces/{quote(self.namespace, safe='')}/pods"
        found = self._ask("GET", place, [("labelSelector", labels)]).get("items")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    # -- an answer that goes on

    def watch(self, kind: str, selectors: Mapping[str, str], version: str, seconds: float) -> Iterator[list[bytes]]:
        """Lines, one change each, as they come, for `seconds`; one that says nothing for longer is broken. Raises Gone."""
        query = [
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", version),
            ("timeoutSeconds", str(max(1, round(seconds)))), *selectors.items(),
        ]  # fmt: skip
        yield from _lines(self._stream(self._path(kind), query, seconds + SLACK))

    def log(self, pod: str, since: str = "", previous: bool = False, seconds: float = 300.0) -> Iterator[list[bytes]]:
        """Lines of its container with their times, from about `since` on (RFC 3339), while they come. Ends when the container
        does, or after `seconds` of silence."""
        query = [("container", "app"), ("timestamps", "true"), ("previous" if previous else "follow", "true")]
        if since:
            query.append(("sinceTime", since))
        yield from _lines(self._stream(self._path("pods", pod) + "/log", query, seconds))

    def close(self) -> None:
        """Wakes whoever reads."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            with suppress(Exception):
                stream.shutdown()

    # -- how

    def _path(self, kind: str, name: str = "") -> str:
        place = "/api/v1/nodes" if kind == "nodes" else (
            f"{_GROUPS.get(kind, '/api/v1')}/namespaces/{quote(self.namespace, safe='')}/{kind}"
        )  # fmt: skip
        return f"{place}/{quote(name, safe='')}" if name else place

    def _ask(self, method: str, path: str, query: Sequence[tuple[str, str]] = (), body: Mapping | None = None) -> dict:
        if time.monotonic() < self._sulk_until:
            raise Unavailable("Kubernetes does not answer")
        until = time.monotonic() + ANSWER
        try:
            answer = self._send(method, path, query, body, ANSWER)
            try:
                text = _read(answer, until)
            except BaseException:
                answer.close()  # what is left of it must not be taken for the next answer
                raise
            answer.release_conn()
            found = _object(text, answer.status)
        except _BROKEN as error:
            self._sulk_until = time.monotonic() + _SULK
            raise Unavailable(f"Kubernetes does not answer ({type(error).__name__})") from None
        if answer.status >= 300:
            raise _problem(answer.status, found)
        return found

    def _stream(self, path: str, query: Sequence[tuple[str, str]], silence: float) -> Iterator[bytes]:
        try:
            answer = self._send("GET", path, query, None, silence)
        except _BROKEN as error:
            raise Unavailable(f"Kubernetes does not answer ({type(error).__name__})") from None
        with self._lock:
            self._streams.add(answer)
        try:
            if answer.status >= 300:
                text = _read(answer, time.monotonic() + ANSWER)
                raise _problem(answer.status, json.loads(text))
            while block := answer.read1(_BLOCK):
                yield block
        except _BROKEN as error:
            raise Unavailable(f"Kubernetes broke off ({type(error).__name__})") from None
        finally:
            with self._lock:
                self._streams.discard(answer)
            answer.close()

    def _send(self, method: str, path: str, query: Sequence[tuple[str, str]], body: Mapping | None, silence: float):
        """The answer with its head read."""
        headers = {"Accept": "application/json", "User-Agent": "podium"}
        if body is not None:
            headers["Content-Type"] = _MERGE if method == "PATCH" else "application/json"
        url, headers = self._addressed(method, path, query, headers)
        return self._api.rest_client.request(
            method, url, headers=headers, body=body, _request_timeout=(CONNECT, silence)
        ).response  # fmt: skip

    def _addressed(self, method: str, path: str, query, headers: dict) -> tuple[str, dict]:
        """URL and headers, with who we are: a service account's token is renewed on the way."""
        made = self._api.param_serialize(
            method, path, query_params=list(query), header_params=headers, auth_settings=["BearerToken"]
        )  # fmt: skip
        return made[1], made[2]


def _read(answer, until: float) -> bytes:
    """The rest of an answer. Raises TimeoutError when it drips too slowly, ValueError when it is too large."""
    blocks, size = [], 0
    while block := answer.read1(_BLOCK):
        blocks.append(block)
        size += len(block)
        if time.monotonic() > until:
            raise TimeoutError
        if size > _ANSWER_LIMIT:
            raise ValueError("too large")
    return b"".join(blocks)


def _object(text: bytes, status: int) -> dict:
    """Raises ValueError for what is no JSON; Unavailable when such words say no. So an API server that lives answers for a group
    that it does not have, but anything in between could, so it is not an absence."""
    try:
        return json.loads(text or b"{}")
    except ValueError:
        if status < 300:
            raise
        raise Unavailable(f"Kubernetes answered {status} and did not say why") from None


def _lines(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Whole lines, as many as came at once; the last one too, when it lacks its end."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > _LINE_LIMIT:
            raise Unavailable("Kubernetes sends a line without an end")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _problem(status: int, found: object) -> Exception:
    message = str(found.get("message", ""))[:1000] if isinstance(found, dict) else ""
    if status == 404:
        return LookupError(message)
    if status == 409:
        return FileExistsError(message)
    if status == 410:
        return Gone(message)
    log.info("kubernetes: %s %s", status, message)
    if status in (400, 403, 413, 422):
        return Refused(f"Kubernetes refuses: {message[:500]}")
    return Unavailable(f"Kubernetes cannot answer now ({status}): {message[:300]}")
