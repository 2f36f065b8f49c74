"""A copy of a repo under another name: its files as one commit and, of a Space, its variables. Secrets stay where they are."""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.domain.caller import Caller
from orchestrator.domain.records import AnyRepo, Space
from orchestrator.domain.space import Visibility
from orchestrator.ports import Store
from orchestrator.services.pushes import Pushes
from orchestrator.services.repos import Repositories
from orchestrator.services.spaces import NewSpace, Spaces


class Duplicates:
    """`share(source id, target id)`: what else belongs to the files (large objects, kept per repo)."""

    def __init__(
        self,
        store: Store,
        spaces: Spaces,
        hosted: Repositories,
        pushes: Pushes,
        share: Callable[[str, str], None] = lambda source, target: None,
    ) -> None:
        self._store = store
        self._spaces = spaces
        self._hosted = hosted
        self._pushes = pushes
        self._share = share

    def duplicate_space(self, caller: Caller, source: Space, new: NewSpace) -> AnyRepo:
        """As `new` says; what it does not say of variables and sdk is the source's. Raises as Spaces.create."""
        with self._store.read() as tx:
            variables = {s.key: (s.value, s.description) for s in tx.secrets.all(source.id) if not s.secret}
        for key in new.secrets:
            variables.pop(key, None)
        made = self._spaces.create(caller, replace(new, sdk=source.sdk, variables=variables | new.variables))
        return self.fill(caller, source, made)

    def duplicate(
        self, caller: Caller, source: AnyRepo, organization: str, name: str, visibility: Visibility | None
    ) -> AnyRepo:
        """Of a model or a dataset. Raises as Repositories.create."""
        made = self._hosted.create(caller, source.kind, name, organization, visibility)
        return self.fill(caller, source, made)

    def fill(self, caller: Caller, source: AnyRepo, made: AnyRepo) -> AnyRepo:
        """The files of `source` into what was just made; if that fails, it is gone again."""
        try:
            if source.sha:
                self._share(source.id, made.id)
                self._pushes.adopt(caller, made, source, source.sha)
        except BaseException:
            self._hosted.discard(caller, made)
            raise
        return self._hosted.get(made.id) or made
