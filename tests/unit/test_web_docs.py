"""The page of the API, and the stylesheets."""

import re
from dataclasses import replace
from pathlib import Path

import web
from tests.console import Console
from web.api_docs import grouped, kind_of
from web.routes import create_router


def test_the_page_names_every_call_and_nothing_from_elsewhere(tmp_path):
    from orchestrator.api.app import create_app

    console = Console(tmp_path)
    console.app = create_app(replace(console.parts), (create_router(console.parts),))
    with console.listening(), console.client(None) as client:
        page = client.get("/docs/api").text
        document = client.get("/openapi.json").json()
    for path in document["paths"]:
        assert path in page
    assert "https://" not in page.replace("https://localhost", "") and "<script src" not in page


def test_types_in_words():
    document = {
        "paths": {"/a": {"get": {"tags": ["t"], "summary": "S", "parameters": [
            {"name": "p", "in": "query", "schema": {"anyOf": [{"type": "array", "items": {"$ref": "#/components/schemas/K"}},
                                                              {"type": "null"}]}}]}}},
        "components": {"schemas": {"K": {"type": "string", "enum": ["a", "b"]}}},
    }  # fmt: skip
    (call,) = grouped(document)["t"]
    assert [(field.name, field.kind, field.required) for field in call.fields] == [("p", "list of a | b", False)]
    assert kind_of(document, {}) == "any"


#: Beginnings of classes that pages and scripts put together.
MADE = re.compile(r"(from|to)-[a-z]+|lang-\w+|line\d|[bfps]\d|h[a-z]")


def test_every_class_of_the_stylesheets_is_used():
    folder = Path(web.__file__).parent
    told = "".join(path.read_text() for kind in ("**/*.html", "**/*.js", "*.py") for path in folder.glob(kind))
    known = set(re.findall(r"[A-Za-z][\w-]*", told))
    for path in sorted((folder / "static").rglob("*.css")):
        rules = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        classes = {
            one for selector in re.findall(r"([^{}]+)\{", rules) for one in re.findall(r"\.([A-Za-z][\w-]*)", selector)
        }
        assert {one for one in classes - known if not MADE.fullmatch(one)} == set(), path.name
