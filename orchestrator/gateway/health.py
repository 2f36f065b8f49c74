"""What a gateway says of itself to whoever watches over it, at `/.podium/` on the console's names and on bare addresses. Nothing
here asks the control plane: a gateway is as well as what it can do without."""

from orchestrator.gateway import answers
from orchestrator.gateway.request import Request


def answer(gate: object, request: Request) -> None:
    """`/.podium/healthz`: this process answers. `/.podium/readyz`: it knows the Spaces, from the feed or from its snapshot, and
    is not about to stop; 503 and the reason otherwise. `feed`: why what it knows may be old."""
    if request.method not in (b"GET", b"HEAD") or request.path not in (b"/.podium/healthz", b"/.podium/readyz"):
        answers.problem(gate, request, 404, {"error": "Not found"})
    elif request.path == b"/.podium/healthz":
        answers.problem(gate, request, 200, {"ok": True})
    else:
        missing = ["stopping"] if gate.draining else [] if gate.table.informed else [gate.feed.trouble]
        told = {"ok": not missing, "missing": missing, "feed": gate.feed.trouble}
        answers.problem(gate, request, 503 if missing else 200, told)
