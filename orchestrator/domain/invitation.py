"""An invitation: somebody may become a member of an organisation, or of one repo, if they want to."""

from dataclasses import dataclass

from orchestrator.domain.space import Role

LIFE = 30 * 86400.0  #: seconds
MOST = 100  #: open ones to one organisation or repo
#: What a role lets somebody do, in words.
MAY = {Role.READ: "may read", Role.WRITE: "may write", Role.ADMIN: "run it"}


@dataclass(frozen=True, slots=True)
class Invitation:
    """`target_id` of the organisation or the repo, `org` says which. There is one of each user to each target; it ends by being
    answered, taken back, or by itself."""

    id: str
    org: bool
    target_id: str
    user_id: str
    role: Role
    invited_by: str
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation as whoever is invited sees it. `kind`: org, space, model or dataset; `name` as it is called now."""

    invitation: Invitation
    kind: str
    name: str
