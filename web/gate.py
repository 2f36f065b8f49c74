"""The gate of a model or a dataset, as visitors meet it: what its people wrote, the form to ask with, what became of it. Who
decides does so on the settings page."""

from dataclasses import dataclass
from typing import Any

from orchestrator.api.cardtags import texts
from orchestrator.domain.caller import role_in
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.space import Role
from orchestrator.errors import Invalid
from web.page import Console
from web.session import Visit
from web.shapes import plain

_FIELDS = 30
_ANSWER = 2000  #: characters


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the form. `kind`: text | checkbox | select."""

    name: str
    words: str
    kind: str = "text"
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """`state`: open (for this visitor) | pending | rejected | accepted | "" for who did not ask."""

    state: str
    heading: str
    prompt: str
    button: str
    fields: tuple[Field, ...]


def of(console: Console, visit: Visit, repo: AnyRepo) -> Gate | None:
    """None where there is no gate."""
    if not repo.gated:
        return None
    inside = role_in(visit.caller, repo.owner_id, repo.id) >= Role.READ
    state = "open" if inside else console.parts.gates.status(visit.caller, repo) or ""
    card = repo.card

    def said(key: str, limit: int) -> str:
        return "\n".join(texts(card.get(key)))[:limit]

    heading = plain(said("extra_gated_heading", 400), 200)
    button = plain(said("extra_gated_button_content", 200), 60) or "Ask for access"
    return Gate(state, heading, said("extra_gated_prompt", 10_000), button, fields(card.get("extra_gated_fields")))


def fields(told: object) -> tuple[Field, ...]:
    """The form that a card describes (hub-docs, "Gated models"): label -> kind, or label -> {type, options}. Pure."""
    found = []
    for at, (label, what) in enumerate(list(told.items())[:_FIELDS] if isinstance(told, dict) else ()):
        kind = what.get("type") if isinstance(what, dict) else what
        options = _options(what.get("options")) if isinstance(what, dict) and kind == "select" else ()
        shown = kind if kind == "checkbox" else "select" if options else "text"
        found.append(Field(f"answer-{at}", plain(label, 200), shown, options))
    return tuple(found)


def _options(told: object) -> tuple[str, ...]:
    """Texts, or {label, value}."""
    given = told if isinstance(told, list) else []
    found = (one.get("label", one.get("value")) if isinstance(one, dict) else one for one in given[:200])
    return tuple(plain(one, 200) for one in found if isinstance(one, str | int | float))


def answers(form: dict[str, str], asked: tuple[Field, ...]) -> dict[str, Any]:
    """What was written, by what was asked. Raises Invalid `ANSWERS` for what is missing or was not offered. Pure."""
    told: dict[str, Any] = {}
    for field in asked:
        text = form.get(field.name, "").strip()
        if not text or len(text) > _ANSWER or "\0" in text or (field.options and text not in field.options):
            raise Invalid("ANSWERS", f"Answer “{field.words}”; it is asked of everybody who wants to be let in.")
        told[field.words] = True if field.kind == "checkbox" else text
    return told
