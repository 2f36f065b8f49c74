"""The documentation inside the console. What depends on this Podium or its reader, and tables of what the code itself says, are
templates; all else is Markdown in the folder guide/, to be read in the sources too. The API's chapter is api_docs.py's."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from markdown_it import MarkdownIt
from markupsafe import Markup

from builder import config
from builder.keys import KEYS
from orchestrator.domain.stage import Stage
from orchestrator.errors import NotFound
from web.page import Console
from web.session import Visit

GROUPS = {
    "Docs": {
        "": "Quick start",
        "tour": "A tour",
        "spaces": "Your Spaces",
        "front-matter": "Front matter",
        "runtime": "What an app can rely on",
        "stages": "Stages",
        "models": "Models and datasets",
        "signing-in": "Signing in",
        "commands": "Commands",
        "api": "API",
    },
    "For operators": {
        "self-hosting": "Self-hosting",
        "settings": "Settings",
        "docker": "Docker and registries",
        "hardware": "Hardware",
        "security": "Security",
        "troubleshooting": "Troubleshooting",
    },
}
CHAPTERS = {chapter: title for chapters in GROUPS.values() for chapter, title in chapters.items()}
GUIDE = Path(__file__).parent / "guide"

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

    @cache
    def text(chapter: str) -> Markup:
        return rendered(
            (GUIDE / f"{chapter}.md").read_text(), console.templates.get_template("_icons.html").module.command
        )

    @router.get("/docs")
    @router.get("/docs/{chapter}")
    def docs(request: Request, chapter: str = "", visit: Visit = Depends(console.visit)) -> Response:
        if chapter not in CHAPTERS:
            raise NotFound("CHAPTER", "There is no such chapter.")
        owner = visit.caller.name or "ada"
        values = {
            **place(chapter),
            "owner": owner,
            "endpoint": parts.public_url,
            "app_example": parts.app_url(f"{owner.lower()}-my-demo"),
            "version": parts.version,
        }
        if (GUIDE / f"{chapter}.md").is_file():
            return console.show(request, visit, "docs/guide.html", text=text(chapter), **values)
        more = {"tour": lambda: {"pictures": PICTURES}, "front-matter": keys, "stages": stages}
        values |= more[chapter]() if chapter in more else {}
        return console.show(request, visit, f"docs/{chapter or 'start'}.html", **values)

    return router


def place(chapter: str) -> dict[str, object]:
    """What every chapter's template needs to know of all chapters."""
    return {"groups_of_chapters": GROUPS, "chapter": chapter, "chapter_title": CHAPTERS[chapter]}


_MARKDOWN = MarkdownIt("commonmark").enable("table")


def rendered(text: str, command: Callable[[str, str], str]) -> Markup:
    """Markdown of ours as HTML. `command(text, label)`: how a block of code is shown. Headings have ids as forges give them, and
    links to other files of the guide lead to their chapters."""
    env = {"command": command}
    tokens = _MARKDOWN.parse(text, env)
    for token, inside in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and inside:
            token.attrSet("id", re.sub(r"[^\w-]", "", inside.content.lower().replace(" ", "-")))
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", re.sub(r"^([a-z-]+)\.md", r"/docs/\1", str(child.attrGet("href"))))
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env))


_MARKDOWN.add_render_rule(
    "fence",
    lambda self, tokens, at, options, env: env["command"](tokens[at].content.rstrip(), tokens[at].info or "text"),
)
_MARKDOWN.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>')
_MARKDOWN.add_render_rule("table_close", lambda *_: "</table></div>")


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
