"""Runs git, hardened: its own configuration and nothing of the host's, no hooks of repos, explicit git directory, time and
output limits, whole process groups ended. Owns the configuration file and the hooks directory that GitRepos needs.

Facts: git's SECURITY notes in git(1), git-config(1), git-receive-pack(1)."""

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from orchestrator.errors import PodiumError, Unavailable, repo_not_found
from orchestrator.repos.lock import held

MEMORY_LIMIT = 1024**3  #: bytes of private memory of one git process
WALL_CLOCK = 600.0  #: seconds that any git process may take

_CONFIG = """\
# Written by Podium at start; changes are lost.
[receive]
	fsckObjects = true
	maxInputSize = {max_input}
	autogc = false
	unpackLimit = 1
	denyCurrentBranch = ignore
	denyDeleteCurrent = ignore
[transfer]
	fsckObjects = true
	hideRefs = refs/podium
	advertiseSID = false
[fastimport]
	# Always a pack, of one object too: quarantine and fsync know packs.
	unpackLimit = 0
[fetch]
	# The same: loose objects of a fetch would be fsynced one by one, and their folders not at all.
	unpackLimit = 1
[uploadpack]
	# Version 2 of the protocol gives any object of a repo to who may read it; clients that speak an older one, as go-git
	# and libgit2 do, ask for commits by their ids too.
	allowAnySHA1InWant = true
	allowFilter = true
[uploadpackfilter]
	# The cheap ones; patterns of sparse:oid would be matched against every path.
	allow = false
[uploadpackfilter "blob:none"]
	allow = true
[uploadpackfilter "blob:limit"]
	allow = true
[uploadpackfilter "object:type"]
	allow = true
[uploadpackfilter "tree"]
	allow = true
	maxTreeDepth = 0
[http]
	getanyfile = false
	uploadarchive = false
	receivepack = false
	uploadpack = false
[core]
	fsync = all
	fsyncMethod = fsync
	# Milliseconds that one of several writers waits for another one's fsync; git's own 100 are over on a slow disk.
	filesRefLockTimeout = 5000
	packedRefsTimeout = 5000
	hooksPath = /dev/null
	symlinks = false
	protectHFS = true
	protectNTFS = true
	bigFileThreshold = 16m
	packedGitWindowSize = 32m
	packedGitLimit = 512m
	quotePath = false
[pack]
	threads = 1
	windowMemory = 64m
	deltaCacheSize = 64m
[gc]
	auto = 0
[maintenance]
	auto = false
[safe]
	bareRepository = explicit
	directory = *
[protocol]
	allow = never
"""


#: git has taken the packs of a push in and is about to move its refs: their names are durable first.
_BEFORE_REFS = """\
#!/bin/sh
[ "$1" = prepared ] && exec sync "${GIT_DIR:-.}/objects/pack"
exit 0
"""


class GitFailed(Unavailable):
    """git ended with an error that we did not expect; `detail` is for the log, never for callers."""

    def __init__(self, what: str, code: int, detail: str) -> None:
        super().__init__(f"git {what} failed ({code}): {detail[:500]}")
        self.code = code
        self.detail = detail


def failed(git_dir: str, what: str, code: int, detail: str) -> PodiumError:
    """The error to raise: a repo that was removed meanwhile is not ours to mend."""
    return GitFailed(what, code, detail) if os.path.isdir(git_dir) else repo_not_found()


class Git:
    """`home` is a directory of ours outside the repos; `push_limit` in bytes."""

    def __init__(self, home: Path, push_limit: int) -> None:
        program = shutil.which("git")
        if program is None:
            raise Unavailable("git is not installed; install it and start again")
        hooks = home / "hooks"
        hooks.mkdir(parents=True, exist_ok=True)
        program_of_hook = Path(__file__).with_name("hook.py")
        command = f"exec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(program_of_hook))}"
        _write(hooks / "pre-receive", f"#!/bin/sh\n{command}\n", 0o755)
        _write(hooks / "reference-transaction", _BEFORE_REFS, 0o755)
        config = home / "git.cfg"
        # The wrapper stops at push_limit with words; this is the hard stop behind it.
        _write(config, _CONFIG.format(max_input=push_limit + 1024**2), 0o644)
        self.program = program
        #: For `receive-pack` only: nothing else asks or is asked.
        self.hooks = ("-c", f"core.hooksPath={hooks}")
        self._environment = {
            "PATH": os.pathsep.join(dict.fromkeys([str(Path(program).parent), "/usr/local/bin", "/usr/bin", "/bin"])),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_SYSTEM": str(config),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**self._environment, **(extra or {})}

    def command(self, git_dir: str, *args: str) -> list[str]:
        return [self.program, f"--git-dir={git_dir}", *args]

    def start(
        self,
        git_dir: str,
        *args: str,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        env: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> subprocess.Popen:
        """`within`: a command that runs it."""
        process = subprocess.Popen(
            [*within, *self.command(git_dir, *args)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(env),
            cwd="/",
            start_new_session=True,
            pass_fds=held(),
        )
        limit(process.pid)
        return process

    def run(
        self,
        git_dir: str,
        *args: str,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """What a short git command prints. Raises GitFailed for another exit code, Unavailable when it takes too long."""
        process = self.start(git_dir, *args, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, env=env)
        try:
            output, errors = process.communicate(stdin or None, timeout)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"git {args[0]} took longer than {timeout:g} s") from None
        finally:
            end(process)
        if process.returncode not in ok:
            raise failed(git_dir, args[0], process.returncode, errors.decode("utf-8", "replace").strip())
        return output

    @contextmanager
    def pipe(
        self,
        git_dir: str,
        *commands: tuple[str, ...],
        stdin: bytes = b"",
        timeout: float = WALL_CLOCK,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[IO[bytes]]:
        """The output of commands joined by pipes, to be read bit by bit; all are ended on leaving, read or not.

        Raises GitFailed on leaving if one failed and everything was read."""
        started: list[subprocess.Popen] = []
        timer = threading.Timer(timeout, lambda: [end(process) for process in started])
        with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as complaints:
            first.write(stdin)
            first.seek(0)
            source: IO[bytes] = first
            try:
                for args in commands:
                    process = subprocess.Popen(
                        self.command(git_dir, *args),
                        stdin=source,
                        stdout=subprocess.PIPE,
                        stderr=complaints,
                        env=self.environment(env),
                        cwd="/",
                        start_new_session=True,
                        pass_fds=held(),
                    )
                    limit(process.pid)
                    started.append(process)
                    if source is not first:
                        source.close()
                    source = process.stdout
                timer.daemon = True
                timer.start()
                yield source
                if source.read(1) == b"":
                    self._judge(git_dir, started, commands, complaints)
            finally:
                timer.cancel()
                for process in started:
                    end(process)
                source.close()

    @staticmethod
    def _judge(git_dir: str, started: list[subprocess.Popen], commands: tuple, complaints: IO[bytes]) -> None:
        for process, args in zip(started, commands, strict=True):
            if process.wait(10):
                complaints.seek(0)
                detail = complaints.read(2000).decode("utf-8", "replace").strip()
                raise failed(git_dir, args[0], process.returncode, detail)


def limit(pid: int) -> None:
    """Bound the private memory of a git process and of what it starts; read-only file mappings do not count."""
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    except (ProcessLookupError, PermissionError):
        pass


def end(process: subprocess.Popen) -> None:
    """End a process and everything it started. Asking first lets git remove its lock files."""
    for sign, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
        if process.poll() is not None:
            break
        try:
            os.killpg(process.pid, sign)
            process.wait(patience)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    for stream in (process.stdin, process.stdout, process.stderr):
        try:
            if stream:
                stream.close()
        except OSError:  # what was still to be written has no reader
            pass


def _write(path: Path, text: str, mode: int) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)
