"""What the settings of a Space say about where it is served: its domains, and the sites that may frame it."""

from collections.abc import Callable

from orchestrator.domain.records import Space
from orchestrator.errors import Invalid, NotFound, TooMany
from web.page import Console
from web.session import Form, Visit


def of_space(console: Console, space: Space, typed: Form | None = None) -> dict[str, object]:
    """The values of the panels. `typed`: what was written into the form of the frames, when it was refused."""
    sites = space.embed_origins
    who = "any" if sites is None else "listed" if sites else "none"
    domains = console.parts.domains
    return {
        "domains": domains.of(space),
        "domain_home": domains.home(space.label),
        "embedding": {
            "who": typed.get("who", "") if typed else who,
            "origins": typed.get("origins", "") if typed else "\n".join(sites or ()),
        },
    }


def add_domain(console: Console, visit: Visit, space: Space, form: Form) -> str:
    console.parts.domains.add(visit.caller, space, form.get("domain", ""))
    return "domain"


def check_domain(console: Console, visit: Visit, space: Space, form: Form) -> str:
    _there(lambda: console.parts.domains.check(visit.caller, space, form.get("domain", "")))
    return "looked"


def remove_domain(console: Console, visit: Visit, space: Space, form: Form) -> str:
    _there(lambda: console.parts.domains.remove(visit.caller, space, form.get("domain", "")))
    return "undomain"


def _there(act: Callable[[], object]) -> None:
    """What was removed meanwhile, or looked at just now, is said on the page."""
    try:
        act()
    except (NotFound, TooMany) as error:
        raise Invalid(error.code, error.message) from None


def set_embedding(console: Console, visit: Visit, space: Space, form: Form) -> str:
    who = form.get("who", "")
    if who not in ("any", "listed", "none"):
        raise Invalid("EMBED_ORIGIN", "Choose who may frame it.")
    listed = form.get("origins", "").split()
    if who == "listed" and not listed:
        raise Invalid("EMBED_ORIGIN", "Name the sites that may frame it, one a line.")
    console.parts.spaces.set_embedding(visit.caller, space, {"any": None, "listed": listed, "none": ()}[who])
    return "embedding"
