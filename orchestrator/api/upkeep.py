"""How Podium itself is, for admins: its parts, and its storage. Paths of its own below /api/podium, for the Hub has none."""

from typing import Any

from fastapi import APIRouter

from orchestrator.api.identity import PartsDep, SignedInDep
from orchestrator.api.views import iso
from orchestrator.services.storage import Stored

router = APIRouter(tags=["upkeep"])
PATH = "/api/podium"


@router.get(PATH + "/health")
def health(caller: SignedInDep, parts: PartsDep):
    """Each part of Podium, worst first: `tone` is good, busy or bad. For admins."""
    return [
        {"name": one.name, "tone": one.tone, "words": one.words, "advice": one.advice, "since": iso(one.since)}
        for one in parts.health.parts(caller)
    ]


@router.get(PATH + "/storage")
def storage(caller: SignedInDep, parts: PartsDep):
    """What is stored, as the last round of measuring found it, and what became of the last collection. Bytes; null where that
    cannot be told. For admins."""
    return shown(parts.storage.look(caller))


@router.post(PATH + "/storage/measure", status_code=202)
def measure(caller: SignedInDep, parts: PartsDep):
    """Measure in the background."""
    parts.storage.ask_measure(caller)
    return shown(parts.storage.look(caller))


@router.post(PATH + "/storage/collect", status_code=202)
def collect(caller: SignedInDep, parts: PartsDep):
    """Remove in the background what nothing needs any more, then measure; `round` tells what was freed."""
    parts.storage.ask_collect(caller)
    return shown(parts.storage.look(caller))


def shown(stored: Stored) -> dict[str, Any]:
    told = stored.round
    return {
        "measuredAt": iso(stored.at),
        "measuring": stored.measuring,
        "parts": [{"name": words, "size": size} for words, size in stored.parts],
        "largest": [
            {
                "name": one.name,
                "type": one.kind,
                "size": one.size,
                "git": one.git,
                "large": one.large,
                "data": one.volume,
            }
            for one in stored.largest
        ],
        "collectable": stored.loose,
        "round": {
            "by": told.get("by", ""),
            "startedAt": iso(told.get("begun")),
            "endedAt": iso(told.get("ended")),
            "freed": told.get("freed"),
            "error": told.get("error", ""),
        }
        if told
        else None,
    }
