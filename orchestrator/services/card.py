"""What a Space's card says at the head of main: the front matter of README.md, for the API and the pages, and what is wrong with
it, for the pusher. The build reads it again and is the judge; here a fault is only a warning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Card:
    """`values` are JSON-safe. `warnings` are sentences for the pusher."""

    values: Mapping[str, Any] = field(default_factory=dict)
    sdk: str | None = None
    warnings: tuple[str, ...] = ()


def read_card(readme: bytes | None) -> Card:
    """The card of a README; an empty one when there is none or when it cannot be used."""
    from builder import config, frontmatter  # the builder's libraries are needed by nobody before the first push
    from builder.errors import Fault

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


def _sdk(value: object) -> str | None:
    return value[:16] if isinstance(value, str) else None
