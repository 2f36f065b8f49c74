"""The rules of a push, pure: what was pushed (facts, gathered by a Repos) -> refusals and notes in words. Owns every limit's
sentence; reads no repo."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.domain.space import MAIN
from orchestrator.errors import Invalid

ZERO = "0" * 40
CONVERTED = "refs/convert/"  #: what programs made of a dataset, as its Parquet: like branches, but nobody works on them
WRITTEN = ("refs/heads/", CONVERTED)  #: refs that take commits, beside those of pull requests
UPDATES_LIMIT = 2000  #: refs in one push; mirrors of long-lived projects have hundreds of tags
COMMIT_LIMIT = 256 * 1024  #: bytes of one commit object: message, parents and signatures together
ENTRIES_LIMIT = 1_000_000  #: entries counted in one revision before it is called a bomb
OBJECTS_LIMIT = 2_000_000  #: new objects in one push
SCANNED = 1024**2  #: bytes; larger files are not searched for tokens
_TOKEN = re.compile(rb"(?<![A-Za-z0-9_])hf_[A-Za-z0-9_-]{16,200}")
_SHOWN = 5  #: how many paths a message lists
_PULL_REQUEST = re.compile(r"refs/pr/[1-9][0-9]{0,8}", re.ASCII)
_UPDATE = re.compile(r"([0-9a-f]{40}) ([0-9a-f]{40}) (\S.*)", re.ASCII)
#: Control characters, and those that change the direction of what follows them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One line of a push. `old` ZERO creates, `new` ZERO deletes."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        return self.new == ZERO

    @property
    def short(self) -> str:
        return printable(self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/"), 100)


@dataclass(frozen=True, slots=True)
class PushLimits:
    """Bytes, except `files`: files in one revision."""

    file: int
    files: int
    repo: int
    push: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something in a new file that has the shape of an access token."""

    secret: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Revision:
    """The tree of one new tip. `files` stops at ENTRIES_LIMIT + 1; `twins` are paths that differ only by case or by
    Unicode form; `odd` are paths with control characters. `fault`: git could not walk it."""

    commit: str
    files: int
    twins: tuple[tuple[str, str], ...] = ()
    odd: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push would add to a repo. `big`: new files over the limit (path, bytes), `big_count` of them in all.
    `heavy`: commits over COMMIT_LIMIT. `repo_bytes`: the repo's size with the push. `large`: SHA-256 of each large object that
    a new pointer names -> a path of such a pointer and the size that it says."""

    repo_bytes: int
    objects: int = 0
    big: tuple[tuple[str, int], ...] = ()
    big_count: int = 0
    heavy: tuple[str, ...] = ()
    revisions: tuple[Revision, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    readme: bytes | None = None
    large: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lines` are shown to the pusher either way."""

    accepted: bool
    lines: tuple[str, ...] = ()


def printable(text: str, limit: int = 200) -> str:
    """Text of a stranger for use in a sentence: control characters escaped, cut to `limit` characters."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return _UNPRINTABLE.sub(lambda m: m[0].encode("unicode_escape", "surrogatepass").decode(), cut)


def amount(size: int) -> str:
    """Bytes as people say them: 80 MB, 10.4 GB."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"


def parse_updates(text: str) -> tuple[RefUpdate, ...]:
    """The lines that git gives to a pre-receive hook. Raises Invalid `GIT_PROTOCOL`."""
    found = []
    for line in text.splitlines():
        match = _UPDATE.fullmatch(line)
        if not match:
            raise Invalid("GIT_PROTOCOL", f"not a ref update: {printable(line, 80)!r}")
        found.append(RefUpdate(*match.groups()))
    return tuple(found)


def judge_refs(updates: tuple[RefUpdate, ...]) -> list[Refusal]:
    """What is wrong with the refs alone; asked before anything is read."""
    if len(updates) > UPDATES_LIMIT:
        message = f"{len(updates)} refs in one push, at most {UPDATES_LIMIT}; push them in parts"
        return [Refusal("TOO_MANY_REFS", message)]
    found = []
    if any(update.ref == MAIN and update.deletes for update in updates):
        found.append(Refusal("DELETE_MAIN", "cannot delete 'main', it is the deployed branch"))
    others = [update for update in updates if not update.ref.startswith((*WRITTEN, "refs/tags/"))]
    requests = [update for update in others if _PULL_REQUEST.fullmatch(update.ref)]
    if ends := [update.ref for update in requests if ZERO in (update.old, update.new)]:
        message = f"{ends[0]} comes and goes with its pull request; open one with create_pr, then push to it"
        found.append(Refusal("REF_NAME", message + _more(ends)))
    if odd := [update.ref for update in others if update not in requests]:
        message = f"only branches and tags can be pushed, not {printable(odd[0], 100)!r}"
        found.append(Refusal("REF_NAME", message + _more(odd)))
    if found and others and len(updates) > len(others):
        found.append(
            Refusal("REF_NAME", "in place of --mirror: git push --force <address> 'refs/heads/*' 'refs/tags/*'")
        )
    return found


def _more(refs: list[str]) -> str:
    return f" (and {len(refs) - 1} more like it)" if len(refs) > 1 else ""


def judge(pushed: Pushed, limits: PushLimits) -> list[Refusal]:
    """Why this push cannot be stored; empty when it can."""
    found = []
    if pushed.objects > OBJECTS_LIMIT:
        message = f"the push adds more than {OBJECTS_LIMIT} objects; push the history in parts"
        found.append(Refusal("TOO_MANY_OBJECTS", message))
    if pushed.big:
        found.append(too_large(pushed.big, pushed.big_count, limits.file))
    for commit in pushed.heavy[:1]:
        message = (
            f"commit {commit[:10]} is larger than {amount(COMMIT_LIMIT)}; shorten its message or its list of parents"
        )
        found.append(Refusal("COMMIT_TOO_LARGE", message))
    for revision in pushed.revisions:
        if refusal := judge_revision(revision, limits):
            found.append(refusal)
            break
    if pushed.repo_bytes > limits.repo:
        found.append(Refusal("REPO_TOO_LARGE", repo_too_large(pushed.repo_bytes, limits.repo)))
    return found


def judge_revision(revision: Revision, limits: PushLimits) -> Refusal | None:
    if revision.fault:
        return Refusal("BAD_TREE", f"git cannot walk the files of {revision.commit[:10]}: {printable(revision.fault)}")
    if revision.files > ENTRIES_LIMIT:
        message = f"{revision.commit[:10]} unfolds to more than {ENTRIES_LIMIT} files, limit {limits.files}"
        return Refusal("TREE_BOMB", message)
    if revision.files > limits.files:
        message = f"{revision.files} files in {revision.commit[:10]}, limit {limits.files}; put data into an archive or a dataset"
        return Refusal("TOO_MANY_FILES", message)
    return None


def too_large(big: tuple[tuple[str, int], ...], count: int, limit: int) -> Refusal:
    listed = ", ".join(f"{printable(path)} ({amount(size)})" for path, size in big[:_SHOWN])
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    what = "1 file is" if count == 1 else f"{count} files are"
    first = printable(big[0][0]).replace('"', "")
    message = (
        f"{what} larger than {amount(limit)}: {listed}{more}. Store large files with git LFS: "
        f'git lfs migrate import --include="{first}" --everything, then push again'
    )
    return Refusal("FILE_TOO_LARGE", message)


def repo_too_large(size: int, limit: int) -> str:
    return f"the repository would be {amount(size)}, limit {amount(limit)}"


def secrets_in(content: bytes) -> Iterator[tuple[str, int]]:
    """What has the shape of an access token in a text file, with its line from 1."""
    if b"\0" in content[:8000]:
        return
    for match in _TOKEN.finditer(content):
        yield match[0].decode(), content.count(b"\n", 0, match.start()) + 1


def leaked(sighting: Sighting, name: str) -> Refusal:
    where = f"{printable(sighting.path)}:{sighting.line}"
    message = (
        f"the push contains an active access token at {where}; it has been revoked ({printable(name, 60)!r}). "
        "Keep tokens in the Space's secrets, and take it out of the commit"
    )
    return Refusal("TOKEN_LEAKED", message)


def notes(updates: tuple[RefUpdate, ...], pushed: Pushed, deploys: bool = True) -> list[str]:
    """What the pusher should know although the push is fine. `deploys`: main of this repo is built and served."""
    found = []
    branches = [u for u in updates if u.ref.startswith("refs/heads/") and u.ref != MAIN and not u.deletes]
    if deploys and branches and not any(u.ref == MAIN for u in updates):
        found.append(f"note: only 'main' is deployed; {branches[0].short!r} was stored")
    for revision in pushed.revisions:
        for one, other in revision.twins[:_SHOWN]:
            found.append(
                f"note: {printable(one)!r} and {printable(other)!r} differ only by case or Unicode form; "
                "they cannot both exist on Windows or macOS"
            )
        for path in revision.odd[:_SHOWN]:
            found.append(
                f"warning: PATH_CHARS: the name {printable(path)!r} has control or direction characters; the build will refuse it"
            )
    return found
