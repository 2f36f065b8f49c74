"""One lock per repo, of all processes that share its volume. Whoever moves refs holds it together with other writers, from the
first object that he relies on to the ref that names it; what takes objects away holds it alone, and does not wait for writers.

The lock is flock(2) on a file in the repo. Programs of git that a writer starts inherit it, so that it lasts as long as they do
when the writer is killed. On a file system without such locks repos are written to and removed, and no object is taken away."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from orchestrator.errors import Unavailable, repo_not_found

PATIENCE = 60.0  #: seconds that a writer waits for what is being taken away
_WRITERS, _CARE = "podium-writers", "podium-care"
_PAUSE = 0.02
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_held: ContextVar[tuple[int, ...]] = ContextVar("held", default=())


def held() -> tuple[int, ...]:
    """What a program that is started now is to inherit."""
    return _held.get()


@contextmanager
def writing(git_dir: str) -> Iterator[None]:
    """What is in the repo stays there meanwhile. May be nested. Raises NotFound for a repo that is gone, Unavailable."""
    handle = shared(git_dir)
    before = _held.set((*_held.get(), handle))
    try:
        yield
    finally:
        _held.reset(before)
        os.close(handle)


def shared(git_dir: str) -> int:
    """The same without a block: a descriptor, which is to be closed. Raises as `writing`."""
    until = time.monotonic() + PATIENCE
    while (handle := _taken(git_dir, _WRITERS, fcntl.LOCK_SH, True)) is None:
        if time.monotonic() > until:
            raise Unavailable(f"{git_dir}: what nothing names is being removed; try again in a minute")
        time.sleep(_PAUSE)
    return handle


@contextmanager
def alone(git_dir: str, patience: float = 0.0, unsure: bool = False) -> Iterator[bool]:
    """Whether nobody writes meanwhile, `unsure` where there are no locks. Raises NotFound for a repo that is gone."""
    until = time.monotonic() + patience
    while (handle := _taken(git_dir, _WRITERS, fcntl.LOCK_EX, unsure)) is None and time.monotonic() < until:
        time.sleep(_PAUSE)
    with _closing(handle):
        yield handle is not None


@contextmanager
def caring(git_dir: str) -> Iterator[bool]:
    """Whether nobody else packs this repo now. Raises NotFound for a repo that is gone."""
    handle = _taken(git_dir, _CARE, fcntl.LOCK_EX, False)
    with _closing(handle):
        yield handle is not None


@contextmanager
def _closing(handle: int | None) -> Iterator[None]:
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _taken(git_dir: str, name: str, how: int, unsure: bool) -> int | None:
    """A descriptor that holds the lock, None when it is held otherwise; `unsure`: one also where there are no locks."""
    path = os.path.join(git_dir, name)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        raise repo_not_found() from None
    except OSError as error:
        raise Unavailable(f"the storage of repos failed: {error.strerror or error}") from None
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            return handle
    except FileNotFoundError:  # removed between the two
        pass
    except OSError as error:
        if unsure and error.errno in _NO_LOCKS:
            return handle
    os.close(handle)
    return None
