"""What an app says that it can be asked: read from the running app, which is a stranger's, and made into values and into code
that calls it. Owns the two formats (Gradio's `/gradio_api/info`, OpenAPI's `/openapi.json`) and the limits of believing them."""

import json
import re
import time
from dataclasses import dataclass
from typing import Any

import httpx

from orchestrator.api.params import is_storable

LIMIT = 1_000_000  #: bytes of a schema
PATIENCE = 3.0  #: seconds, for each step and for all of them
_ENDPOINTS = 40
_INPUTS = 30
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_PATH = re.compile(r"/[A-Za-z0-9._~/{}-]{0,120}")
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Input:
    """`example` is JSON-safe; `optional`: the app has a value of its own for it."""

    name: str
    label: str
    kind: str
    example: Any
    optional: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`name`: `/predict`; `method`: "" for one of Gradio."""

    name: str
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    method: str = ""
    about: str = ""


def fetch(address: str, host: str, path: str) -> dict[str, Any] | None:
    """The JSON object at `path` of the app at `address` (`host:port` or `unix:/path`); None when it gives none in time."""
    unix = address.removeprefix("unix:") if address.startswith("unix:") else None
    transport = httpx.HTTPTransport(uds=unix) if unix else httpx.HTTPTransport()
    base = "http://app" if unix else f"http://{address}"
    body, until = bytearray(), time.monotonic() + PATIENCE
    try:
        with (
            httpx.Client(transport=transport, timeout=PATIENCE, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", base + path, headers={"host": host, "accept": "application/json"}) as answer,
        ):
            if answer.status_code != 200:
                return None
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LIMIT or time.monotonic() > until:
                    return None
        told = json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError, OSError):
        return None
    return told if isinstance(told, dict) else None


def of_gradio(told: dict[str, Any]) -> tuple[Endpoint, ...]:
    """The named endpoints of `/gradio_api/info`. What does not have the shape of one is left out."""
    named = told.get("named_endpoints")
    found = []
    for name, facts in list(named.items())[:_ENDPOINTS] if isinstance(named, dict) else ():
        if not isinstance(name, str) or not _PATH.fullmatch(name) or not isinstance(facts, dict):
            continue
        inputs = tuple(_input(one, i) for i, one in enumerate(_dicts(facts.get("parameters"))[:_INPUTS]))
        outputs = tuple(_text(one.get("label"), "value") for one in _dicts(facts.get("returns"))[:_INPUTS])
        found.append(Endpoint(name, inputs, outputs, about=_text(facts.get("description"), "", 300)))
    return tuple(found)


def of_openapi(told: dict[str, Any]) -> tuple[Endpoint, ...]:
    paths = told.get("paths")
    found = []
    for path, methods in paths.items() if isinstance(paths, dict) else ():
        if not isinstance(path, str) or not _PATH.fullmatch(path) or not isinstance(methods, dict):
            continue
        for method in _METHODS:
            if isinstance(facts := methods.get(method), dict):
                found.append(Endpoint(path, method=method.upper(), about=_text(facts.get("summary"), "", 300)))
    return tuple(found[:_ENDPOINTS])


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object, default: str, limit: int = 80) -> str:
    return value[:limit] if isinstance(value, str) and value.isprintable() and value else default


def _input(told: dict[str, Any], index: int) -> Input:
    name = told.get("parameter_name")
    name = name if isinstance(name, str) and _NAME.fullmatch(name) else f"param_{index}"
    kind = told.get("python_type")
    kind = _text(kind.get("type"), "any", 60) if isinstance(kind, dict) else "any"
    optional = told.get("parameter_has_default") is True
    example = told.get("parameter_default") if optional else told.get("example_input")
    if not is_storable(example) or len(json.dumps(example)) > 300:
        example = None
    return Input(name, _text(told.get("label"), name), kind, example, optional)


# ---------------------------------------------------------------------------------------------------------------- code


def code(endpoint: Endpoint, url: str, private: bool) -> dict[str, str]:
    """Language -> a program that calls the endpoint of the app at `url`. Every value of the app's is written as a literal."""
    if endpoint.method:
        more = ' \\\n  -H "Authorization: Bearer $HF_TOKEN"' if private else ""
        return {"curl": f"curl -X {endpoint.method} '{url}{endpoint.name}'{more}"}
    return {
        "python": _python(endpoint, url, private),
        "js": _javascript(endpoint, url, private),
        "curl": _curl(endpoint, url, private),
    }


def _python(endpoint: Endpoint, url: str, private: bool) -> str:
    begin = "import os\n\n" if private else ""
    token = ', token=os.environ["HF_TOKEN"]' if private else ""
    given = "".join(f"    {one.name}={one.example!r},\n" for one in endpoint.inputs)
    return (
        f'{begin}from gradio_client import Client\n\nclient = Client("{url}"{token})\n'
        f'result = client.predict(\n{given}    api_name="{endpoint.name}",\n)\nprint(result)'
    )


def _javascript(endpoint: Endpoint, url: str, private: bool) -> str:
    token = ", { token: process.env.HF_TOKEN }" if private else ""
    given = "".join(f"  {one.name}: {json.dumps(one.example, ensure_ascii=False)},\n" for one in endpoint.inputs)
    return (
        f'import {{ Client }} from "@gradio/client";\n\nconst client = await Client.connect("{url}"{token});\n'
        f'const result = await client.predict("{endpoint.name}", {{\n{given}}});\nconsole.log(result.data);'
    )


def _curl(endpoint: Endpoint, url: str, private: bool) -> str:
    body = json.dumps({"data": [one.example for one in endpoint.inputs]}, ensure_ascii=False).replace("'", "'\\''")
    auth = ' -H "Authorization: Bearer $HF_TOKEN"' if private else ""
    call = f"{url}/gradio_api/call{endpoint.name}"
    return (
        f"EVENT=$(curl -s -X POST '{call}'{auth} -H 'Content-Type: application/json' \\\n  -d '{body}' | cut -d'\"' -f4)\n"
        f'curl -N "{call}/$EVENT"{auth}'
    )
