"""Links by which owners let outsiders into a private app: making them, ending them, and what is behind one. The way in is the
same ticket that members get (signing.py); it says until when, and gateways hold the visitor's cookie to it."""

import secrets
import time
from collections.abc import Callable

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.records import AuditRow, Space
from orchestrator.domain.share import MOST, NOTE_LIMIT, ShareLink, lifetime
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Invalid, NotFound
from orchestrator.ports import Bell, Store
from orchestrator.services.tokens import digest, new_id


class Shares:
    def __init__(self, store: Store, bell: Bell, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._bell = bell
        self._clock = clock

    def of(self, space: Space) -> list[ShareLink]:
        """Those that still let somebody in, newest first."""
        now = self._clock()
        with self._store.read() as tx:
            return [link for link in tx.shares.of(space.id) if link.expires_at > now]

    def add(self, caller: Caller, space: Space, life: str, note: str = "") -> str:
        """The secret of a new link, told once. `life`: a word of `domain.share.LIFETIMES`. Raises Forbidden, Invalid
        `SHARE_LIFETIME`, `SHARE_NOTE`, `SHARE_PUBLIC`, Conflict `SHARE_MANY`."""
        require(caller, space, Role.ADMIN)
        note = " ".join(note.split())
        if len(note) > NOTE_LIMIT:
            raise Invalid("SHARE_NOTE", f"a note has at most {NOTE_LIMIT} characters, this one has {len(note)}")
        if not space.private:
            raise Invalid("SHARE_PUBLIC", f"{space.full_name} is open to everybody; send its plain address")
        seconds, secret, now = lifetime(life), secrets.token_urlsafe(24), self._clock()
        with self._store.write() as tx:
            tx.shares.drop_expired(now)
            if len(tx.shares.of(space.id)) >= MOST:
                raise Conflict("SHARE_MANY", f"{space.full_name} has {MOST} links; end one that is not needed")
            link = ShareLink(new_id(), space.id, digest(secret), note, caller.name, now, now + seconds)
            tx.shares.add(link)
            tx.audit.add(AuditRow(now, caller.name, "space.share", space.full_name, {"life": life, "note": note}))
        return secret

    def end(self, caller: Caller, space: Space, link_id: str) -> None:
        """The link lets nobody in any more, and those whom it, or any other way, let in must come in anew. Raises Forbidden,
        NotFound `SHARE`."""
        require(caller, space, Role.ADMIN)
        now = self._clock()
        with self._store.write() as tx:
            link = tx.shares.get(space.id, link_id)
            current = tx.spaces.get(space.id)
            if link is None or current is None:
                raise NotFound("SHARE", "There is no such link; it may have ended by itself.")
            tx.shares.drop(link.id)
            tx.spaces.update(space.id, look_at=now, route_changed=True, access_epoch=current.access_epoch + 1)
            tx.audit.add(AuditRow(now, caller.name, "space.unshare", space.full_name, {"note": link.note}))
        self._bell.ring("routes")

    def follow(self, secret: str) -> tuple[Space, ShareLink]:
        """The Space behind a link, and the link. Counts the use. Raises NotFound `SHARE_LINK`: one that never was, one that
        ended, and one of a Space that is gone look the same."""
        with self._store.write() as tx:
            link = tx.shares.by_hash(digest(secret))
            space = tx.spaces.get(link.space_id) if link and link.expires_at > self._clock() else None
            if link is None or space is None or space.wish.deleted:
                raise NotFound("SHARE_LINK", "This link has ended; ask whoever sent it for a new one.")
            tx.shares.used(link.id)
        return space, link
