"""Who is to blame. `Fault` is the author's: shown to the author as it is, never retried. `TransientError` is ours: logged and
tried again. Nothing else may leave the builder."""

from enum import StrEnum


class FaultKind(StrEnum):
    """Which stage a fault leads to; the same words as `orchestrator.domain.seen.FaultKind`."""

    NO_APP_FILE = "no_app_file"
    CONFIG = "config"
    BUILD = "build"


class Fault(Exception):
    """What the author can mend. `code` is stable (`REQ_NOT_FOUND`), `message` one sentence with what was found and what to
    write instead, `file` and `line` (from 1; 0 when it has none) where, `hint` optional advice, `subject` the package that
    it is about."""

    def __init__(
        self,
        code: str,
        message: str,
        file: str = "",
        line: int = 0,
        hint: str = "",
        kind: FaultKind = FaultKind.BUILD,
        subject: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.file = file
        self.line = line
        self.hint = hint
        self.kind = kind
        self.subject = subject

    @property
    def where(self) -> str:
        """`file:line`, `file`, or nothing."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    def sentence(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    def advice(self) -> str:
        """The sentence with the hint, for places that have no room of its own for it."""
        return self.sentence() + (f" ({self.hint})" if self.hint and self.hint not in self.message else "")

    def __str__(self) -> str:
        return f"{self.code} {self.sentence()}"


class TransientError(Exception):
    """Something of ours failed (disk, network, a damaged repo); the same build may succeed later."""
