"""What a repo's card says at the head of main: the front matter of README.md, for the API and the pages, and what is wrong with
it, for the pusher. A fault is only a warning here; of a Space the build reads the card again and is the judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.domain.licenses import LICENSES
from orchestrator.domain.repo import RepoKind


@dataclass(frozen=True, slots=True)
class Card:
    """`values` are JSON-safe. `warnings` are sentences for the pusher."""

    values: Mapping[str, Any] = field(default_factory=dict)
    sdk: str | None = None
    warnings: tuple[str, ...] = ()


def read_card(readme: bytes | None, kind: RepoKind = RepoKind.SPACE) -> Card:
    """The card of a README; an empty one when there is none or when it cannot be used."""
    from builder import config, frontmatter  # the builder's libraries are needed by nobody before the first push
    from builder.errors import Fault

    if kind is not RepoKind.SPACE:
        try:
            return Card(frontmatter.read(frontmatter.decoded(readme or b"")).values)
        except Fault as fault:
            return Card(warnings=(f"warning: {fault.code}: {fault.advice()}; the push is stored without its card",))
    text = (readme or b"").decode("utf-8", "replace")
    try:
        found = config.parse(frontmatter.decoded(readme or b""))
    except Fault as fault:
        warning = f"warning: {fault.code}: {fault.advice()}; the push is stored, but it will not build"
        try:
            values = frontmatter.read(text).values
        except Fault:
            values = {}
        return Card(values, _sdk(values.get("sdk")), (warning,))
    return Card(dict(found.card), found.sdk, tuple(f"warning: {sentence}" for sentence in found.warnings))


def card_faults(readme: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Errors and warnings about the card of what does not run, as clients read them. A licence that nobody knows is a warning
    (code `LICENSE`): there are newer ones than this list."""
    from builder import frontmatter
    from builder.errors import Fault

    try:
        block = frontmatter.read(readme)
    except Fault as fault:
        return [{"message": fault.advice(), "code": fault.code}], []
    if not block.values:
        return [], [{"message": "empty or missing yaml metadata in repo card"}]
    found = [
        {"message": f'"{key}" must be {what}, not {ascii(block.values[key])[:60]}', "code": "CARD"}
        for key, (fits, what) in _SHAPES.items()
        if block.values.get(key) is not None and not fits(block.values[key])
    ]
    return found, _strange_license(block.values.get("license"))


def _strange_license(value: object) -> list[dict[str, str]]:
    named = value if isinstance(value, list) else [value] if value else []
    if all(not isinstance(one, str) or one in LICENSES for one in named):
        return []
    return [{"message": f'"license" must be one of [{", ".join(LICENSES)}]', "code": "LICENSE"}]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _texts(value: object) -> bool:
    return isinstance(value, str) or isinstance(value, list) and all(isinstance(item, str) for item in value)


def _objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


#: What clients choke on when it is something else (hub-docs, "Model cards" and "Dataset cards").
_SHAPES = {
    "model-index": (_objects, "an array"),
    "tags": (_texts, "an array of texts"),
    "datasets": (_texts, "an array of texts"),
    "language": (_texts, "a text or an array of texts"),
    "license": (_texts, "a text or an array of texts"),
    "base_model": (_texts, "a text or an array of texts"),
    "pipeline_tag": (_text, "a text"),
    "library_name": (_text, "a text"),
}


def _sdk(value: object) -> str | None:
    return value[:16] if isinstance(value, str) else None
