"""What a fine-grained token may do, beside the role of its user: words of the Hub by owner and by repo. Pure.

The shape and the words are those that `whoami-v2` shows as `fineGrained` (huggingface_hub reads it as it comes). A token that
carries Grants can never do more than they say, whatever its user may."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.domain.space import Role
from orchestrator.errors import Invalid

READ, WRITE = "repo.content.read", "repo.write"
GATED = "repo.gated.read"  #: public repos that ask for consent first
DISCUSS = "discussion.write"
WEBHOOKS_READ, WEBHOOKS_WRITE = "user.webhooks.read", "user.webhooks.write"

#: What may be granted on an owner or a repo, and everywhere.
ON_REPOS = frozenset((READ, WRITE, DISCUSS))
EVERYWHERE = frozenset((GATED, DISCUSS, WEBHOOKS_READ, WEBHOOKS_WRITE))
_ENTITIES = ("user", "org", "space", "model", "dataset", "kernel", "bucket")
MOST = 200  #: entities of one token


@dataclass(frozen=True, slots=True)
class Grant:
    """`words` on everything that an owner has (`kind` user or org), or on one repo (space, model, dataset, kernel) or bucket.
    `name` as it was when the grant was made; `id` is what counts."""

    kind: str
    id: str
    name: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grants:
    everywhere: frozenset[str] = frozenset()
    scoped: tuple[Grant, ...] = ()
    _by_id: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, frozenset[str]] = {}
        for one in self.scoped:
            by_id[one.id] = by_id.get(one.id, frozenset()) | one.words
        object.__setattr__(self, "_by_id", by_id)

    def words(self, *ids: str) -> frozenset[str]:
        """Everything granted everywhere and on any of these owners and repos."""
        return self.everywhere.union(*(self._by_id.get(one, frozenset()) for one in ids if one))

    def limit(self, *ids: str) -> Role:
        """The most that may be done with a repo, given its id and its owner's."""
        words = self.words(*ids)
        return Role.ADMIN if WRITE in words else Role.READ if READ in words else Role.NONE

    @property
    def most(self) -> Role:
        """The most that may be done with anything."""
        return self.limit(*self._by_id)

    def readable(self) -> tuple[frozenset[str], frozenset[str]]:
        """Ids of the owners, and of single repos, whose private repos may be read."""
        fitting = [one for one in self.scoped if one.words & {READ, WRITE}]
        owners = frozenset(one.id for one in fitting if one.kind in ("user", "org"))
        return owners, frozenset(one.id for one in fitting) - owners


NOTHING = Grants()


def as_json(grants: Grants) -> dict[str, object]:
    """As `whoami-v2` shows it, and as the store keeps it."""
    return {
        "canReadGatedRepos": GATED in grants.everywhere,
        "global": sorted(grants.everywhere - {GATED}),
        "scoped": [
            {"entity": {"_id": one.id, "type": one.kind, "name": one.name}, "permissions": sorted(one.words)}
            for one in grants.scoped
        ],
    }


def from_json(kept: Mapping) -> Grants:
    """The reverse of `as_json`."""
    everywhere = frozenset(kept["global"]) | (frozenset((GATED,)) if kept["canReadGatedRepos"] else frozenset())
    scoped = tuple(
        Grant(one["entity"]["type"], one["entity"]["_id"], one["entity"]["name"], frozenset(one["permissions"]))
        for one in kept["scoped"]
    )
    return Grants(everywhere, scoped)


def check(grants: Grants) -> Grants:
    """The same. Raises Invalid `TOKEN_GRANTS` for words that nobody would heed, and for a token that may do nothing."""
    if len(grants.scoped) > MOST:
        raise Invalid("TOKEN_GRANTS", f"a token names at most {MOST} repos and owners, this one {len(grants.scoped)}")
    _known(grants.everywhere, EVERYWHERE, "everywhere")
    for one in grants.scoped:
        if one.kind not in _ENTITIES:
            raise Invalid("TOKEN_GRANTS", f"unknown kind {one.kind[:40]!r}; write one of {', '.join(_ENTITIES)}")
        _known(one.words, ON_REPOS, f"on {one.name[:200]}")
    if not grants.everywhere and not grants.scoped:
        raise Invalid("TOKEN_GRANTS", "a fine-grained token must name at least one repo, user or organisation")
    return grants


def _known(words: Iterable[str], known: frozenset[str], where: str) -> None:
    for word in sorted(words):
        if word not in known:
            choice = ", ".join(sorted(known))
            raise Invalid("TOKEN_GRANTS", f"unknown permission {word[:60]!r} {where}; write one of {choice}")


def words_of(role: str) -> frozenset[str]:
    """read or write, in the Hub's words. Raises Invalid `TOKEN_GRANTS`."""
    if role not in ("read", "write"):
        raise Invalid("TOKEN_GRANTS", f"unknown permission {role[:40]!r}; write read or write")
    return frozenset((READ,)) if role == "read" else frozenset((READ, WRITE))


#: Scopes of the OAuth provider (Hub docs, "Sign in with HF"), and what each gives in words: everywhere, and on what is the
#: user's own. Scopes that only say what may be known of the user give nothing here.
SCOPES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "openid": (frozenset(), frozenset()),
    "profile": (frozenset(), frozenset()),
    "email": (frozenset(), frozenset()),
    "read-memberships": (frozenset(), frozenset()),
    "read-repos": (frozenset(), frozenset((READ,))),
    "gated-repos": (frozenset((GATED,)), frozenset()),
    "write-repos": (frozenset(), frozenset((READ, WRITE))),
    "manage-repos": (frozenset(), frozenset((READ, WRITE))),
    "write-discussions": (frozenset((DISCUSS,)), frozenset()),
    "webhooks": (frozenset((WEBHOOKS_READ, WEBHOOKS_WRITE)), frozenset()),
}
IDENTITY = ("openid", "profile")  #: what every Space with `hf_oauth` may ask for


def of_scopes(scopes: Iterable[str], user_id: str, user_name: str) -> Grants:
    """What a Space may do as a user who agreed to these scopes; unknown ones give nothing."""
    everywhere, own = frozenset(), frozenset()
    for scope in scopes:
        more, mine = SCOPES.get(scope, (frozenset(), frozenset()))
        everywhere, own = everywhere | more, own | mine
    return Grants(everywhere, (Grant("user", user_id, user_name, own),) if own else ())
