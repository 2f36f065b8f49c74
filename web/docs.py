"""The documentation inside the console, in this Podium's own words: its endpoint, the reader's name, the keys, stages and
settings that this release knows. Tables are made of what the code itself says. The API's chapter is api_docs.py's."""

from dataclasses import fields

from fastapi import APIRouter, Depends, Request, Response

from builder import config
from builder.keys import KEYS
from orchestrator.domain.stage import Stage
from orchestrator.errors import NotFound
from orchestrator.settings import Settings
from web.page import Console
from web.session import Visit

CHAPTERS = {
    "": "Quick start",
    "tour": "A tour",
    "front-matter": "Front matter",
    "runtime": "What an app can rely on",
    "stages": "Stages",
    "api": "API",
    "self-hosting": "Self-hosting",
}

#: pictures of pages, which tests/browser/test_every_page.py makes: file, what it shows, what to know of it
PICTURES = (
    ("explore", "Spaces", "Found by words, tags, hardware and what runs; sorted by what people like."),
    ("new", "New Space", "From a template in one click, a git address, a zip, or by the commands that you have."),
    ("stage-build", "A build", "Each phase with its seconds and what is usual; the app appears by itself."),
    ("stage-broken", "A mistake", "The file, the line, what was found, what to do. An older version serves on."),
    ("stage-queue", "Waiting for a GPU", "What it waits for, since when, and who is ahead."),
    ("files", "Files", "Every file with its last commit; history, diffs, blame, editing and upload in the browser."),
    (
        "logs-build",
        "Logs",
        "Live, with colours, search and the first error on top; earlier builds and instances beside.",
    ),
    ("settings", "Settings", "The front matter as a form, secrets, hardware, sleep, members, domains, deploys."),
    ("analytics", "Analytics", "Visits without remembering anybody, time to answer, CPU, memory and GPU."),
    ("admin", "Admin", "What waits for you, what is not up and why, and how each part is."),
)

#: what a stage means and what to do
MEANINGS: dict[Stage, tuple[str, str]] = {
    Stage.NO_APP_FILE: ("There is nothing to run yet.", "Push an app to main."),
    Stage.CONFIG_ERROR: ("README.md asks for something that cannot be.", "Correct the line that the reason names."),
    Stage.BUILDING: ("What the app needs is being installed.", "Follow it on the Logs tab."),
    Stage.RUNNING_BUILDING: ("The same, while the version before serves.", "Follow it on the Logs tab."),
    Stage.BUILD_ERROR: ("The build failed.", "Read the reason, push a correction; an older version goes on serving."),
    Stage.APP_STARTING: ("The app was started, or waits for its hardware.", "Wait; the reason says for what."),
    Stage.RUNNING_APP_STARTING: ("The same, while the version before serves.", "Wait."),
    Stage.RUNNING: ("The app answers.", "Enjoy it."),
    Stage.RUNTIME_ERROR: ("The app ended three times.", "Read its log, push a correction or restart it."),
    Stage.SLEEPING: ("Nobody used it for a while.", "Any visit wakes it."),
    Stage.PAUSED: (
        "Its owner stopped it, an admin took it down, or it may not have its hardware.",
        "The reason says which: restart it, ask an admin, choose other hardware.",
    ),
    Stage.DELETING: ("It is going away.", "Nothing."),
}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    parts = console.parts

    @router.get("/docs")
    @router.get("/docs/{chapter}")
    def docs(request: Request, chapter: str = "", visit: Visit = Depends(console.visit)) -> Response:
        if chapter not in CHAPTERS:
            raise NotFound("CHAPTER", "There is no such chapter.")
        owner = visit.caller.name or "ada"
        values = {
            "chapters": CHAPTERS,
            "chapter": chapter,
            "owner": owner,
            "endpoint": parts.public_url,
            "app_example": parts.app_url(f"{owner.lower()}-my-demo"),
            "version": parts.version,
        }
        more = {
            "tour": lambda: {"pictures": PICTURES},
            "front-matter": keys,
            "stages": stages,
            "self-hosting": settings,
        }
        values |= more[chapter]() if chapter in more else {}
        return console.show(request, visit, f"docs/{chapter or 'start'}.html", **values)

    return router


def keys() -> dict[str, object]:
    """Every key of the front matter, from the JSON schema that is at /schema/space.json too."""
    properties = config.schema()["properties"]
    return {"keys": [(name, one["description"], allowed(one), KEYS[name].used) for name, one in properties.items()]}


_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true | false",
    "object": "mapping",
    "array": "list",
}


def allowed(schema: dict) -> str:
    """What a JSON schema of one key lets through, in a few words. Pure."""
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(filter(None, (allowed(one) for one in schema.get("anyOf") or schema["oneOf"])))
    if schema.get("type") == "array":
        return f"list of {allowed(schema.get('items', {})) or 'values'}"
    kinds = schema.get("type", ())
    words = " or ".join(_KINDS.get(kind, "") for kind in ([kinds] if isinstance(kinds, str) else kinds))
    if "minimum" in schema and "maximum" in schema:
        words += f", {schema['minimum']} to {schema['maximum']}"
    elif "maxLength" in schema:
        words += f", at most {schema['maxLength']} characters"
    return words


def stages() -> dict[str, object]:
    return {"stages": [(stage, *MEANINGS[stage]) for stage in Stage]}


def settings() -> dict[str, object]:
    """Every setting with what it is without being set. Never what it is here: some are secret."""
    rows = [
        (f"PODIUM_{one.name.upper()}", str(one.default), one.metadata["doc"])
        for one in fields(Settings)
        if one.metadata
    ]
    return {"settings": rows}
