"""The gateway itself: takes each request through admission, decision and action. Owns the shared state (table, pools,
limits); the way to an app is in `upstreams`, bytes are moved in `client`, `forward` and `upgrade`, what happens because time
passes is in `clock`."""

import asyncio
from collections.abc import Coroutine
from time import monotonic
from urllib.parse import urlsplit

from orchestrator.gateway import activity, answers, own, private, upstreams
from orchestrator.gateway.access import Access
from orchestrator.gateway.accesslog import AccessLog
from orchestrator.gateway.activity import Repetitions, Reports
from orchestrator.gateway.admission import admit
from orchestrator.gateway.client import HELD, Client
from orchestrator.gateway.config import GatewayConfig
from orchestrator.gateway.control import Control
from orchestrator.gateway.feed import Feed
from orchestrator.gateway.forward import Upstream
from orchestrator.gateway.hosts import CONSOLE, Hosts, is_internal
from orchestrator.gateway.limits import Crowd, Rates
from orchestrator.gateway.outcome import WAKE, Outcome, decide
from orchestrator.gateway.pool import Pool
from orchestrator.gateway.request import Request
from orchestrator.gateway.routes import Route, Table
from orchestrator.gateway.tally import Tally
from orchestrator.gateway.upgrade import Tunnel, begin
from orchestrator.gateway.waiting import Waiting

_KEEPS, _ONCE = activity.KEEPS, activity.ONCE
_FORWARD = Outcome.FORWARD  # enum members are slow to reach


class Gateway:
    """Everything that requests share."""

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.now = monotonic()  #: a clock that ticks once a second
        self.draining = False
        self.hosts = Hosts(config.apps_domain, config.public_url, config.app_endpoint)
        self.control = Control(config.control, config.feed_token, config.listen[0][1])
        self.waiting = Waiting(self.dispatch, config.held_per_space)
        self.table = Table(config.public_url, self.waiting.changed, self._retire, self.waiting.listened)
        self.feed = Feed(self.table, self.control)
        self.reports = Reports(self.control)
        self.tally = Tally(self.control, config.feed_token)
        self.access_log = AccessLog(config.access_log, config.access_log_size)
        self.clients: set[Client] = set()
        self.tunnels: set[Tunnel] = set()
        https = config.public_url.startswith("https:")
        local = self.hosts.apps_domain == "localhost" or self.hosts.apps_domain.endswith(".localhost")
        self.access = Access(https, https or local)
        self.scheme = urlsplit(config.public_url).scheme.encode()
        self._console = Pool(self, config.control, console=True)
        self.pools: set[Pool] = {self._console}
        self.rates = Rates(config.rate_limit) if config.rate_limit > 0 else None
        self._crowd = Crowd(config.connections_per_address) if not config.trusted_proxies else None
        self._repetitions = Repetitions()
        self._tasks: set[asyncio.Task] = set()

    # Connections come and go

    def welcome(self, client: Client) -> bool:
        if self._crowd is not None and not self._crowd.enter(client.peer):
            return False
        self.clients.add(client)
        return True

    def farewell(self, client: Client) -> None:
        if client in self.clients:
            self.clients.discard(client)
            if self._crowd is not None:
                self._crowd.leave(client.peer)

    def abandoned(self, request: Request) -> None:
        """The visitor left, or its request turned out to be wrong."""
        if request.upstream is not None:
            request.upstream.abandon()
        if request.door:
            self.waiting.leave(request)
        if request.client.closing:
            request.outcome = "left" if request.status != 200 or request.outcome != "own" else request.outcome
            self.log(request)

    # Admission

    def dispatch(self, request: Request) -> None:
        """Take a request as far as it goes now. Called with its whole header, and again when what it waited for happened."""
        if request.client.request is not request:
            return
        request.until = 0.0
        if request.door is None and not admit(self, request):
            return
        if request.door == CONSOLE:
            self._serve_console(request)
        else:
            self._serve_space(request)

    def _serve_console(self, request: Request) -> None:
        if is_internal(request.target):
            request.outcome = "refused"
            answers.nothing(self, request)
            return
        if request.target.startswith(own.PREFIX):
            own.of_gateway(self, request)
            return
        request.outcome = "console"
        self._forward(request, self._console)

    # A Space

    def _serve_space(self, request: Request) -> None:
        route = request.route = self.table.get(request.door)
        allowed, page, state = True, False, None
        target = request.target
        if route is None:
            allowed = private.allowed(self, request, private.NOWHERE)
        else:
            state = route.state
            if route.private:
                allowed = private.allowed(self, request, route)
        ours = target.startswith(own.PREFIX)
        if not request.use:
            noted = request.noted
            mode, purpose = noted.get(b"sec-fetch-mode"), noted.get(b"sec-purpose")
            request.use = activity.use_of(request.method, target.partition(b"?")[0], mode, purpose, request.upgrade)
        if state != "open" or request.signed is not None:
            page = request.wants_page and request.method in (b"GET", b"HEAD")
        signed = page and request.signed is not None
        wakes, table = request.use & activity.WAKES > 0, self.table
        outcome = decide(state, allowed, page, wakes, signed, ours, table.informed, table.current or request.listened)
        request.outcome = outcome
        if outcome is _FORWARD:
            self._note_use(request, route)
            if self._fits(request):
                self._forward(request, route.pool or upstreams.pool_for(self, request, route))
        else:
            self._act(outcome, request, route)

    def _act(self, outcome: Outcome, request: Request, route: Route | None) -> None:
        if outcome in (Outcome.MISSING, Outcome.ASLEEP) and (fields := private.preflight(request)):
            answers.reply(self, request, 200, b"", fields)
            return
        match outcome:
            case Outcome.HOLD:
                self._hold(request, route)
            case Outcome.WAITING_PAGE:
                self._wake(request, route)
                answers.waiting(self, request)
            case Outcome.ASLEEP:
                answers.not_now(self, request)
            case Outcome.CLOSED_PAGE:
                answers.closed(self, request)
            case Outcome.ASK:
                self._pause(request)
                self._spawn(self._ask(request, route or private.NOWHERE))
            case Outcome.EXCHANGE:
                answers.reply(self, request, 303, b"", private.exchange(self, request, route))
            case Outcome.OWN:
                own.of_space(self, request)
            case Outcome.LISTEN:
                self._listen(request)
            case Outcome.UNKNOWING:
                answers.unknowing(self, request)
            case _:
                answers.missing(self, request)

    def _fits(self, request: Request) -> bool:
        if request.length > self.config.body_limit:
            self.too_large(request)
            return False
        return True

    def _note_use(self, request: Request, route: Route) -> None:
        use = request.use
        if use & _KEEPS:
            self.tally.opened(request, route)
            request.keeps = True
        elif use & _ONCE:
            request.keeps = self._repetitions.is_new((request.address, route.label, request.target), self.now)
        if request.keeps:
            self.reports.used(route.space)

    def _wake(self, request: Request, route: Route) -> None:
        if route.state == WAKE:
            self.reports.wake(route.space)
        else:
            self._note_use(request, route)

    def _hold(self, request: Request, route: Route) -> None:
        if not self._fits(request):
            return
        self._wake(request, route)
        self._pause(request)
        request.until = (request.first_try or request.started) + self.config.hold_timeout
        request.give_up = lambda: self._gave_up(request)
        if not self.waiting.hold(request):
            answers.busy(self, request)

    def _listen(self, request: Request) -> None:
        """The Space may be one that this gateway has not heard of yet."""
        self._pause(request)
        request.until = request.started + self.config.retry_timeout
        request.give_up = lambda: self._listened(request)
        if not self.waiting.hold(request):
            answers.busy(self, request)

    def _listened(self, request: Request) -> None:
        self.waiting.leave(request)
        request.listened = True
        self.dispatch(request)

    def _gave_up(self, request: Request) -> None:
        self.waiting.leave(request)
        answers.not_now(self, request)

    async def _ask(self, request: Request, route: Route) -> None:
        request.allowed = await private.ask(self, request, route)
        self.unpause(request)
        self.dispatch(request)

    # Forwarding

    def _retire(self, pool: Pool) -> None:
        pool.retire()
        self.pools.discard(pool)

    def _forward(self, request: Request, pool: Pool) -> None:
        if pool.busy >= self.config.connections_per_space and not pool.console:
            answers.busy(self, request)
            return
        upstream = pool.take(request)
        if upstream is not None:
            upstream.begin(request)
            if not request.complete:
                self.unpause(request)
        else:
            self._pause(request)
            self.pools.add(pool)
            self._spawn(upstreams.connect(self, request, pool))

    def _pause(self, request: Request) -> None:
        if not request.complete or request.early:
            request.client.pause(HELD)

    def unpause(self, request: Request) -> None:
        if request.client.request is request and not request.early:
            request.client.resume(HELD)

    def elsewhere(self, request: Request, pool: Pool) -> bool:
        """The upstream closed its connection without an answer: does another replica give it?"""
        return upstreams.elsewhere(self, request, pool)

    def broken(self, request: Request, reason: str) -> None:
        """The upstream misbehaved before any of its answer was passed on."""
        if request.client.request is not request:
            return
        request.outcome = "broken"
        request.client.resume(HELD)
        answers.failed(self, request, 502, reason)

    def timed_out(self, request: Request) -> None:
        request.upstream.abandon()
        request.outcome = "timeout"
        answers.failed(self, request, 504, f"it did not answer within {self.config.response_timeout:g} seconds")

    def too_large(self, request: Request) -> None:
        request.outcome = "refused"
        limit = self.config.body_limit
        request.client.fail(413, f"The body is larger than {limit / 1024**2:g} MB.")

    def upgraded(self, request: Request, upstream: Upstream, rest: bytes) -> None:
        """Both sides agreed on a WebSocket."""
        self.clients.discard(request.client)
        self.tunnels.add(begin(self, request, upstream, rest))

    def tunnel_ended(self, tunnel: Tunnel) -> None:
        self.tunnels.discard(tunnel)
        request = tunnel.request
        if self._crowd is not None:
            self._crowd.leave(request.client.peer)
        request.outcome = "tunnel"
        self.log(request)

    def log(self, request: Request) -> None:
        self.tally.answered(request, now := monotonic())
        self.access_log.write(request, now)

    def _spawn(self, work: Coroutine) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
