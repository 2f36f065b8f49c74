"""The OpenAPI document, its page, and that what it says holds: a few examples of every operation, none of which may break
anything or be answered otherwise than the document says."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks, not_a_server_error
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


#: Never ending, or ending what the others need.
_LEFT_OUT = re.compile(r".*/(logs/\{which\}|events|metrics)|/internal/.*|/api/repos/(delete|move)")


@pytest.fixture
def described(console):
    document = schemathesis.openapi.from_asgi("/openapi.json", console.app)
    document = document.exclude(path_regex=_LEFT_OUT.pattern)
    names = {"kind": "spaces", "owner": "ada", "name": "demo", "revision": "main", "num": 1}

    @document.hook("before_call")
    def to_something_real(context, case, kwargs):
        """Every second call is about a repo that is there: what is not there is refused before anything is looked at."""
        if hash(str(case.body) + str(case.query)) % 2:
            case.path_parameters = {k: names.get(k, v) for k, v in (case.path_parameters or {}).items()}

    return document


schema = schemathesis.pytest.from_fixture("described")
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@schema.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_what_the_document_says_holds(console, case):
    case.call_and_validate(
        headers={"Authorization": f"Bearer {console.token}"}, checks=CHECKS, base_url="http://localhost:8000"
    )


def test_the_document_is_where_clients_look_and_loads_nothing_from_elsewhere(console):
    with console.client(None) as client:
        document = client.get("/openapi.json").json()
        assert client.get("/.well-known/openapi.json").json() == document
    assert document["openapi"].startswith("3.") and len(document["paths"]) > 60
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["tags"], f"{method} {path}"
            assert "422" not in operation["responses"] and "4XX" in operation["responses"]
