"""What the gateway must be told. Owns the list of its parameters; `wiring.py` fills it from Settings."""

from dataclasses import dataclass
from pathlib import Path

MB = 1024**2
GB = 1024**3


@dataclass(frozen=True)
class GatewayConfig:
    """Times in seconds, sizes in bytes. Addresses of upstreams are `host:port` or `unix:/path`."""

    listen: tuple[tuple[str, int], ...]  #: (host, port) pairs; port 0 takes a free one, the same for all pairs
    control: str  #: upstream address of the control plane
    feed_token: str  #: bearer token for /internal on the control plane
    apps_domain: str  #: Spaces are `<label>.<apps_domain>`
    public_url: str  #: URL of the console, without a trailing slash
    snapshot: Path  #: file that keeps the last routes for a start while the control plane is down
    app_endpoint: str = ""  #: URL by which apps know the console, if another
    access_log: Path | None = None  #: None: no access log
    access_log_size: int = 64 * MB  #: the log is rotated at this size, one older file is kept
    trusted_proxies: int = 0  #: proxies in front that append to X-Forwarded-For
    rate_limit: float = 100.0  #: requests per second of one address to one Space, bursts of four times that; 0: none
    body_limit: int = 20 * GB  #: one request body to an app
    header_timeout: float = 10.0  #: to send the header of a request
    response_timeout: float = 300.0  #: until an upstream must have begun its answer
    hold_timeout: float = 120.0  #: a program's request is held while its Space starts
    idle_timeout: float = 75.0  #: keep-alive connections without a request
    body_timeout: float = 60.0  #: a request body without a byte
    stall_timeout: float = 120.0  #: a visitor that takes no byte of what is sent to it
    connect_timeout: float = 5.0  #: to connect to an upstream
    retry_timeout: float = 5.0  #: an upstream that refuses connections is tried again for this long
    drain_timeout: float = 20.0  #: running requests may end after a stop was asked for
    connections_per_address: int = 1000  #: open connections of one peer; not counted behind trusted proxies
    connections_per_space: int = 2000  #: open connections to one instance
    held_per_space: int = 1000  #: requests held for one Space
