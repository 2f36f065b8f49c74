"""Smart HTTP on git's own programs, streaming: bytes of a request into `upload-pack` or `receive-pack`, their output out, memory
bounded by pipes. Owns processes on the event loop, how many may run, and when a pusher hears of success. Knows no HTTP and no
user. Protocol: gitprotocol-http(5), gitprotocol-pack(5)."""

import asyncio
import logging
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from orchestrator.errors import Invalid, PodiumError, TooLarge, repo_not_found
from orchestrator.repos.git import GitRepos
from orchestrator.repos.lock import shared
from orchestrator.repos.pktline import FLUSH, Commands, Holder, packet, read_commands, say
from orchestrator.repos.process import WALL_CLOCK, limit
from orchestrator.repos.slots import Slots

log = logging.getLogger(__name__)
_CHUNK = 64 * 1024
_DRAIN_SECONDS = 60.0
PUSH_CLOCK = WALL_CLOCK  #: seconds that a push may take: what is swept as left by the dead is a little older
FETCH_CLOCK = 6 * 3600.0  #: seconds that a fetch may take; git itself ends one that does not move for 60
_PROTOCOL = re.compile(r"version=[012]")

#: What git's own texts mean, for the pusher. First match wins.
_EXPLAINED = (
    (rb"No space left on device|Disk quota exceeded", "STORAGE_FULL: the server's storage is full; nothing was stored"),
    (
        rb"pack exceeds maximum allowed size",
        "PUSH_TOO_LARGE: the push is over the limit; push the history in parts, or store large files with git LFS",
    ),
    (
        rb"object [0-9a-f]+: (\w+):|(\w+): contains",
        "FSCK: git refuses an object of this push ({0}); nothing was stored. The line above names it",
    ),
    (rb"fsck error", "FSCK: git refuses an object of this push; nothing was stored"),
    (rb"index-pack abnormal exit|did not receive expected object", "BAD_PACK: the pack is damaged; nothing was stored"),
)

_ENDED = "BAD_PUSH: git ended without a report; push again"
_SLOW = (
    f"PUSH_SLOW: the push took longer than {WALL_CLOCK / 60:g} minutes, nothing was stored; "
    "push the history in parts, or store large files with git LFS"
)


class Smart:
    """`socket`: of the control plane, for the hook. `limits`: total processes, and of one user."""

    def __init__(self, repos: GitRepos, socket: Path, push_limit: int, limits: tuple[int, int] = (64, 8)) -> None:
        self._repos = repos
        self._socket = str(socket)
        self.push_limit = push_limit
        self.slots = Slots(*limits)

    async def read_commands(self, body: AsyncIterator[bytes]) -> Commands:
        """See pktline.read_commands; `body` is read only as far as needed."""
        return await read_commands(body)

    def advertise(self, repo_id: str | None, service: str, protocol: str = "") -> bytes:
        """What a client sees first: refs and capabilities. `repo_id` None: those of an empty repo. Blocks."""
        where = self._repos.git_dir(repo_id) if repo_id else self._repos.blank
        version = protocol if _PROTOCOL.fullmatch(protocol) and service == "git-upload-pack" else ""
        env = {"GIT_PROTOCOL": version} if version else {}
        program = service.removeprefix("git-")
        refs = self._repos.git.run(where, program, "--stateless-rpc", "--http-backend-info-refs", where, env=env)
        return refs if version == "version=2" else packet(f"# service={service}\n".encode()) + FLUSH + refs

    async def upload(self, repo_id: str, body: AsyncIterator[bytes], protocol: str = "") -> AsyncIterator[bytes]:
        """Answer a fetch. Raises Invalid `GIT_PROTOCOL` before the first chunk when the request makes no sense."""
        where = self._repos.git_dir(repo_id)
        env = {"GIT_PROTOCOL": protocol} if _PROTOCOL.fullmatch(protocol) else {}
        sent = False
        async with self._process(
            "upload-pack", "--strict", "--timeout=60", where=where, env=env, clock=FETCH_CLOCK
        ) as process:
            feeding = asyncio.create_task(_feed(process, b"", body))
            try:
                while chunk := await process.stdout.read(_CHUNK):
                    sent = True
                    yield chunk
                await feeding
            finally:
                feeding.cancel()
            code = await process.wait()
            if code and not os.path.isdir(where):
                raise repo_not_found()
            if code and not sent:
                raise Invalid("GIT_PROTOCOL", "git could not read the request; is this a git client?")

    async def receive(
        self,
        repo_id: str,
        commands: Commands,
        body: AsyncIterator[bytes],
        secret: str,
        settle: Callable[[], list[str]],
    ) -> AsyncIterator[bytes]:
        """Take a push. `body` is what follows `commands.raw`; `secret` lets the hook speak for this push. `settle` runs when
        git has ended, also when it failed or the client left; its lines are shown after success, and the client hears of
        success only after it."""
        env = {"PODIUM_HOOK_SOCKET": self._socket, "PODIUM_PUSH_SECRET": secret}
        where = self._repos.git_dir(repo_id)
        holder = Holder(commands.sideband)
        locking = asyncio.create_task(asyncio.to_thread(shared, where))
        settled: list[asyncio.Task] = []
        late = time.monotonic() + PUSH_CLOCK

        def settling() -> asyncio.Task:
            if not settled:
                settled.append(asyncio.create_task(asyncio.to_thread(settle)))
            return settled[0]

        try:
            lock = await asyncio.shield(locking)
            async with self._process("receive-pack", where=where, env=env, holding=[lock]) as process:
                feeding = asyncio.create_task(_feed(process, commands.raw, body))
                try:
                    async for chunk in _until_refused(process, feeding):
                        if passed := holder.feed(chunk):
                            yield passed
                    await feeding
                except TooLarge as refusal:
                    await _drain(body)
                    yield commands.refusal(f"{refusal.code}: {refusal.message}")
                    return
                finally:
                    feeding.cancel()
                await process.wait()
            lines = await asyncio.shield(settling())
            if commands.sideband:
                said = lines if holder.succeeded else explain(bytes(holder.heard + holder.held))
                if said:
                    yield say(*said)
            yield bytes(holder.held) or commands.refusal(_SLOW if time.monotonic() >= late else _ENDED)
        finally:
            with suppress(PodiumError):
                os.close(await asyncio.shield(locking))
            # Whatever happened to the client, what git has stored takes effect.
            await asyncio.shield(settling())

    @asynccontextmanager
    async def _process(
        self,
        program: str,
        *flags: str,
        where: str,
        env: dict[str, str],
        clock: float | None = None,
        holding: Sequence[int] = (),
    ):
        hooks = self._repos.git.hooks if program == "receive-pack" else ()
        process = await asyncio.create_subprocess_exec(
            *self._repos.git.command(where, *hooks, program, "--stateless-rpc", *flags, where),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._repos.git.environment(env),
            cwd="/",
            start_new_session=True,
            pass_fds=tuple(holding),
        )
        limit(process.pid)
        timer = asyncio.get_running_loop().call_later(clock or PUSH_CLOCK, _signal, process, signal.SIGTERM)
        try:
            yield process
        finally:
            timer.cancel()
            await asyncio.shield(asyncio.create_task(_end(process)))


async def _feed(process: asyncio.subprocess.Process, first: bytes, body: AsyncIterator[bytes]) -> None:
    """Request into git, no faster than it reads. A git that stopped reading is judged by its output."""
    try:
        if first:
            process.stdin.write(first)
            await process.stdin.drain()
        async for chunk in body:
            process.stdin.write(chunk)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError, RuntimeError):  # uvloop's word for a pipe that is closed already
        await _drain(body)
    finally:
        process.stdin.close()


async def _until_refused(process: asyncio.subprocess.Process, feeding: asyncio.Task) -> AsyncIterator[bytes]:
    """Output of git; an error of the request's side is raised as soon as it happens."""
    while True:
        reading = asyncio.create_task(process.stdout.read(_CHUNK))
        try:
            waiting = {reading} if feeding.done() else {reading, feeding}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if feeding.done() and feeding.exception():
                raise feeding.exception()
            chunk = await reading
        finally:
            reading.cancel()
        if not chunk:
            return
        yield chunk


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read what the client still sends, so that it comes to read our answer; not for ever."""
    until = time.monotonic() + _DRAIN_SECONDS
    rest = getattr(body, "rest", None)
    if rest is None:
        return
    async for _ in rest():
        if time.monotonic() > until:
            return


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a git that still runs: asked first, so that it removes its locks and its quarantine."""
    for sign, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
        if process.returncode is not None:
            return
        _signal(process, sign)
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            continue


def _signal(process: asyncio.subprocess.Process, sign: signal.Signals) -> None:
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        pass


def explain(output: bytes) -> list[str]:
    """One line on why git refused, when it is one of the reasons that pushers cannot read out of git's own words."""
    for pattern, text in _EXPLAINED:
        if match := re.search(pattern, output):
            named = next((group.decode() for group in match.groups() if group), "")
            return [text.format(named)]
    return []
