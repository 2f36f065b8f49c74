"""Every folder of tests/apps, pushed with real git through the gateway, built, run, and used with the real clients."""

import re

import pytest

from tests.apps import checks, expect


@pytest.mark.timeout(600)
@pytest.mark.parametrize("folder", expect.folders(), ids=lambda folder: folder.name)
def test_app(podium, space, folder):
    promise = expect.load(folder)
    if promise.secrets or promise.variables:
        space.create()
        for key, value in promise.secrets.items():
            space.secret(key, value)
        for key, value in promise.variables.items():
            space.variable(key, value)
    space.push(folder)
    now = space.wait(*promise.stages, timeout=promise.within)

    reason = now.get("errorMessage") or ""
    assert re.search(promise.reason, reason), f"the author is told {reason!r}"
    if promise.code:
        fault = space.api("GET", "/builds?limit=1").json()[0]["fault"]
        assert fault["code"] == promise.code, fault
    assert "Traceback" not in reason
    for kind, pattern in promise.log.items():
        log = "\n".join(space.logs(kind))
        assert re.search(pattern, log), f"the {kind} log has no {pattern!r}:\n{log[-3000:]}"

    if promise.runs:
        checks.use(promise, space)
        assert not reason, f"it runs, and yet the author is told {reason!r}"
        log = "\n".join(space.logs("run"))
        assert "hot-reloading" not in log and "7887" not in log, (
            f"gradio tried to open its door for new code:\n{log[-3000:]}"
        )
    else:
        checks.ask(promise, space)
        assert not space.pids(), "it failed, and something of it still runs"
