"""Collections: repos that somebody shows together, in an order, with notes. Pure."""

import re
import unicodedata
from dataclasses import dataclass

THEMES = ("orange", "blue", "green", "purple", "pink", "indigo")
TITLE_LIMIT, DESCRIPTION_LIMIT, NOTE_LIMIT = 60, 150, 500  #: characters
ITEMS_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Collection:
    """`owner` is the name of the owner."""

    id: str
    owner: str
    owner_id: str
    title: str
    description: str | None = None
    theme: str = THEMES[0]
    private: bool = False
    position: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def slug(self) -> str:
        """`owner/words-of-the-title-id`; the id alone names it, so that it is found under every former title."""
        plain = unicodedata.normalize("NFKD", self.title).encode("ascii", "ignore").decode().lower()
        words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
        return f"{self.owner}/{words}-{self.id}" if words else f"{self.owner}/{self.id}"


@dataclass(frozen=True, slots=True)
class CollectionItem:
    """`kind`: model | dataset | space | collection, of which `item_id` is the id."""

    id: str
    collection_id: str
    kind: str
    item_id: str
    position: int
    note: str | None = None
