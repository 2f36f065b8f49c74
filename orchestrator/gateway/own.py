"""What the gateway answers by itself, at `/.podium/`. On an app's host: how its Space is getting on. On the console's names and
on bare addresses: how the gateway is, for whoever watches over it. Nothing here asks the control plane: a gateway is as well
as what it can do without."""

from urllib.parse import parse_qs

from orchestrator.gateway import answers
from orchestrator.gateway.hosts import name_of
from orchestrator.gateway.request import Request

PREFIX = b"/.podium/"


def of_space(gate: object, request: Request) -> None:
    """`/.podium/progress`: what a waiting page shows, as server-sent events."""
    if request.path == b"/.podium/progress" and request.method == b"GET" and request.complete:
        gate.waiting.watch(request, request.route)
    else:
        answers.nothing(gate, request)


def of_gateway(gate: object, request: Request) -> None:
    """`/.podium/healthz`: this process answers. `/.podium/readyz`: it knows the Spaces, from the feed or from its snapshot, and
    is not about to stop; 503 and the reason otherwise. `feed`: why what it knows may be old. `/.podium/certificate?domain=…`:
    200 for a domain of people's own that is served here, 404 for every other; a proxy in front asks it before it gets a
    certificate (Caddy documentation, "On-demand TLS")."""
    request.outcome = "own"
    if request.method in (b"GET", b"HEAD") and request.path == b"/.podium/certificate":
        known = gate.table.label_at(_domain(request.target)) is not None
        answers.problem(gate, request, 200 if known else 404, {"ok": known})
    elif request.method not in (b"GET", b"HEAD") or request.path not in (b"/.podium/healthz", b"/.podium/readyz"):
        answers.nothing(gate, request)
    elif request.path == b"/.podium/healthz":
        answers.problem(gate, request, 200, {"ok": True})
    else:
        missing = ["stopping"] if gate.draining else [] if gate.table.informed else [gate.feed.trouble]
        told = {"ok": not missing, "missing": missing, "feed": gate.feed.trouble}
        answers.problem(gate, request, 503 if missing else 200, told)


def _domain(target: bytes) -> bytes:
    """The domain that a request for `/.podium/certificate` asks about; b"" for none."""
    try:
        asked = parse_qs(target.partition(b"?")[2], max_num_fields=5).get(b"domain", [])
    except ValueError:
        return b""
    return name_of(asked[0]) if len(asked) == 1 else b""
