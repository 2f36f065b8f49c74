"""A registry's images by HTTP: looking, putting and removing. Owns the requests of the OCI distribution specification 1.1 that
are used here, and that nothing is believed whose digest is wrong. Tries, time limits and passwords are `session.py`'s, the
meaning of what is stored `oci.py`'s. All methods raise TransientError."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urljoin

from builder import oci
from builder.backends.session import PATIENCE, Again, Missing, Session, escaped
from builder.errors import TransientError
from builder.oci import Manifest

_ACCEPT = {"Accept": ", ".join((oci.OCI, oci.DOCKER, *oci.INDEXES))}
_CHUNK = 1 << 20
_SPEED = 1 << 20  #: bytes a second that an upload is waited for
_STORE = 120.0  #: seconds that a registry may take to put a blob away
_TAGS = 100_000  #: that are read of one repository


class Registry:
    """`patience`: seconds until what is small has succeeded, tries included; `wait`: for one answer. For several threads."""

    def __init__(
        self, name: str, config: str = "", plain: bool = False, bundle: str = "", patience: float = PATIENCE,
        wait: float = 10.0,
    ) -> None:  # fmt: skip
        try:
            self.place = oci.place(name)
        except ValueError as error:
            raise TransientError(f"{error}; see PODIUM_REGISTRY") from None
        self._session = Session(self.place, config, plain, bundle, min(wait, patience))
        self._patience = patience

    def close(self) -> None:
        self._session.close()

    # ------------------------------------------------------------------------------------------------------ looking

    def manifest(self, name: str, which: str, architecture: str = "") -> Manifest | None:
        """The manifest of an image by tag or digest, None if there is none. Of several for different machines the one for
        `architecture`."""
        data = self._manifest(name, which)
        try:
            if data is not None and oci.is_index(data):
                data = self._manifest(name, oci.pick(data, architecture))
            return None if data is None else oci.manifest(data)
        except ValueError as error:
            raise TransientError(f"{self.place.host}/{self.place.repository(name)}: {error}") from None

    def _manifest(self, name: str, which: str) -> bytes | None:
        def attempt() -> bytes | None:
            got = self._ask("GET", name, f"manifests/{which}", headers=_ACCEPT, limit=oci.MANIFEST_LIMIT)
            if got.status == 404:
                return None
            self._expect(got, 200)
            told = which if which.startswith("sha256:") else got.headers.get("docker-content-digest", "")
            if told.startswith("sha256:") and told != oci.sha256(got.body):
                raise Again("answers with a manifest of another digest")
            return got.body

        return self._session.patiently(f"reading {name}", attempt, self._patience)

    def exists(self, name: str, which: str) -> bool:
        """Whether there is a manifest of this tag or digest."""
        return self.digest(name, which) is not None

    def digest(self, name: str, which: str) -> str | None:
        """What a tag stands for, None for nothing."""

        def attempt() -> str | None:
            got = self._ask("HEAD", name, f"manifests/{which}", headers=_ACCEPT)
            if got.status == 404:
                return None
            self._expect(got, 200)
            return got.headers.get("docker-content-digest") or which

        return self._session.patiently(f"looking for {name}", attempt, self._patience)

    def config(self, name: str, manifest: Manifest) -> dict:
        """An image's configuration. Raises Missing."""

        def attempt() -> bytes:
            got = self._ask("GET", name, f"blobs/{manifest.config.digest}", limit=oci.CONFIG_LIMIT)
            if got.status == 404:
                raise Missing(f"the registry lacks the configuration of {name}")
            self._expect(got, 200)
            if oci.sha256(got.body) != manifest.config.digest:
                raise Again("answers with a configuration of another digest")
            return got.body

        try:
            return oci.config(self._session.patiently(f"reading {name}", attempt, self._patience))
        except ValueError as error:
            raise TransientError(f"{self.place.host}/{self.place.repository(name)}: {error}") from None

    def has(self, name: str, digest: str) -> bool:
        """Whether a repository has a blob."""

        def attempt() -> bool:
            got = self._ask("HEAD", name, f"blobs/{digest}")
            return got.status != 404 and bool(self._expect(got, 200))

        return self._session.patiently(f"looking into {name}", attempt, self._patience)

    def tags(self, name: str) -> list[str]:
        """All tags of a repository, [] if there is none."""
        found: list[str] = []
        path: str | None = "tags/list?n=1000"
        while path and len(found) < _TAGS:
            got = self._session.patiently(
                f"listing {name}", lambda path=path: self._ask("GET", name, path, limit=8 << 20), self._patience
            )
            if got.status == 404:
                return []
            self._expect(got, 200)
            found += [tag for tag in (oci.read(got.body).get("tags") or ()) if isinstance(tag, str)]
            link = got.headers.get("link", "")
            after = link.partition("<")[2].partition(">")[0] if 'rel="next"' in link else ""
            path = f"tags/list?{after.partition('?')[2]}" if "?" in after else None
        return found

    # ------------------------------------------------------------------------------------------------------ putting

    def ensure(self, name: str, digest: str, source: str) -> None:
        """Have a blob of the repository `source` in the repository `name` too. Raises Missing when it is in neither."""
        if self.has(name, digest):
            return
        path = f"blobs/uploads/?mount={escaped(digest)}&from={escaped(self.place.repository(source))}"

        def mount() -> bool:
            got = self._ask("POST", name, path, b"", also=source)
            if got.status == 202:  # it opened an upload instead: there is no such blob, or it mounts nothing
                self._session.ask("DELETE", self._location(got), self._scopes(name))
            return got.status == 201

        if self._session.patiently(f"mounting a layer into {name}", mount, self._patience):
            return
        if not self.has(source, digest):
            raise Missing(f"the registry lacks a layer of {source}")
        self.upload(name, digest, 0, lambda: self._chunks(source, digest))

    def _chunks(self, name: str, digest: str) -> Iterator[bytes]:
        path = f"{self.place.repository(name)}/blobs/{digest}"
        with self._session.stream("GET", path, self._scopes(name)) as got:
            if got.status != 200:
                raise Missing(f"the registry lacks a layer of {name}")
            yield from got.iter_stream()

    def upload(self, name: str, digest: str, size: int, content: Callable[[], Iterable[bytes]]) -> None:
        """Put a blob there. `content()` gives its bytes, once for each try; `size` 0: unknown."""

        def attempt() -> None:
            begun = self._ask("POST", name, "blobs/uploads/", b"")
            self._expect(begun, 202)
            where = self._location(begun)
            where += f"{'&' if '?' in where else '?'}digest={escaped(digest)}"
            length = {"Content-Length": str(size)} if size else {"Transfer-Encoding": "chunked"}
            headers = {"Content-Type": "application/octet-stream", **length}
            got = self._session.ask("PUT", where, self._scopes(name), headers, content, answer=_STORE)
            if got.status in (400, 404, 416):  # the upload was lost, or its bytes arrived damaged
                raise Again(f"did not take what was sent: {got.words()}")
            self._expect(got, 201)

        self._session.patiently(f"sending a layer to {name}", attempt, self._patience + size / _SPEED)

    def upload_file(self, name: str, digest: str, size: int, file: Path) -> None:
        """`upload` from a file, unless it is there."""

        def content() -> Iterator[bytes]:
            with open(file, "rb") as opened:
                while chunk := opened.read(_CHUNK):
                    yield chunk

        if not self.has(name, digest):
            self.upload(name, digest, size, content)

    def upload_bytes(self, name: str, data: bytes) -> None:
        """`upload` of something small, unless it is there."""
        digest = oci.sha256(data)
        if not self.has(name, digest):
            self.upload(name, digest, len(data), lambda: [data])

    def put(self, name: str, tag: str, manifest: bytes, kind: str) -> str:
        """Name what was sent; returns the digest. Raises Missing when the registry lacks some of it."""

        def attempt() -> str:
            got = self._ask("PUT", name, f"manifests/{tag}", manifest, {"Content-Type": kind})
            if got.status in (400, 404) and "UNKNOWN" in got.words():
                raise Missing(f"the registry lacks a part of {name}: {got.words()}")
            self._expect(got, 201)
            return oci.sha256(manifest)

        digest = self._session.patiently(f"naming {name}", attempt, self._patience)
        if self.digest(name, digest) is None:
            raise TransientError(f"the registry {self.place.host} took {name} and does not have it")
        return digest

    def delete(self, name: str, digest: str) -> bool:
        """Remove an image; its layers go when the registry collects. False when the registry removes nothing at all."""

        def attempt() -> bool:
            got = self._ask("DELETE", name, f"manifests/{digest}")
            if got.status in (405, 400, 501) and "UNSUPPORTED" in got.words().upper():
                return False
            if got.status not in (200, 202, 404):
                self._expect(got, 202)
            return True

        return self._session.patiently(f"removing an image of {name}", attempt, self._patience)

    # ------------------------------------------------------------------------------------------------------- asking

    def _scopes(self, name: str, also: str = "") -> tuple[str, ...]:
        """What a token must allow."""
        mine = f"repository:{self.place.repository(name)}:pull,push"
        return (mine, f"repository:{self.place.repository(also)}:pull") if also and also != name else (mine,)

    def _ask(self, method, name, path, body=None, headers=None, limit=1 << 20, also=""):
        scopes = self._scopes(name, also)
        if method == "DELETE":
            scopes = (f"{scopes[0]},delete",)
        return self._session.ask(method, f"{self.place.repository(name)}/{path}", scopes, headers, body, limit)

    def _location(self, got) -> str:
        where = urljoin(f"{self._session.base}/v2/", got.headers.get("location", ""))
        if not where.startswith(("http://", "https://")) or not got.headers.get("location"):
            raise TransientError(f"the registry {self.place.host} says not where to send a layer")
        return where

    def _expect(self, got, status: int):
        if got.status != status:
            raise TransientError(f"the registry {self.place.host} answers {got.words()}")
        return got
