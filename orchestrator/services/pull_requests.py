"""Pull requests: discussions with a ref of their own, which can be compared with their base and merged into it. A merge is one
commit on the base, with the files of both sides; it goes through `Pushes`, like every commit."""

from collections.abc import Iterable

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.discussions import Discussion, Happening, Status, merge_message
from orchestrator.domain.push import ZERO, RefUpdate, printable
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import MAIN, Role
from orchestrator.domain.tree import Change, Commit
from orchestrator.errors import Conflict, NotFound
from orchestrator.ports import Repos
from orchestrator.ports_refs import Refs
from orchestrator.services.discussions import Discussions
from orchestrator.services.pushes import Pushes

DIFF_LIMIT = 4 * 1024**2  #: bytes
COMMITS_SHOWN = 500


class PullRequests:
    def __init__(self, discussions: Discussions, repos: Repos, refs: Refs, pushes: Pushes) -> None:
        self._discussions = discussions
        self._repos = repos
        self._refs = refs
        self._pushes = pushes

    # ----------------------------------------------------------------------------------------------------- opening

    def open(
        self, caller: Caller, repo: AnyRepo, title: str, text: str, base: str = MAIN, status: Status = Status.DRAFT
    ) -> Discussion:
        """A pull request without changes yet, against a branch. Raises NotFound `RevisionNotFound` for one that is not there."""
        self._base(repo, base)
        made = self._discussions.open(caller, repo, title, text, pull_request=True, status=status, base=base)
        self.head(repo, made)
        return made

    def open_with(
        self,
        caller: Caller,
        repo: AnyRepo,
        changes: Iterable[Change],
        message: str,
        parent: str | None = None,
        base: str = MAIN,
    ) -> tuple[Discussion, str]:
        """A pull request with a first commit: both, or neither. Raises what `Pushes.commit` raises."""
        title, _, rest = message.partition("\n")
        title = title.strip()[:200].ljust(3, ".")
        text = rest.strip() or f"This pull request was opened with a commit: {title}"
        made = self.open(caller, repo, title, text, base, Status.OPEN)
        try:
            return made, self._pushes.commit(caller, repo, changes, message, parent, made.ref)
        except BaseException:
            # The ref first: a number is given again, and must not find one.
            self._refs.move(repo.id, made.ref, ZERO, self.head(repo, made))
            self._discussions.abandon(made)
            raise

    def head(self, repo: AnyRepo, one: Discussion) -> str:
        """The commit of its ref, which is made where a crash left it out."""
        found = self._repos.head(repo.id, one.ref)
        if found is None:
            with self._repos.writing(repo.id):
                found = self._base(repo, one.base)
                self._refs.move(repo.id, one.ref, found, ZERO)
        return found

    def _base(self, repo: AnyRepo, ref: str) -> str:
        found = self._repos.head(repo.id, ref) if ref.startswith("refs/heads/") else None
        if found is None:
            raise NotFound("RevisionNotFound", f"Invalid rev id: {printable(ref.removeprefix('refs/heads/'), 100)}")
        return found

    # ----------------------------------------------------------------------------------------------------- reading

    def sides(self, repo: AnyRepo, one: Discussion) -> tuple[str, str]:
        """(base, head) that are compared: of a merged one as they were then, ("", "") when its branch was squashed since. A base
        that is gone counts as the head."""
        if one.base_oid:
            head = self._repos.head(repo.id, one.ref)
            return (one.base_oid, head) if head and self._is_there(repo, one.base_oid) else ("", "")
        base = self._repos.head(repo.id, one.base)
        head = self.head(repo, one) if base else self._repos.head(repo.id, one.ref) or ""
        return base or head, head

    def _is_there(self, repo: AnyRepo, commit: str) -> bool:
        try:
            return bool(self._repos.resolve(repo.id, commit))
        except NotFound:
            return False

    def commits(self, repo: AnyRepo, one: Discussion) -> list[Commit]:
        base, head = self.sides(repo, one)
        return self._refs.between(repo.id, base, head, COMMITS_SHOWN) if head else []

    def diff(self, repo: AnyRepo, one: Discussion) -> str:
        base, head = self.sides(repo, one)
        pieces = self._refs.diff(repo.id, base, head, True, DIFF_LIMIT) if head else ()
        return b"".join(pieces).decode("utf-8", "replace")

    def conflicts(self, repo: AnyRepo, one: Discussion) -> list[str] | bool:
        """Files that both sides changed; True where they have no past in common."""
        if not one.is_live:
            return []
        tried = self._refs.trial(repo.id, *self.sides(repo, one))
        return True if tried.unrelated else list(tried.conflicts)

    # ----------------------------------------------------------------------------------------------------- merging

    def merge(self, caller: Caller, repo: AnyRepo, one: Discussion, text: str = "") -> Happening:
        """For writers. Raises Conflict `PR_CLOSED`, `PR_DRAFT`, `MERGE_CONFLICT`, `PR_EMPTY`; Stale when the base moves
        meanwhile."""
        require(caller, repo, Role.WRITE, code=True)
        if not one.is_pull_request:
            raise Conflict("NOT_A_PR", f"{one.num} is a discussion; only pull requests can be merged")
        if one.status is Status.DRAFT:
            raise Conflict("PR_DRAFT", f"pull request {one.num} is a draft; set its status to open, then merge it")
        if one.status is not Status.OPEN:
            raise Conflict("PR_CLOSED", f"pull request {one.num} is {one.status}; only an open one can be merged")
        with self._repos.writing(repo.id):
            ours, theirs = self._base(repo, one.base), self.head(repo, one)
            commits = self._refs.between(repo.id, ours, theirs, COMMITS_SHOWN)
            if not commits:
                raise Conflict("PR_EMPTY", f"pull request {one.num} changes nothing; commit to {one.ref} first")
            merged = self._merged(caller, repo, one, ours, theirs, commits)
        return self._discussions.change_status(
            caller, repo, one, Status.MERGED, text, merge_commit=merged, base_oid=ours
        )

    def _merged(
        self, caller: Caller, repo: AnyRepo, one: Discussion, ours: str, theirs: str, commits: list[Commit]
    ) -> str:
        tried = self._refs.trial(repo.id, ours, theirs)
        if not tried.tree:
            listed = ", ".join(printable(path, 80) for path in tried.conflicts[:5]) or "the whole history"
            message = f"pull request {one.num} conflicts with {one.base}: {listed}; merge that into it first"
            raise Conflict("MERGE_CONFLICT", message, filesWithConflicts=list(tried.conflicts[:1000]))
        if tried.same:  # merged by a process that died before it could say so, or by hand
            return ours
        who = one.author or caller.name
        author = (who, f"{who}@users.noreply.podium")
        message = merge_message(one, [(commit.id, commit.title) for commit in commits])
        new = self._refs.merged(repo.id, tried.tree, (ours,), message, author)
        update = RefUpdate(ours, new, one.base)
        self._pushes.move(caller, repo, update, lambda: self._refs.move(repo.id, one.base, new, ours))
        return new
