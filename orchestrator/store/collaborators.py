"""Users who may read or write one repo beside its owner's people."""

import sqlalchemy as sa

from orchestrator.domain.records import Collaborator, Owner
from orchestrator.domain.space import Role
from orchestrator.store import schema as t
from orchestrator.store.repo_schema import collaborators
from orchestrator.store.upsert import upsert

# What each request with a credential asks, written once.
_REPOS = sa.select(collaborators.c.repo_id, collaborators.c.role).where(
    collaborators.c.user_id == sa.bindparam("user_id")
)


class Collaborators:
    def __init__(self, connection: sa.Connection) -> None:
        self._db = connection

    def put(self, one: Collaborator) -> None:
        upsert(
            self._db,
            collaborators,
            {name: getattr(one, name) for name in Collaborator.__slots__} | {"role": int(one.role)},
        )

    def get(self, repo_id: str, user_id: str) -> Collaborator | None:
        c = collaborators.c
        query = sa.select(collaborators).where(c.repo_id == repo_id, c.user_id == user_id)
        row = self._db.execute(query).mappings().first()
        return _collaborator(row) if row else None

    def of(self, repo_id: str) -> list[tuple[Collaborator, Owner]]:
        """By name."""
        query = (
            sa.select(t.owners, collaborators.c.repo_id, collaborators.c.user_id, collaborators.c.role)
            .add_columns(collaborators.c.invited_by, collaborators.c.created_at.label("since"))
            .join(t.owners, t.owners.c.id == collaborators.c.user_id)
            .where(collaborators.c.repo_id == repo_id)
            .order_by(t.owners.c.name_lower)
        )
        return [
            (_collaborator(dict(row) | {"created_at": row["since"]}), Owner(**{n: row[n] for n in Owner.__slots__}))
            for row in self._db.execute(query).mappings()
        ]

    def roles_of(self, user_id: str) -> dict[str, Role]:
        """What a user may do with which repos, by their ids."""
        return {repo_id: Role(role) for repo_id, role in self._db.execute(_REPOS, {"user_id": user_id})}

    def role(self, repo_id: str, user_id: str) -> Role:
        found = self.get(repo_id, user_id)
        return found.role if found else Role.NONE

    def drop(self, repo_id: str, user_id: str) -> bool:
        c = collaborators.c
        return bool(
            self._db.execute(sa.delete(collaborators).where(c.repo_id == repo_id, c.user_id == user_id)).rowcount
        )

    def forget(self, repo_id: str) -> None:
        self._db.execute(sa.delete(collaborators).where(collaborators.c.repo_id == repo_id))


def _collaborator(row: "sa.RowMapping | dict") -> Collaborator:
    return Collaborator(**{name: row[name] for name in Collaborator.__slots__} | {"role": Role(row["role"])})
