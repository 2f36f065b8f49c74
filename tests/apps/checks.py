"""Uses a running sample as its `expect.toml` promises: HTTP requests, Gradio calls, the folder's own script. Needs only an
address, so it serves the end-to-end tests and a hand-run app alike."""

import importlib.util
import re

from tests.apps.expect import Expect, Gradio, Http
from tests.space import App


def use(promise: Expect, app: App) -> None:
    """Do everything that the promise lists. Raises AssertionError naming the check that failed."""
    ask(promise, app)
    if promise.gradio:
        client = app.gradio()
        for call in promise.gradio:
            _call(client, call)
    if promise.script:
        _script(promise)(app)


def ask(promise: Expect, app: App) -> None:
    """The HTTP checks alone, which make sense for an app that is not up, too."""
    with app.client() as client:
        for request in promise.http:
            _ask(client, request)


def _ask(client, wanted: Http) -> None:
    answer = client.request(wanted.method, wanted.path, headers={"accept": wanted.accept})
    where = f"{wanted.method} {wanted.path}"
    assert answer.status_code == wanted.status, (
        f"{where}: {answer.status_code}, not {wanted.status}: {answer.text[:300]}"
    )
    assert wanted.contains in answer.text, f"{where}: no {wanted.contains!r} in {answer.text[:300]!r}"
    for name, pattern in wanted.header.items():
        value = answer.headers.get(name, "")
        assert re.search(pattern, value, re.I), f"{where}: {name} is {value!r}, not {pattern!r}"


def _call(client, call: Gradio) -> None:
    result = client.predict(*call.args, api_name=call.api_name)
    assert result == call.result, f"{call.api_name}{tuple(call.args)} gave {result!r}, not {call.result!r}"


def _script(promise: Expect):
    spec = importlib.util.spec_from_file_location(f"check_{promise.folder.name}", promise.folder / promise.script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check
