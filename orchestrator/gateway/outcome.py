"""What happens to a request to a Space: one pure function, `decide`. First match wins; no I/O, no clock."""

from enum import StrEnum

OPEN, WAIT, WAKE, CLOSED = "open", "wait", "wake", "closed"  # states of a route, see domain.decide.RouteState


class Outcome(StrEnum):
    FORWARD = "forward"  #: to the instance
    HOLD = "hold"  #: keep the request, unread, until the route opens; then forward
    WAITING_PAGE = "waiting-page"  #: show the visitor what is going on, come by itself
    ASLEEP = "asleep"  #: 503 at once: this request may not wake anybody
    CLOSED_PAGE = "closed"  #: say why nothing will come by itself
    MISSING = "missing"  #: 404, the same for Spaces that do not exist and for those this visitor may not see
    ASK = "ask"  #: the control plane must say whether a token may see this Space
    EXCHANGE = "exchange"  #: a signed link becomes a cookie and the same URL without the signature
    OWN = "own"  #: a path of the gateway's own on the app's host
    LISTEN = "listen"  #: keep the request, unread, until the control plane has told which Spaces there are; then again
    UNKNOWING = "unknowing"  #: the gateway has not heard of any route yet: 503


def decide(
    state: str | None,
    allowed: bool | None = True,
    page: bool = False,
    wakes: bool = False,
    signed: bool = False,
    own: bool = False,
    informed: bool = True,
    current: bool = True,
) -> Outcome:
    """The outcome of one request.

    `state`: the route's state, None: there is no such route. `allowed`: may this visitor see it, None: nobody knows yet;
    that is asked for absent ones too.
    `page`: the answer will be looked at by a person. `wakes`: this request may wake the Space. `signed`: it is a navigation
    that carries a signature in its URL. `own`: its path is one of the gateway's. `informed`: routes were heard of at all.
    `current`: nothing can be new since; or this request has waited long enough for news."""
    if state is None and not informed:
        return Outcome.UNKNOWING if current else Outcome.LISTEN
    if allowed is None:
        return Outcome.ASK
    if state is None or not allowed:
        return Outcome.MISSING if current else Outcome.LISTEN
    if signed:
        return Outcome.EXCHANGE
    if own:
        return Outcome.OWN
    if state == OPEN:
        return Outcome.FORWARD
    if state == CLOSED:
        return Outcome.CLOSED_PAGE
    if not wakes:
        return Outcome.ASLEEP
    return Outcome.WAITING_PAGE if page else Outcome.HOLD
