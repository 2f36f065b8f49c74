"""Discussions as people use them: open, read, comment, edit, hide, rename, close. What is special about pull requests is
`pull_requests.py`. Everybody who may read a repo may speak there; who wrote a thing may change it, writers may moderate."""

import time
from collections.abc import Callable
from dataclasses import replace

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.discussions import (
    Discussion,
    Happening,
    Status,
    check_text,
    check_title,
    comment_data,
    edited,
    hidden,
    next_status,
)
from orchestrator.domain.events import of_discussion
from orchestrator.domain.notification import DID
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import MAIN, Role
from orchestrator.errors import Conflict, Forbidden, NotFound
from orchestrator.ports import Store
from orchestrator.services.accounts import new_id
from orchestrator.services.audience import tell_of_discussion
from orchestrator.services.ref_access import require_own, require_voice

PAGE = 50
_TRIES = 5  #: for a number that somebody else took at the same moment


class Discussions:
    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    # ----------------------------------------------------------------------------------------------------- reading

    def get(self, repo: AnyRepo, num: int) -> Discussion:
        """Raises NotFound `DiscussionNotFound`."""
        with self._store.read() as tx:
            found = tx.discussions.get(repo.id, num)
        if found is None:
            raise NotFound("DiscussionNotFound", f"{repo.full_name} has no discussion or pull request {num}.")
        return found

    def page(self, repo: AnyRepo, page: int = 0, **filters: object) -> tuple[list[Discussion], int, int]:
        """Newest first: the page, how many match, and how many of all are closed. Filters are those of the store's `list`."""
        with self._store.read() as tx:
            rows, count = tx.discussions.list(repo.id, skip=page * PAGE, limit=PAGE, **filters)
            return rows, count, tx.discussions.closed(repo.id)

    def told(self, one: Discussion) -> list[Happening]:
        """What happened, oldest first; commits are not among it."""
        with self._store.read() as tx:
            return tx.discussions.happenings(one.repo_id, one.num)

    # ----------------------------------------------------------------------------------------------------- writing

    def open(
        self,
        caller: Caller,
        repo: AnyRepo,
        title: str,
        text: str,
        *,
        pull_request: bool = False,
        status: Status = Status.OPEN,
        base: str = MAIN,
    ) -> Discussion:
        """A new discussion with its first comment. Raises Forbidden `DISCUSSIONS_DISABLED`, Invalid."""
        require(caller, repo, Role.READ, code=True)
        require_voice(caller, repo)
        refuse_disabled(repo)
        title, text, now = check_title(title), check_text(text), self._clock()
        made = Discussion(
            repo.id, 0, new_id(), title, status, pull_request, caller.user.id, now, now, base=base if pull_request else "",
            author=caller.name,
        )  # fmt: skip
        for attempt in range(_TRIES):
            try:
                with self._store.write() as tx:
                    made = replace(made, num=tx.discussions.next_number(repo.id))
                    tx.discussions.add(made)
                    said = self._comment(made, caller, text, now)
                    tx.discussions.tell(said)
                    tx.webhooks.note(of_discussion(repo, made, "create", now, said, opens=True))
                    tell_of_discussion(tx, caller, repo, made, "opened", now, text)
                return made
            except Conflict:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    def abandon(self, one: Discussion) -> None:
        """As if it had never been opened: for a pull request whose first commit failed."""
        with self._store.write() as tx:
            tx.discussions.remove(one.repo_id, one.num)
            tx.notifications.forget(one.id)

    def comment(self, caller: Caller, repo: AnyRepo, one: Discussion, text: str) -> Happening:
        require_voice(caller, repo)
        refuse_disabled(repo)
        said = self._comment(one, caller, check_text(text), self._clock())
        with self._store.write() as tx:
            tx.discussions.tell(said)
            tx.webhooks.note(of_discussion(repo, one, "create", said.created_at, said))
            tell_of_discussion(tx, caller, repo, one, "commented on", said.created_at, text, said.id)
        return said

    def edit(self, caller: Caller, repo: AnyRepo, one: Discussion, ident: str, text: str) -> Happening:
        """Who wrote a comment may change it."""
        said = self._said(one, ident)
        require_voice(caller, repo)
        if said.author_id != caller.user.id:
            raise Forbidden(
                "FORBIDDEN", f"{caller.name} may not edit this comment: {said.author or 'somebody else'} wrote it."
            )
        return self._change(
            repo, one, replace(said, data=edited(said.data, check_text(text), self._clock(), caller.user.id))
        )

    def hide(self, caller: Caller, repo: AnyRepo, one: Discussion, ident: str) -> Happening:
        """Who wrote a comment and who may change the repo may hide it; its text is gone for good."""
        said = self._said(one, ident)
        require_own(caller, repo, replace(one, author_id=said.author_id, author=said.author))
        return self._change(repo, one, replace(said, data=hidden(said.data, self._clock(), caller.user.id)))

    def rename(self, caller: Caller, repo: AnyRepo, one: Discussion, title: str) -> Happening:
        require_own(caller, repo, one)
        title, now = check_title(title), self._clock()
        data = {"from": one.title, "to": title}
        happening = self._happening(one, caller, "title-change", data, now)
        with self._store.write() as tx:
            tx.discussions.update(one.repo_id, one.num, title=title)
            tx.discussions.tell(happening)
            tx.webhooks.note(of_discussion(repo, replace(one, title=title), "update", now))
        return happening

    def set_status(self, caller: Caller, repo: AnyRepo, one: Discussion, status: str, text: str = "") -> Happening:
        require_own(caller, repo, one)
        wanted = next_status(one, status)
        return self.change_status(caller, repo, one, wanted, text)

    def change_status(
        self, caller: Caller, repo: AnyRepo, one: Discussion, status: Status, text: str = "", **values: str
    ) -> Happening:
        """Whoever may. `values` are more columns to set. Raises Conflict when somebody else changed it meanwhile."""
        now = self._clock()
        # After its comment, whatever the order of ids.
        happening = self._happening(one, caller, "status-change", {"status": status.value}, now + 0.001)
        with self._store.write() as tx:
            if not tx.discussions.update(one.repo_id, one.num, one.status, status=status.value, **values):
                raise Conflict("CHANGED_MEANWHILE", "somebody else changed the status at the same moment; look again")
            if text.strip():
                tx.discussions.tell(self._comment(one, caller, check_text(text), now))
            tx.discussions.tell(happening)
            changed = replace(one, status=status, **values)
            tx.webhooks.note(of_discussion(repo, changed, "update", now))
            tell_of_discussion(tx, caller, repo, changed, DID[status], now, text)
        return happening

    # ------------------------------------------------------------------------------------------------------ parts

    def _said(self, one: Discussion, ident: str) -> Happening:
        with self._store.read() as tx:
            found = tx.discussions.happening(one.repo_id, one.num, ident[:24])
        if found is None or found.type != "comment":
            raise NotFound("CommentNotFound", "There is no such comment in this discussion.")
        return found

    def _comment(self, one: Discussion, caller: Caller, text: str, now: float) -> Happening:
        return self._happening(one, caller, "comment", comment_data(text, now, caller.user.id), now)

    def _happening(self, one: Discussion, caller: Caller, kind: str, data: dict, now: float) -> Happening:
        return Happening(new_id(), one.repo_id, one.num, kind, caller.user.id, now, data, caller.name)

    def _change(self, repo: AnyRepo, one: Discussion, happening: Happening) -> Happening:
        with self._store.write() as tx:
            tx.discussions.change(happening)
            tx.webhooks.note(of_discussion(repo, one, "update", self._clock(), happening))
        return happening


def refuse_disabled(repo: AnyRepo) -> None:
    """Raises Forbidden where the people of a repo want no discussions."""
    if getattr(repo, "discussions_disabled", False):
        raise Forbidden("DISCUSSIONS_DISABLED", f"Discussions are disabled for {repo.full_name}.")
