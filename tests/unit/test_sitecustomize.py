"""The file that lets gradio find Spaces of this hub, in a Python of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import runtime_images

SITE = Path(runtime_images.__file__).parent / "site"
_FAKE = "import httpx\ndef load(name): return httpx.get(f'https://huggingface.co/api/spaces/{name}/host')\n"
_HTTPX = """
class URL:
    def __init__(self, text):
        from urllib.parse import urlsplit
        self._parts = urlsplit(text)
    host = property(lambda self: self._parts.hostname)
    port = property(lambda self: self._parts.port)
def get(url, **more): return url
def post(url, **more): return url
timeout = 5
"""


@pytest.fixture
def run(tmp_path):
    """Runs code where `gradio` and `httpx` are small ones of our own; returns the JSON that it prints."""
    (tmp_path / "gradio").mkdir()
    (tmp_path / "gradio" / "__init__.py").touch()
    for name in ("external", "routes"):
        (tmp_path / "gradio" / f"{name}.py").write_text(_FAKE)
    (tmp_path / "httpx.py").write_text(_HTTPX)

    def run(code, **environ):
        env = {"PATH": os.defpath, "PYTHONPATH": f"{SITE}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1", **environ}
        words = [sys.executable, "-c", f"import json\n{code}\nprint(json.dumps(result))"]
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return json.loads(done.stdout)

    return run


HERE = {"HF_ENDPOINT": "https://hub.example.org/", "SPACE_HOST": "acme-a.apps.example.org:8443"}


def test_requests_for_the_hub_go_to_the_endpoint(run):
    code = """import gradio.external as e, httpx
result = [e.load('a/b'), e.httpx.get('https://else.org'), httpx.get('https://huggingface.co/x'), e.httpx.timeout]"""
    assert run(code, **HERE) == [
        "https://hub.example.org/api/spaces/a/b/host", "https://else.org", "https://huggingface.co/x", 5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "url,ours",
    [
        ("https://acme-b.apps.example.org:8443/x", True),
        ("https://user-x.hf.space/", True),
        ("https://acme-b.apps.example.org/x", False),
        ("https://acme-b.apps.example.org:22/x", False),
        ("https://x.y.apps.example.org:8443/", False),
        ("https://apps.example.org:8443/", False),
        ("https://evilapps.example.org:8443/", False),
        ("https://acme-b.apps.example.org.evil.org:8443/", False),
        ("http://169.254.169.254:8443/", False),
    ],
)
def test_hosts_beside_our_own_are_hosts_of_spaces(run, url, ours):
    code = f"import gradio.routes as r; result = r.httpx.URL({url!r}).host.endswith('.hf.space')"
    assert run(code, **HERE) is ours


def test_a_space_that_sleeps_has_time_to_wake(run, tmp_path):
    (tmp_path / "gradio_client").mkdir()
    (tmp_path / "gradio_client" / "__init__.py").touch()
    (tmp_path / "gradio_client" / "client.py").write_text("import httpx")
    with (tmp_path / "httpx.py").open("a") as file:
        file.write("\ndef get(url, **more): return more\npost = get")
    code = """from gradio_client.client import httpx
import gradio.external
space = 'https://acme-b.apps.example.org:8443/config'
result = [httpx.get(space), httpx.post(space, timeout=3), httpx.get('https://else.org'), gradio.external.httpx.get(space)]"""
    assert run(code, **HERE) == [{"timeout": 120.0}, {"timeout": 3}, {}, {"timeout": 120.0}]


def test_no_server_for_reloading_is_started(run, tmp_path):
    (tmp_path / "gradio" / "utils.py").write_text("def get_space(): return 'acme/a'")
    (tmp_path / "gradio" / "http_server.py").write_text(
        "from gradio.utils import get_space\ndef start(): return get_space()"
    )
    code = "import gradio.http_server as h, gradio.utils as u; result = [h.start(), u.get_space()]"
    assert run(code, **HERE) == run(code) == [None, "acme/a"]


def test_nothing_is_changed_without_an_endpoint(run):
    code = "import gradio.external as e, httpx; result = [e.httpx is httpx, e.load('a/b')]"
    assert run(code) == [True, "https://huggingface.co/api/spaces/a/b/host"]
    assert run(code, HF_ENDPOINT="https://huggingface.co")[0] is True


def test_the_authors_own_sitecustomize_still_runs(run, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.told = 'hello'")
    assert run("result = told", **HERE) == "hello"
