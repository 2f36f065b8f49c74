"""Links by which an owner lets outsiders into one private app until a moment: to look at it, or to frame it elsewhere."""

from dataclasses import dataclass

from orchestrator.errors import Invalid

#: What may be chosen: the word in forms, its seconds.
LIFETIMES = {"hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0, "month": 30 * 86400.0}
MOST = 50  #: links of one Space
NOTE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class ShareLink:
    """Times in seconds since the epoch. `hash` is of the secret in the link, which nobody keeps; `uses` counts visits that began
    with it."""

    id: str
    space_id: str
    hash: str
    note: str
    actor: str
    created_at: float
    expires_at: float
    uses: int = 0


def lifetime(word: str) -> float:
    """Seconds. Raises Invalid `SHARE_LIFETIME`."""
    if word not in LIFETIMES:
        raise Invalid("SHARE_LIFETIME", f"a link lives for one of: {', '.join(LIFETIMES)}; not {word[:40]!r}")
    return LIFETIMES[word]
