"""The API for people: every path of the OpenAPI document on one page, from this server alone."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from web.docs import place
from web.page import Console
from web.session import Visit

_METHODS = ("get", "head", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Field:
    name: str
    where: str  #: path | query | body
    kind: str
    required: bool
    text: str


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    summary: str
    text: str
    fields: tuple[Field, ...]


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs/api")
    def page(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        document = request.app.openapi()
        groups = sorted(grouped(document).items())
        version = document["info"]["version"]
        return console.show(request, visit, "docs.html", groups=groups, version=version, **place("api"))

    return router


def grouped(document: dict[str, Any]) -> dict[str, list[Call]]:
    """The calls by their tag. Pure."""
    found: dict[str, list[Call]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                tag = (operation.get("tags") or ["other"])[0]
                found.setdefault(tag, []).append(_call(document, path, method, operation))
    return found


def _call(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Call:
    fields = [
        Field(one["name"], one["in"], kind_of(document, one.get("schema", {})), one.get("required", False), _text(one))
        for one in operation.get("parameters", ())
        if one["in"] == "query" or one["in"] == "path" and _text(one)  # a path says its own fields
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    shape = resolved(document, body)
    needed = shape.get("required", ())
    fields += [
        Field(name, "body", kind_of(document, one), name in needed, one.get("description", ""))
        for name, one in shape.get("properties", {}).items()
    ]
    text = operation.get("description", "")
    summary = operation.get("summary", "")
    return Call(method.upper(), path, summary, text, tuple(fields))


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, its reference followed; of a choice the first that is something."""
    for _ in range(5):
        if "$ref" in schema:
            schema = document["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})
        elif choices := schema.get("anyOf"):
            schema = next((one for one in choices if one.get("type") != "null"), {})
        else:
            break
    return schema


def kind_of(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A type in a word or two."""
    schema = resolved(document, schema)
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind_of(document, schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _text(parameter: dict[str, Any]) -> str:
    return parameter.get("description") or parameter.get("schema", {}).get("description", "")
