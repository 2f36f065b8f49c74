"""Every setting of Podium, in one frozen object. The only reader of os.environ. Each field is `PODIUM_<FIELD>` in the
environment; its comment is its documentation, and a test holds the table in web/guide/settings.md against this list."""

import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.errors import Invalid

#: As `builder.oci.place` reads it, which says what was wrong; here it is only refused early.
_REGISTRY = re.compile(r"(localhost|\[::1\]|[\w-]+(?=:)|[\w.-]*\.[\w.-]+)(:\d{1,5})?(/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
MB = 1024**2
GB = 1024**3


def _setting(default: object, doc: str):
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Settings:
    data: Path = _setting(
        Path("./data"), "directory of everything that must survive: database, repos, keys, environments"
    )
    host: str = _setting("127.0.0.1", "address to listen on; a loopback address listens on both 127.0.0.1 and ::1")
    port: int = _setting(8000, "port of the one front door")
    apps_domain: str = _setting("localhost", "Spaces are served at <owner>-<name>.<apps_domain>")
    public_url: str = _setting("", "URL of the console as users type it; empty: http://<apps_domain or host>:<port>")
    trusted_proxies: int = _setting(0, "how many proxies in front of Podium add to X-Forwarded-For and are believed")
    api_origins: str = _setting("*", "sites whose scripts may read API and files, by spaces; *: all; empty: none")
    database_url: str = _setting("", "postgresql://USER:PASSWORD@HOST/NAME; empty: SQLite in the data directory")
    run: str = _setting(
        "",
        "directory of sockets and locks; of its own for each of several control planes on one data; empty: <data>/run",
    )
    keys: str = _setting("", "directory of the keys; empty: <data>/keys, where they are made on first use")
    control_listen: str = _setting(
        "", "address:port where the control plane listens too, for gateways on other machines; empty: nowhere"
    )
    control_url: str = _setting(
        "", "http://HOST:PORT of a control plane on another machine, for the gateway; empty: the one on this data"
    )
    redis_url: str = _setting(
        "", "Redis that carries news between processes on several machines; empty: each looks every few seconds"
    )
    builds: str = _setting(
        "local", "local: the control plane builds; celery: `podium builder` processes do, called through Redis"
    )
    builders: int = _setting(2, "builds at the same time, in the control plane or in each `podium builder`")
    build_lease: float = _setting(45.0, "seconds without a sign of life after which another builder gets a build")
    build_timeout: float = _setting(1800.0, "seconds after which a build is given up")
    build_memory: int = _setting(8 * GB, "bytes of memory that a build may use")
    build_log_limit: int = _setting(10 * MB, "bytes of log kept of one build")
    run_log_limit: int = _setting(10 * MB, "bytes of log kept of one instance")
    app_memory: int = _setting(16 * GB, "bytes of memory that an app on cpu-basic may use")
    app_cpu: float = _setting(2.0, "CPUs told to an app on cpu-basic")
    app_disk: int = _setting(50 * GB, "bytes of disk told to an app on cpu-basic")
    app_processes: int = _setting(512, "processes and threads that an app may have")
    app_files: int = _setting(4096, "files that each process of an app may have open")
    runtime: str = _setting(
        "process",
        "process: apps are processes of this machine; docker: containers of its Docker engine; kubernetes: pods of a cluster",
    )
    docker_runtime: str = _setting("", "the Docker engine's name of another OCI runtime for apps, such as runsc")
    kube_namespace: str = _setting("podium-apps", "namespace of the apps in a Kubernetes cluster; it must be there")
    kubeconfig: str = _setting(
        "",
        "kubeconfig of the cluster; empty: the service account of the pod that Podium runs in, else what kubectl uses",
    )
    kube_context: str = _setting("", "context in that kubeconfig; empty: its current one")
    kube_dns_policy: str = _setting(
        "Default",
        "dnsPolicy of apps; Default: the resolver of their node, so that they do not see the cluster's services",
    )
    kube_pull_secrets: str = _setting("", "Secrets with the registry's passwords, for pulling, separated by spaces")
    kube_priority_class: str = _setting("", "PriorityClass of apps; empty: the cluster's default")
    kube_share: float = _setting(
        0.25, "part of its CPU, memory and disk that a node must have free for an app; above it apps share what is left"
    )
    kube_storage: str = _setting(
        "", "size of each Space's volume for /data, such as 20Gi; empty: /data lasts as long as the instance"
    )
    kube_storage_class: str = _setting("", "StorageClass of those volumes; empty: the cluster's default")
    kube_storage_mode: str = _setting(
        "ReadWriteOnce",
        "access mode of those volumes; with ReadWriteMany the old version serves until the new one answers, and replicas "
        "can be had",
    )
    base_image: str = _setting(
        "python:{python}-slim-bookworm",
        "image that Docker builds begin with: Debian with Python; {python} stands for the minor version asked for",
    )
    apt_mirror: str = _setting("", "URL with debian/ and debian-security/ below it, for packages.txt in Docker builds")
    build_network: str = _setting("default", "network of an author's own Dockerfile while it is built: default or none")
    image_limit: int = _setting(20 * GB, "bytes of the image of an author's own Dockerfile")
    builder: str = _setting(
        "", "name of a buildx builder (drivers docker, remote, kubernetes); empty: the engine's own"
    )
    registry: str = _setting(
        "", "HOST[:PORT]/PATH where images are kept, for several machines and fast pushes; empty: in the Docker engine"
    )
    registry_config: str = _setting(
        "",
        "file in the form of Docker's config.json with the registry's passwords; empty: the one that docker itself reads",
    )
    registry_http: int = _setting(
        0, "1: the registry has no TLS; a registry on this machine (localhost, 127.…) needs no 1"
    )
    app_endpoint: str = _setting(
        "", "URL at which apps reach this Podium, when it is not the one that browsers use; empty: public_url"
    )
    app_hub: int = _setting(
        0, "1: apps are given HF_ENDPOINT, so that they load models and datasets from this Podium; 0: from the Hub"
    )
    hardware: str = _setting("", "file of the hardware catalogue (podium hardware example); empty: cpu-basic alone")
    hardware_webhook: str = _setting(
        "", "URL that is told by POST of JSON when hardware is asked for, given or refused; empty: nobody"
    )
    webhook_private: int = _setting(
        0, "1: users' webhooks may call this machine and private networks too, which lets users reach what is there"
    )
    replicas: int = _setting(10, "most replicas of one Space, where the runtime can have several")
    sandbox: str = _setting("auto", "auto: bubblewrap where it works; bubblewrap: refuse to run without; none: never")
    local_ports: str = _setting(
        "", "ports of this machine that apps may call besides Podium's, by spaces, such as 11434; where Podium is root"
    )
    sleep_after: float = _setting(172800.0, "seconds without use until a new Space sleeps; -1: never")
    stop_grace: float = _setting(10.0, "seconds between asking an app to stop and ending it")
    push_limit: int = _setting(1 * GB, "bytes of one git push")
    file_limit: int = _setting(50 * MB, "bytes of one file in a git push or commit, unless LFS holds it")
    repo_limit: int = _setting(10 * GB, "bytes of one repo, without large files")
    large_file_limit: int = _setting(50 * GB, "bytes of one large file (git LFS, Xet)")
    large_repo_limit: int = _setting(500 * GB, "bytes of all large files of one repo")
    s3_bucket: str = _setting(
        "",
        "BUCKET[/PREFIX] of S3-compatible storage for large files, passwords as for AWS tools; empty: <data>/objects",
    )
    s3_url: str = _setting("", "URL of an S3-compatible service other than Amazon's")
    files_limit: int = _setting(20000, "files in one revision")
    app_size_limit: int = _setting(2 * GB, "bytes of all files of one revision")
    keep_builds: int = _setting(5, "good builds of a Space kept for rollback")
    index_url: str = _setting("", "package index for builds; empty: what uv uses by itself")
    extra_index_url: str = _setting("", "more package indexes for builds, separated by spaces")
    ca_bundle: str = _setting(
        "", "file of CA certificates for builds and sign-in behind a company proxy; empty: the system's"
    )
    session_days: int = _setting(30, "days until a console session ends")
    password_sign_in: int = _setting(1, "0: nobody signs in with a password, only with the provider or a sign-in link")
    dns_servers: str = _setting(
        "", "IP addresses of DNS servers that domains are checked with, by spaces; empty: the system's"
    )
    oidc_issuer: str = _setting("", "URL of the OpenID Connect provider with which people may sign in; empty: none")
    oidc_client_id: str = _setting("", "what that provider calls this Podium")
    oidc_client_secret: str = field(
        default="", repr=False, metadata={"doc": "what it knows Podium by; better in a file"}
    )
    oidc_client_secret_file: str = _setting("", "file with that secret; neither: a public client, PKCE alone")
    oidc_scopes: str = _setting("openid profile email", "what is asked of the provider, separated by spaces")
    oidc_name: str = _setting("", "the provider's name on the button; empty: its host")
    oidc_user_claim: str = _setting("preferred_username", "claim that a new user's name is made of")
    oidc_accounts: int = _setting(1, "0: only those who linked their account may come in by the provider; 1: all")
    oidc_domains: str = _setting("", "domains of verified e-mail addresses that may come in, by spaces; empty: all")
    oidc_groups_claim: str = _setting("groups", "claim with the groups of PODIUM_OIDC_GROUPS")
    oidc_groups: str = _setting(
        "", "who is what, at each sign-in: GROUP=admin; GROUP=ORGANISATION:write; empty: nobody"
    )
    rate_limit: int = _setting(
        100, "requests per second and address that one Space answers; bursts of four times that; 0: no limit"
    )
    body_limit: int = _setting(20 * GB, "bytes of one request body to an app")
    header_timeout: float = _setting(10.0, "seconds to send the header of a request")
    response_timeout: float = _setting(300.0, "seconds until an app must have begun its answer")
    hold_timeout: float = _setting(120.0, "seconds that a program's request is held while a Space wakes")
    log_level: str = _setting("info", "debug, info, warning or error")
    failpoint: str = _setting("", "for tests: where to crash (orchestrator/failpoints.py)")
    access_log: str = _setting("", "file of the gateway's access log; empty: <data>/logs/access.log; -: none")

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", Path(self.data).resolve())
        if not self.public_url:
            name = self.apps_domain if self.is_local else self.host
            port = "" if self.port == 80 else f":{self.port}"
            object.__setattr__(self, "public_url", f"http://{name}{port}")
        object.__setattr__(self, "public_url", self.public_url.rstrip("/"))
        if self.sandbox not in ("auto", "bubblewrap", "none"):
            raise Invalid("SETTING", f"PODIUM_SANDBOX is {self.sandbox!r}; write auto, bubblewrap or none")
        if self.builds not in ("local", "celery"):
            raise Invalid("SETTING", f"PODIUM_BUILDS is {self.builds!r}; write local or celery")
        if self.builds == "celery" and not self.redis_url:
            raise Invalid("SETTING", "PODIUM_BUILDS is celery, which needs a Redis; set PODIUM_REDIS_URL")
        if self.build_lease < 1:
            raise Invalid("SETTING", f"PODIUM_BUILD_LEASE is {self.build_lease:g}; write at least 1")
        if self.runtime not in ("process", "docker", "kubernetes"):
            raise Invalid("SETTING", f"PODIUM_RUNTIME is {self.runtime!r}; write process, docker or kubernetes")
        self._check_kubernetes()
        self._check_apps()
        if self.build_network not in ("default", "none"):
            raise Invalid("SETTING", f"PODIUM_BUILD_NETWORK is {self.build_network!r}; write default or none")
        self._check_registry()
        if self.control_listen:
            host_port("PODIUM_CONTROL_LISTEN", self.control_listen)
        if self.control_url:
            control_address(self.control_url)
        console = urlsplit(self.public_url).hostname or ""
        if not self.is_local and (console == self.apps_domain or console.endswith("." + self.apps_domain)):
            raise Invalid(
                "SETTING",
                f"the console {console!r} must not be inside apps_domain {self.apps_domain!r}: apps could set its cookies; "
                "give the apps a domain of their own",
            )

    def _check_apps(self) -> None:
        object.__setattr__(self, "app_endpoint", self.app_endpoint.rstrip("/"))
        reached = urlsplit(self.app_endpoint)
        if self.app_endpoint and (reached.scheme not in ("http", "https") or not reached.hostname or reached.query):
            raise Invalid("SETTING", f"PODIUM_APP_ENDPOINT is {self.app_endpoint!r}; write http://HOST[:PORT]")
        inside = reached.hostname or ""
        if not self.is_local and (inside == self.apps_domain or inside.endswith("." + self.apps_domain)):
            raise Invalid("SETTING", f"PODIUM_APP_ENDPOINT is {self.app_endpoint!r}, a name of an app; write another")
        if self.replicas < 1:
            raise Invalid("SETTING", f"PODIUM_REPLICAS is {self.replicas}; write at least 1")
        if self.app_hub not in (0, 1):
            raise Invalid("SETTING", f"PODIUM_APP_HUB is {self.app_hub}; write 0 or 1")

    def _check_kubernetes(self) -> None:
        if self.runtime == "kubernetes" and not self.registry:
            raise Invalid("SETTING", "PODIUM_RUNTIME is kubernetes, whose nodes fetch images; set PODIUM_REGISTRY")
        if self.kube_dns_policy not in ("Default", "ClusterFirst"):
            found = self.kube_dns_policy
            raise Invalid("SETTING", f"PODIUM_KUBE_DNS_POLICY is {found!r}; write Default or ClusterFirst")
        if not 0.01 <= self.kube_share <= 1:
            raise Invalid("SETTING", f"PODIUM_KUBE_SHARE is {self.kube_share:g}; write a number from 0.01 to 1")
        if self.kube_storage and not re.fullmatch(r"[1-9][0-9]*(Mi|Gi|Ti|M|G|T)", self.kube_storage):
            raise Invalid("SETTING", f"PODIUM_KUBE_STORAGE is {self.kube_storage!r}; write a size such as 20Gi")
        if self.kube_storage_mode not in ("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"):
            found = self.kube_storage_mode
            raise Invalid("SETTING", f"PODIUM_KUBE_STORAGE_MODE is {found!r}; write ReadWriteOnce or ReadWriteMany")

    def _check_registry(self) -> None:
        if self.webhook_private not in (0, 1):
            raise Invalid("SETTING", f"PODIUM_WEBHOOK_PRIVATE is {self.webhook_private}; write 0 or 1")
        if self.registry_http not in (0, 1):
            raise Invalid("SETTING", f"PODIUM_REGISTRY_HTTP is {self.registry_http}; write 0 or 1")
        if not self.registry:
            return
        if not _REGISTRY.fullmatch(self.registry):
            raise Invalid(
                "SETTING",
                f"PODIUM_REGISTRY is {self.registry!r}; write HOST[:PORT]/PATH without https://, the path in lower case, "
                "such as registry.example.org/podium",
            )
        if self.runtime == "process":
            raise Invalid(
                "SETTING", "PODIUM_REGISTRY is set, but apps are processes and have no images; set PODIUM_RUNTIME"
            )

    @property
    def is_local(self) -> bool:
        """True where browsers resolve the apps' domain to this machine by themselves."""
        return self.apps_domain == "localhost" or self.apps_domain.endswith(".localhost")

    @property
    def one_writer(self) -> bool:
        """Whether the volume of a Space can be held by one instance at a time only."""
        return self.runtime == "kubernetes" and self.kube_storage != "" and self.kube_storage_mode != "ReadWriteMany"

    @property
    def kube(self) -> dict[str, str | float]:
        """What begins with `kube`, by its name without that."""
        names = [one.name for one in fields(self) if one.name.startswith("kube")]
        return {name.removeprefix("kube").removeprefix("_"): getattr(self, name) for name in names}

    @property
    def scheme(self) -> str:
        return urlsplit(self.public_url).scheme

    def app_url(self, subdomain: str) -> str:
        """URL of a Space: same scheme and port as the console, no trailing slash."""
        port = urlsplit(self.public_url).port
        return f"{self.scheme}://{subdomain}.{self.apps_domain}{f':{port}' if port else ''}"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data}/podium.db"

    @property
    def run_directory(self) -> Path:
        return Path(self.run).resolve() if self.run else self.data / "run"

    @property
    def key_directory(self) -> Path:
        return Path(self.keys).resolve() if self.keys else self.data / "keys"

    @property
    def control_socket(self) -> Path:
        """Unix socket of the control plane; apps in a sandbox cannot see it."""
        return self.run_directory / "control.sock"


def host_port(variable: str, text: str) -> tuple[str, int]:
    """`host:port`, an IPv6 address in brackets. Raises Invalid `SETTING`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Invalid("SETTING", f"{variable} is {text!r}; write ADDRESS:PORT, such as 0.0.0.0:9000")
    return host.strip("[]"), int(port)


def control_address(url: str) -> str:
    """`host:port` of `control_url`. Raises Invalid `SETTING`."""
    parts = urlsplit(url)
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme != "http" or not parts.hostname or not port or extra:
        raise Invalid("SETTING", f"PODIUM_CONTROL_URL is {url!r}; write http://HOST:PORT")
    return f"[{parts.hostname}]:{port}" if ":" in parts.hostname else f"{parts.hostname}:{port}"


def load(**overrides: object) -> Settings:
    """Settings from PODIUM_… in the environment, then `overrides` (those that are not None).

    Raises Invalid `SETTING` with the variable's name when a value does not parse or a PODIUM_ variable is unknown."""
    known = {f.name: f for f in fields(Settings)}
    values: dict[str, object] = {}
    for variable, text in os.environ.items():
        if not variable.startswith("PODIUM_"):
            continue
        name = variable.removeprefix("PODIUM_").lower()
        if name not in known:
            raise Invalid(
                "SETTING",
                f"unknown setting {variable}; the docs list all of them: web/guide/settings.md, or /docs/settings of a Podium",
            )
        values[name] = _parse(variable, text, known[name].type)
    values.update({name: value for name, value in overrides.items() if value is not None})
    return Settings(**values)


def _parse(variable: str, text: str, kind: object) -> object:
    wanted = kind if isinstance(kind, type) else {"int": int, "float": float, "str": str, "Path": Path}[str(kind)]
    try:
        return wanted(text)
    except ValueError:
        raise Invalid("SETTING", f"{variable} is {text!r}; write a {wanted.__name__}") from None
