"""The errors that cross a layer. Owns the classes; the one place that picks HTTP statuses is `api/problems.py`.

    PodiumError
    +-- CallerError          the caller's fault: the message is shown as it is, `code` never changes once published
    |   +-- Unauthorized     who are you?                      401
    |   +-- Forbidden        I know you, and no                403
    |   +-- NotFound         also what a stranger sees         404
    |   +-- Conflict         the name or state is taken        409
    |   +-- Stale            somebody else was faster          412
    |   +-- TooLarge         over a limit                      413
    |   +-- Invalid          a field is wrong                  422 (400 on the Hub's own paths)
    |   |   +-- Unfit        a path that no commit may have    422
    |   +-- TooMany          slow down                         429
    |   +-- Moved            it has another name now           307
    +-- Unavailable          ours: retry later                 503

The author's fault (a build that fails, an app that crashes) is not an exception: it is a `domain.seen.Fault` in a result.
Library exceptions stop at the edge of the adapter that called the library.
"""


class PodiumError(Exception):
    """Base of every error that may leave an adapter or a service."""


class CallerError(PodiumError):
    """The caller can mend it. `code` is stable (`RepoNotFound`, `SECRET_NAME`); `message` is one sentence that says
    what was found and what to write instead. `extra` holds members to add to the JSON body (the Hub's 409 carries `url`)."""

    def __init__(self, code: str, message: str, **extra: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extra = extra


class Unauthorized(CallerError):
    pass


class Forbidden(CallerError):
    pass


class NotFound(CallerError):
    pass


class Conflict(CallerError):
    pass


class Stale(CallerError):
    pass


class TooLarge(CallerError):
    pass


class Invalid(CallerError):
    pass


class Unfit(Invalid):
    """Well said, but nothing that a repo can hold; 422 on the Hub too."""


class TooMany(CallerError):
    """`retry_after` in seconds goes into the Retry-After header."""

    def __init__(self, code: str, message: str, retry_after: float = 1.0, **extra: object) -> None:
        super().__init__(code, message, **extra)
        self.retry_after = retry_after


class Moved(CallerError):
    """What is called `old` (`owner/name`) is called `new` now. Only for those who may see it."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__("RepoMoved", f"{old} is called {new} now; use that name.")
        self.old = old
        self.new = new


class Unavailable(PodiumError):
    """Something of ours is down; nothing was changed, trying again later is right."""


def repo_not_found() -> NotFound:
    """What a stranger sees of a private repo and of one that does not exist: the same. Without a full stop, because clients
    leave out what their own text says already."""
    return NotFound("RepoNotFound", "Repository not found")
