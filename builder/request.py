"""What a builder is told and what it answers, both plain JSON. Owns the names of the fields; `python -m builder` reads one
Request from a file and writes lines `{"log": ...}` and one `{"result": ...}` to its output."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Index:
    """Where packages come from. `extra` may be several URLs; `ca_bundle` a file, "" the system's."""

    url: str = ""
    extra: tuple[str, ...] = ()
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """`files` and `source` (bytes) of the app; `timeout` in seconds; `memory`, `environment` and `output` in bytes."""

    files: int = 20_000
    source: int = 2 << 30
    timeout: float = 1800.0
    memory: int = 8 << 30
    processes: int = 512
    environment: int = 40 << 30
    output: int = 10 << 20


@dataclass(frozen=True, slots=True)
class Images:
    """How images are made where apps run in containers. `base`: Debian with Python, `{python}` in it stands for a minor version;
    `apt_mirror`: URL with debian/ and debian-security/ below it; `owner`: label of what is made; `caches`: a word that
    strangers cannot guess, in the names of cache mounts; `network`: of an author's own Dockerfile, default or none;
    `limit`: bytes of one image; `builder`: of buildx, "" the engine's own; `registry`: where images are kept
    (HOST[:PORT]/PATH), "" in the engine; `registry_config`: file with its passwords, "" what docker has; `registry_http`: it
    has no TLS."""

    base: str
    owner: str
    caches: str
    apt_mirror: str = ""
    network: str = "default"
    limit: int = 20 << 30
    builder: str = ""
    registry: str = ""
    registry_config: str = ""
    registry_http: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """`data` is the directory that holds envs/, apps/, cache/ and build-tmp/. `previous` is what the last result of this
    Space said. `sandbox`: auto, bubblewrap or none. `uid`: whom author's code runs as when the builder is root."""

    key: str
    space_id: str
    revision: str
    git_dir: str
    data: str
    fresh: bool = False
    previous: Mapping[str, str] = field(default_factory=dict)
    index: Index = Index()
    bounds: Bounds = Bounds()
    sandbox: str = "auto"
    uid: int | None = None
    docker: bool = False
    images: Images | None = None  #: make images with BuildKit rather than environments for processes
    variables: Mapping[str, str] = field(default_factory=dict)  #: build arguments of an author's own Dockerfile
    secrets: Mapping[str, str] = field(default_factory=dict)  #: secret mounts of an author's own Dockerfile
    large: Mapping[str, str] = field(default_factory=dict)  #: SHA-256 of a large file of the revision -> file with it
    lock_ttl: float = 86400.0  #: seconds that an answer of the resolver is believed

    def folder(self, name: str) -> Path:
        """`envs`, `apps`, `cache` or `build-tmp`."""
        return Path(self.data) / name

    def json(self) -> dict[str, object]:
        return asdict(self)


def parse(values: dict[str, object]) -> Request:
    """The Request of a decoded JSON object, as `Request.json` wrote it. Raises TypeError for unknown fields."""
    index = dict(values.pop("index"))
    index["extra"] = tuple(index["extra"])
    bounds = Bounds(**values.pop("bounds"))
    images = values.pop("images", None)
    return Request(**values, images=Images(**images) if images else None, index=Index(**index), bounds=bounds)
