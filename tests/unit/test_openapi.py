"""The OpenAPI document, its page, and that what it says holds: a few examples of every operation, none of which may break
anything or be answered otherwise than the document says."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import Failure as CheckFailed
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.console import Console

load_all_checks()


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("console")).listening() as console:
        console.space()
        yield console


#: Never ending, ending what the others need, or with bodies that are no JSON.
_LEFT_OUT = re.compile(
    r".*/commit/\{revision\}|/api/buckets/.*/batch|/uploads.*|.*/(logs/\{which\}|events|metrics)|/internal/.*|/api/repos/(delete|move)"
)


#: What is there: what is not there is refused before anything is looked at.
_THERE = {"kind": "spaces", "owner": "ada", "name": "demo", "revision": "main", "num": 1}


@pytest.fixture
def described(console):
    document = schemathesis.openapi.from_asgi("/openapi.json", console.app)
    return document.exclude(path_regex=_LEFT_OUT.pattern)


CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance, content_type_conformance]
_EXAMPLES = settings(
    max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


def test_what_the_document_says_holds(console, described):
    wrong = []
    for found in described.get_all_operations():
        operation = found.ok()
        try:
            _EXAMPLES(given(case=operation.as_strategy())(lambda case: _hold(console, case)))()
        except (CheckFailed, FailureGroup) as error:
            wrong.append(f"{operation.label}: {error}")
    assert not wrong, "\n\n".join(wrong[:20])


def _hold(console: Console, case: schemathesis.Case) -> None:
    if len(str(case.body)) % 2 or not case.body:
        case.path_parameters = {name: _THERE.get(name, value) for name, value in (case.path_parameters or {}).items()}
    headers = {"Authorization": f"Bearer {console.token}"}
    case.call_and_validate(headers=headers, checks=CHECKS, base_url="http://localhost:8000")


def test_the_document_is_where_clients_look_and_loads_nothing_from_elsewhere(console):
    with console.client(None) as client:
        document = client.get("/openapi.json").json()
        assert client.get("/.well-known/openapi.json").json() == document
    assert document["openapi"].startswith("3.") and len(document["paths"]) > 60
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["tags"], f"{method} {path}"
            assert "422" not in operation["responses"] and "4XX" in operation["responses"]
