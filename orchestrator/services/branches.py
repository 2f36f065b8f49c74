"""Branches and tags made over the API, and squashing (hub-api reference 2.11, 2.13). Each move of a ref goes through `Pushes`,
so that it has an intent, an audit row and, for main, a deployment."""

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.discussions import pr_number, pr_ref
from orchestrator.domain.push import CONVERTED, ZERO, RefUpdate, printable
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import MAIN, Role
from orchestrator.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator.ports import Repos
from orchestrator.ports_refs import Refs
from orchestrator.services.pushes import Pushes, signature
from orchestrator.services.ref_access import require_ref

MESSAGE_LIMIT = 64 * 1024


class Branches:
    def __init__(self, repos: Repos, refs: Refs, pushes: Pushes) -> None:
        self._repos = repos
        self._refs = refs
        self._pushes = pushes

    def create(
        self,
        caller: Caller,
        repo: AnyRepo,
        name: str,
        start: str | None = None,
        empty: bool = False,
        overwrite: bool = False,
    ) -> tuple[str, str]:
        """A branch at `start` (main without it), or with no files: (ref, commit). Raises Conflict when it is there and not to
        be overwritten, NotFound `RevisionNotFound`, Invalid `REF_NAME`."""
        require(caller, repo, Role.WRITE, code=True)
        ref = _named("heads", name)
        with self._repos.writing(repo.id):
            old = self._repos.head(repo.id, ref)
            if old and not overwrite:
                raise _exists(ref)
            if empty:
                new = self._refs.snapshot(repo.id, None, "initial commit", signature(caller))
            else:
                new = self._repos.resolve(repo.id, start or "main")
            self._move(caller, repo, ref, new, old)
        return ref, new

    def delete(self, caller: Caller, repo: AnyRepo, name: str) -> None:
        require(caller, repo, Role.WRITE, code=True)
        ref = name if name.startswith(CONVERTED) else f"refs/heads/{name}"
        if ref == MAIN:
            raise Forbidden("DELETE_MAIN", f"Cannot delete {MAIN}")
        self._move(caller, repo, ref, ZERO, self._there(repo, ref, name))

    def tag(self, caller: Caller, repo: AnyRepo, revision: str, name: str, message: str = "") -> tuple[str, str]:
        """A tag on a revision, annotated when there is a message: (ref, commit)."""
        require(caller, repo, Role.WRITE, code=True)
        with self._repos.writing(repo.id):
            commit = self._repos.resolve(repo.id, revision)
            ref = _named("tags", name)
            if self._repos.head(repo.id, ref):
                raise _exists(ref)
            if len(message) > MESSAGE_LIMIT:
                raise Invalid("TAG_MESSAGE", f"the message has more than {MESSAGE_LIMIT} characters; shorten it")
            new = self._refs.tag(repo.id, name, commit, message, signature(caller)) if message.strip() else commit
            self._move(caller, repo, ref, new, None)
        return ref, commit

    def untag(self, caller: Caller, repo: AnyRepo, name: str) -> None:
        require(caller, repo, Role.WRITE, code=True)
        ref = f"refs/tags/{name}"
        self._move(caller, repo, ref, ZERO, self._there(repo, ref, name))

    def squash(self, caller: Caller, repo: AnyRepo, name: str, message: str) -> str:
        """Make the history of a branch or of a pull request one commit with the same files; returns it. What was merged into the
        branch is in that commit: the refs of those pull requests go, or they would keep all of the history."""
        whole = pr_number(name) or name.startswith(CONVERTED)
        ref = name if whole else f"refs/heads/{name.removeprefix('refs/heads/')}"
        require_ref(self._pushes.store, caller, repo, ref)
        text = message.strip() or f"Super-squash branch {name!r}"
        if len(text) > MESSAGE_LIMIT:
            raise Invalid("COMMIT_TOO_LARGE", f"the message has more than {MESSAGE_LIMIT} characters; shorten it")
        with self._repos.writing(repo.id):
            old = self._there(repo, ref, name)
            new = self._refs.snapshot(repo.id, old, text, signature(caller))
            self._move(caller, repo, ref, new, old)
            self._let_go(repo, ref)
        return new

    def _let_go(self, repo: AnyRepo, base: str) -> None:
        with self._pushes.store.read() as tx:
            merged = tx.discussions.merged_into(repo.id, base)
        for ref in map(pr_ref, merged):
            if head := self._repos.head(repo.id, ref):
                self._refs.move(repo.id, ref, ZERO, head)

    def _there(self, repo: AnyRepo, ref: str, shown: str) -> str:
        try:
            found = self._repos.head(repo.id, ref)
        except Invalid:
            found = None
        if found is None:
            raise NotFound("RevisionNotFound", f"Invalid rev id: {printable(shown, 100)}")
        return found

    def _move(self, caller: Caller, repo: AnyRepo, ref: str, new: str, old: str | None) -> None:
        update = RefUpdate(old or ZERO, new, ref)
        if update.old == update.new:
            return
        if old is None:
            self._refuse_clash(repo, ref)
        self._pushes.move(caller, repo, update, lambda: self._refs.move(repo.id, ref, new, update.old))

    def _refuse_clash(self, repo: AnyRepo, ref: str) -> None:
        """git keeps refs as files in folders: one cannot be both."""
        folder = ref.split("/")[1]
        for other in self._refs.below(repo.id, f"refs/{folder}"):
            if other.startswith(ref + "/") or ref.startswith(other + "/"):
                raise Conflict(
                    "REF_CLASH", f"{printable(ref, 100)} cannot be beside {printable(other, 100)}; choose another name"
                )


def _named(folder: str, name: str) -> str:
    if folder == "heads" and name.startswith(CONVERTED):
        return name
    if name.startswith("refs/"):
        what = "branch" if folder == "heads" else "tag"
        raise Invalid("REF_NAME", f"Invalid reference for a {what}: {printable(name, 100)}")
    return f"refs/{folder}/{name}"


def _exists(ref: str) -> Conflict:
    return Conflict("RefExists", f"Reference {ref} already exists")
