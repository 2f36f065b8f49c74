"""Which headers cross the gateway, and how. Owns the rules for both directions; parses nothing, sends nothing. Pure.

Names are compared in lower case. What is in no table passes as it came, byte for byte."""

from orchestrator.gateway.access import is_hub_token, split_sign
from orchestrator.gateway.hosts import host_port

# What happens to a request header: remembered for decisions, forwarded as it came, or both.
PASS, PASS_AND_NOTE, NOTE, DROP, CONSOLE_ONLY = 0, 1, 2, 3, 4

REQUEST: dict[bytes, int] = {
    **dict.fromkeys(
        (
            b"accept", b"sec-fetch-mode", b"sec-fetch-site", b"sec-purpose", b"origin",
            b"access-control-request-method", b"access-control-request-headers",
        ), PASS_AND_NOTE,
    ),
    **dict.fromkeys(
        (
            b"host", b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"expect",
            b"cookie", b"authorization", b"x-hf-authorization", b"x-forwarded-for", b"x-forwarded-proto",
        ), NOTE,
    ),
    **dict.fromkeys(
        (
            b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
            b"http2-settings", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix", b"x-forwarded-server",
            b"x-forwarded-ssl", b"x-forwarded-scheme", b"x-forwarded", b"x-real-ip", b"x-client-ip", b"true-client-ip",
            b"forwarded", b"via", b"x-rewrite-url", b"x-original-url", b"x-original-uri", b"x-original-host",
            b"x-original-forwarded-for", b"x-gradio-server", b"x-direct-url", b"x-ip-token", b"x-hub-user",
        ), DROP,
    ),
}  # fmt: skip
_PLATFORM = (b"x-podium-", b"x-hub-", b"x-original-")

#: Request headers that may come once only.
SINGLE = frozenset((b"host", b"transfer-encoding", b"authorization", b"x-hf-authorization", b"upgrade", b"origin"))

_HOP = (
    b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer", b"upgrade",
)  # fmt: skip
#: Response headers: True means remembered and written anew, False dropped.
CONSOLE_RESPONSE: dict[bytes, bool] = {
    **dict.fromkeys((b"connection", b"content-length", b"transfer-encoding"), True),
    **dict.fromkeys(_HOP, False),
}
APP_RESPONSE: dict[bytes, bool] = {
    **CONSOLE_RESPONSE,
    b"set-cookie": True,
    **dict.fromkeys(
        (
            b"strict-transport-security", b"public-key-pins", b"public-key-pins-report-only", b"alt-svc", b"nel",
            b"report-to", b"reporting-endpoints", b"x-frame-options", b"service-worker-allowed",
            b"clear-site-data",  # cookies are cleared of all hosts of a domain: it would sign people out of the console
        ), False,
    ),
}  # fmt: skip

#: Ours: an app neither sees nor sets them. Browsers send the console's to no app; other clients may not be as careful.
_OUR_COOKIES = frozenset(
    prefix + b"podium-" + name for prefix in (b"", b"__Host-") for name in (b"app", b"form", b"replica", b"session")
)
#: Connection values that name no further header.
PLAIN_CONNECTION = frozenset((b"keep-alive", b"Keep-Alive", b"close", b"Close", b"upgrade", b"Upgrade", b""))


def rule(low: bytes) -> int:
    """What happens to a request header, by its lower-case name."""
    if low in REQUEST:
        return REQUEST[low]
    if low.startswith(_PLATFORM):
        return CONSOLE_ONLY if low.startswith(b"x-podium-") else DROP
    if b"_" in low:  # CGI and WSGI cannot tell X_Forwarded_For from X-Forwarded-For
        twin = low.replace(b"_", b"-")
        if twin in REQUEST or twin.startswith(_PLATFORM):
            return DROP
    return PASS


def learn_response(rules: dict[bytes, bool | None], name: bytes) -> bool | None:
    """The rule for a response header, remembered under the spelling in which it came."""
    low = name.lower()
    kept = rules.get(low)
    if low.startswith(b"x-podium-") and rules is not CONSOLE_RESPONSE:
        kept = False
    if len(rules) < 2000 and len(name) < 64:
        rules[name] = kept
    return kept


def named_by_connection(value: bytes) -> frozenset[bytes]:
    """Headers that the sender of this Connection header declares to be between the two of us."""
    names = frozenset(part.strip() for part in value.lower().split(b","))
    return names - PLAIN_CONNECTION


def without(lines: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """Header lines (`Name: value CR LF`) without those of the given names."""
    return [line for line in lines if line.partition(b":")[0].lower() not in names]


def forwarded(client: str, scheme: bytes, host: bytes) -> bytes:
    """The lines that tell an upstream who asked for what: the only ones of their kind that it sees."""
    address = client.encode()
    return (
        b"X-Forwarded-For: %b\r\nX-Real-IP: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Port: %b\r\n"
        % (address, address, scheme, host, host_port(host, scheme))
    )


def client_of(peer: str, noted: dict[bytes, bytes], scheme: bytes, hops: int) -> tuple[str, bytes]:
    """(address of the visitor, scheme it used): what `hops` believed proxies in front say, else the peer itself."""
    if not hops:
        return peer, scheme
    listed = [part.strip() for part in noted.get(b"x-forwarded-for", b"").split(b",") if part.strip()]
    if listed:
        candidate = listed[max(0, len(listed) - hops)]
        if len(candidate) <= 45 and all(c in b"0123456789abcdefABCDEF.:" for c in candidate):
            peer = candidate.decode()
    told = noted.get(b"x-forwarded-proto", b"").rpartition(b",")[2].strip().lower()
    return peer, told if told in (b"http", b"https") else scheme


def credentials(noted: dict[bytes, bytes]) -> bytes:
    """The Cookie and Authorization lines that an app may see: never our cookies, never a Podium token."""
    lines = b""
    cookie = noted.get(b"cookie")
    if cookie is not None:
        if b"podium-" in cookie:
            parts = [p.strip() for p in cookie.split(b";")]
            cookie = b"; ".join(p for p in parts if p.partition(b"=")[0] not in _OUR_COOKIES)
        if cookie:
            lines = b"Cookie: %b\r\n" % cookie
    authorization = noted.get(b"authorization")
    if authorization is not None and not is_hub_token(authorization):
        lines += b"Authorization: %b\r\n" % authorization
    return lines


def all_credentials(noted: dict[bytes, bytes]) -> bytes:
    """The same for the console, whose tokens and cookies they are."""
    names = (b"cookie", b"authorization", b"x-hf-authorization")
    return b"".join(b"%b: %b\r\n" % (name, noted[name]) for name in names if name in noted)


def app_target(target: bytes) -> bytes:
    """The request target an app sees: without the signature of a signed link, otherwise byte for byte."""
    return split_sign(target)[0]


def app_cookie(value: bytes) -> bytes | None:
    """A Set-Cookie value of an app, bound to its own host; None when it must not be set."""
    name, *attributes = value.split(b";")
    if name.partition(b"=")[0].strip() in _OUR_COOKIES:
        return None
    if b"domain" not in value.lower():
        return value
    kept = [a for a in attributes if a.partition(b"=")[0].strip().lower() != b"domain"]
    return b";".join([name, *kept])
