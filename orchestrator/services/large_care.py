"""Collects large objects that nothing names any more. An object goes when no repo owns it; a repo stops owning one when the repo
is gone, or when none of its revisions (of a bucket: none of its files) names it: what was just uploaded, and what a push is about
to name, is safe for a day. Commits that no ref leads to count as long as they are there (`repo_care.py`). Any number of control
planes may do this at once."""

import logging
import time
from collections.abc import Callable

from orchestrator.errors import PodiumError
from orchestrator.ports import Repos, Store
from orchestrator.ports_objects import Objects
from orchestrator.services.bucket_feed import BucketFeed
from orchestrator.services.lookup import by_id
from orchestrator.services.loop import Loop
from orchestrator.services.xet import Xet

log = logging.getLogger(__name__)
EVERY = 120.0
UNNAMED = 24 * 3600.0  #: seconds that an upload may take from its last byte to the commit that names it
AGAIN = 6 * 3600.0  #: seconds until it is asked again whether an object is named
#: Seconds from the last use to being doomed, and from being doomed to the end: downloads begin meanwhile.
LET_GO = 180.0


class LargeCare:
    """`loop` collects."""

    def __init__(
        self, store: Store, objects: Objects, repos: Repos, xet: Xet, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._objects, self._repos, self._xet, self._clock = store, objects, repos, xet, clock
        self.loop = Loop("large files", EVERY, self._round, first=EVERY)
        self._feed = BucketFeed(store, clock)

    def _round(self) -> None:
        self.collect()

    def collect(self) -> int:
        """One round; returns the bytes freed."""
        self._objects.tidy()
        self._xet.collect()
        self._forget_repos()
        self._forget_unnamed()
        self._feed.collect()
        now = self._clock()
        with self._store.write() as tx:
            tx.objects.doom(now - LET_GO, now)
            doomed = tx.objects.doomed(now - LET_GO)
        for found in doomed:
            self._objects.remove(found.place)
            with self._store.write() as tx:
                tx.objects.forget(found.place)
        return sum(found.size for found in doomed)

    def _forget_repos(self) -> None:
        """Repos that are gone own nothing."""
        with self._store.read() as tx:
            owners = {*tx.objects.repos(), *self._xet.repos()}
            gone = [one for one in owners if by_id(tx, one) is None and tx.buckets.get(one) is None]
        for repo_id in gone:
            self._xet.forget(repo_id)
            with self._store.write() as tx:
                tx.objects.disown(repo_id)

    def _forget_unnamed(self) -> None:
        """Each repo is looked through every `AGAIN` seconds at most."""
        before = self._clock() - UNNAMED
        with self._store.read() as tx:
            due = tx.objects.repos(before)
            buckets = {one for one in due if tx.buckets.get(one)}
        for repo_id in due:
            try:
                named = set() if repo_id in buckets else self._repos.named(repo_id)
            except PodiumError as error:  # of one repo; the others are looked at all the same
                log.warning("large files of %s: %s", repo_id, error)
                continue
            with self._store.write() as tx:
                old = {found.oid for found in tx.objects.of(repo_id, before=before)}
                if repo_id in buckets:
                    named = tx.buckets.named(repo_id, old)
                tx.objects.use(repo_id, old & named, before + AGAIN)
                tx.objects.disown(repo_id, old - named, before)
