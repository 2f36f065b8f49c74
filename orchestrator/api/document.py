"""The OpenAPI document of the API, at /openapi.json and /.well-known/openapi.json. Owns what routes cannot say for themselves:
how to sign in, and what every error looks like. Its page for people is in `web`."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

router = APIRouter(include_in_schema=False)
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "One sentence: what was found, and what to write instead."},
        "code": {"type": "string", "description": "Stable; also in the header X-Error-Code."},
    },
}
_HEADERS = {
    "X-Error-Code": {"schema": {"type": "string"}},
    "X-Error-Message": {"schema": {"type": "string"}},
    "X-Request-Id": {"schema": {"type": "string"}},
}
_ANSWER = {
    "description": "An error of the caller's",
    "headers": _HEADERS,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_BUSY = {"description": "Something of Podium's is down; nothing was changed, try again later"}
_MOVED = {"description": "The repo has another name now"}
_STREAMED = ("application/x-ndjson", {"schema": {"type": "string", "description": "One JSON object a line"}})


@router.get("/openapi.json")
@router.get("/.well-known/openapi.json")
def document(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi(), headers={"Access-Control-Allow-Origin": "*"})


def install(app: FastAPI) -> None:
    """Have `app.openapi()` make the document, once."""
    app.openapi = lambda: _kept(app)


def _kept(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = describe(app)
    return app.openapi_schema


def describe(app: FastAPI) -> dict[str, Any]:
    told = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts = told.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = _ERROR
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An access token, `hf_…`"},
    }
    told["security"] = [{}, {"token": []}]
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return told


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    answers |= {"4XX": _ANSWER, "503": _BUSY}
    if "{owner}" in path:
        answers["307"] = _MOVED
    if path.endswith(("/logs/{which}", "/events", "/metrics")):
        answers["200"]["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    if method == "post" and (path.endswith("/commit/{revision}") or path == "/api/buckets/{owner}/{name}/batch"):
        operation["requestBody"] = {"required": True, "content": dict([_STREAMED])}
    if "summary" in operation and "description" in operation:
        first = operation["description"].partition(". ")[0].replace("\n", " ")
        operation["summary"] = first.rstrip(".")[:120]
