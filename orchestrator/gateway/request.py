"""One request as it was parsed: its facts and the checks that come before any routing. Owns what a well-formed request is;
knows neither routes nor sockets. llhttp refuses most ambiguity by itself; what it lets through is refused here."""

from collections.abc import Callable

from orchestrator.gateway import headers

TARGET_LIMIT = 16 * 1024
HEADER_LIMIT = 32 * 1024
HEADERS_LIMIT = 100
COOKIE_LIMIT = 8 * 1024

METHODS_REFUSED = frozenset((b"CONNECT", b"TRACE", b"PRI", b"SOURCE"))
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PROPFIND"))


_KINDS: dict[bytes, int] = {}  # header names as they were spelled lately -> what happens to them


def _learn(name: bytes) -> int:
    kind = headers.rule(name.lower())
    if len(_KINDS) < 2000 and len(name) < 64:
        _KINDS[name] = kind
    return kind


class Refused(Exception):
    """The request cannot be served; the connection is closed after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Request:
    """Facts first, then the state of its passage. Defaults are on the class: most requests need few of them changed."""

    method = b""
    host = b""
    version = "1.1"
    keep_alive = True
    length = 0  #: of the body; -1: chunked
    for_console = False  #: some of `lines` only the console may see
    upgrade = False  #: to a WebSocket
    cut = False  #: its body is still to come, though the parser stopped; see Client._after_upgrade
    ready = False  #: the whole header was read
    complete = False  #: the whole body was read

    door: bytes | None = None  #: CONSOLE or the label, see hosts
    address = ""  #: of the visitor
    scheme = b"http"
    route = None
    use = 0  #: flags of `activity`
    keeps = False  #: its passage keeps the Space awake
    allowed: bool | None = None  #: answer to a question about its token
    suffix = b""  #: forwarding lines
    tail = b""  #: what follows the target in its header for the upstream

    started = 0.0
    size = 0  #: bytes of body read
    sent = 0  #: bytes of answer body sent
    status = 0  #: of the answer; 0: not begun
    begun = False  #: some of the answer's header reached the visitor
    flowed = 0  #: `sent` at the last sweep
    signed: dict | None = None  #: claims of the signature in its URL
    outcome = ""
    upstream: object | None = None
    body_sent = False  #: all of the body went to the upstream
    first_try = 0.0  #: when its upstream first refused the connection
    retried = False
    replica = b""  #: the line that keeps its browser with the replica that was chosen for it now
    until = 0.0  #: end of its hold
    listened = False  #: it waited for news of Spaces as long as it may
    early = b""  #: bytes sent after an upgrade request, before its answer
    give_up: Callable[[], None] | None = None  #: what to do when `until` has come

    def __init__(self, client: object) -> None:
        self.client = client
        self.target = b""
        self.lines: list[bytes] = []  # header lines to forward
        self.noted: dict[bytes, bytes] = {}  # headers that decisions need
        self.body: list[bytes] = []  # read and not yet forwarded

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def wants_page(self) -> bool:
        """Will a person look at the answer?"""
        noted = self.noted
        return b"text/html" in noted.get(b"accept", b"") and noted.get(b"sec-fetch-mode", b"navigate") == b"navigate"

    @property
    def from_git(self) -> bool:
        """Will git read the answer? Of an error it shows plain text, and nothing else."""
        return self.path.endswith((b"/info/refs", b"/git-upload-pack", b"/git-receive-pack"))

    @property
    def replayable(self) -> bool:
        """May it be sent again when a connection broke before any answer?"""
        return self.length == 0 and self.complete and self.method in IDEMPOTENT and not self.upgrade

    def header(self, name: bytes, value: bytes) -> None:
        """Take one header line. Raises Refused."""
        kind = _KINDS.get(name)
        if kind is None:
            kind = _learn(name)
        if kind == headers.PASS:
            self.lines.append(b"%b: %b\r\n" % (name, value))
            return
        if kind == headers.DROP:
            return
        if kind != headers.NOTE:
            self.lines.append(b"%b: %b\r\n" % (name, value))
            if kind == headers.CONSOLE_ONLY:
                self.for_console = True
                return
        low = name.lower()
        noted = self.noted
        if low not in noted:
            noted[low] = value
        elif low in headers.SINGLE:
            raise Refused(400, f"The header {low.decode()} was sent twice; send it once.")
        else:
            noted[low] += (b"; " if low == b"cookie" else b", ") + value

    def header_size(self) -> int:
        """Bytes of the header as far as it is kept."""
        return len(self.target) + sum(map(len, self.lines)) + sum(len(n) + len(v) + 4 for n, v in self.noted.items())

    def check(self) -> None:
        """Is it a request we serve? Fills `host`, `length` and `upgrade`. Raises Refused."""
        noted = self.noted
        if self.method in METHODS_REFUSED:
            raise Refused(405, f"The method {self.method.decode()} is not supported.")
        if self.version != "1.1" and self.version != "1.0":
            raise Refused(400, f"HTTP/{self.version} is not supported; use HTTP/1.1.")
        if self.target[:1] != b"/":
            raise Refused(400, "The request target must begin with '/'.")
        host = noted.get(b"host")
        if not host:
            raise Refused(400, "The Host header is missing.")
        self.host = host
        if len(noted) == 1:
            return
        coding = noted.get(b"transfer-encoding")
        length = noted.get(b"content-length")
        if coding is not None:
            if coding.lower() != b"chunked" or length is not None or self.version == "1.0":
                raise Refused(400, "Transfer-Encoding must be 'chunked', alone, over HTTP/1.1.")
            self.length = -1
        elif length is not None:
            if not length.isdigit():
                raise Refused(400, "Content-Length must be a number.")
            self.length = int(length)
        if b"connection" in noted:
            self._check_connection(noted[b"connection"])
        expect = noted.get(b"expect")
        if expect is not None and expect.lower() != b"100-continue":
            raise Refused(417, "The only expectation served is 100-continue.")

    def _check_connection(self, connection: bytes) -> None:
        named = connection not in headers.PLAIN_CONNECTION and headers.named_by_connection(connection)
        if named:
            self.lines = headers.without(self.lines, named)
        # Another protocol than WebSocket may be ignored: git with http.version HTTP/2 asks for h2c, with a body too.
        self.upgrade = self.upgrade and self.noted.get(b"upgrade", b"").lower() == b"websocket"
        if self.upgrade:
            if self.length:
                raise Refused(400, "An upgrade must not have a body.")
            if self.method != b"GET" or self.version != "1.1":
                raise Refused(400, "A WebSocket begins with GET over HTTP/1.1.")

    def head(self, console: bool) -> bytes:
        """The header to send upstream."""
        if not self.tail:
            self.tail = self._tail(console)
        target = self.target
        if b"__sign" in target and not console:
            target = headers.app_target(target)
        return b"%b %b%b" % (self.method, target, self.tail)

    def _tail(self, console: bool) -> bytes:
        noted = self.noted
        if console:
            lines = headers.all_credentials(noted)
        else:
            lines = headers.credentials(noted) if b"cookie" in noted or b"authorization" in noted else b""
            if self.for_console:
                self.lines = [line for line in self.lines if line[:9].lower() != b"x-podium-"]
        if self.length:
            lines += b"Transfer-Encoding: chunked\r\n" if self.length < 0 else b"Content-Length: %d\r\n" % self.length
        elif b"content-length" in noted:
            lines += b"Content-Length: 0\r\n"
        if self.upgrade:
            lines += b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        elif self.length and b"expect" in noted and self.version == "1.1":
            lines += b"Expect: 100-continue\r\n"
        return b" HTTP/1.1\r\nHost: %b\r\n%b%b%b\r\n" % (self.host, b"".join(self.lines), lines, self.suffix)
