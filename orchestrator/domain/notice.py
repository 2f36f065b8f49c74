"""What admins tell everybody, on top of every page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """`tone`: calm | busy | bad."""

    name: str
    text: str
    tone: str
    actor: str
    at: float
