"""What gradio brings, with only HF_ENDPOINT changed: `gradio deploy` makes a Space of a folder, `gradio_client` finds it by
its name, public and private, and copies it. One app, built once; the copy shares its environment."""

import secrets
import subprocess

import pytest

from tests.e2e.hub import Hub, installed
from tests.support import names_resolve

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not names_resolve(), reason="gradio_client needs *.localhost to resolve: install libnss-myhostname"
    ),
]
APP = """
import os
import time
from pathlib import Path

import gradio as gr


def shout(text: str, path: str | None) -> tuple[str, str | None]:
    if path:
        there = Path(path).with_name("back-" + Path(path).name)
        there.write_bytes(Path(path).read_bytes()[::-1])
        path = str(there)
    return text.upper(), path


def count(to: float):
    for n in range(int(to)):
        yield str(n)
        time.sleep(0.05)


def told() -> str:
    return os.environ.get("KEY", "nothing")


with gr.Blocks() as demo:
    gr.Interface(shout, [gr.Textbox(), gr.File()], [gr.Textbox(), gr.File()], api_name="shout")
    gr.Button().click(count, gr.Number(), gr.Textbox(), api_name="count")
    gr.api(told, api_name="told")

demo.launch()
"""
#: Every question of `gradio deploy` in order: title, app file, hardware, secrets, requirements.txt, GitHub Action.
ANSWERS = ["", "", "", "y", "KEY", "of the first", "", "n", "n"]
USE = """
from pathlib import Path
from gradio_client import Client, handle_file
client = Client(id, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 120})
sent = Path("é ü (1).bin"); sent.write_bytes(bytes(range(256)) * 100)
text, back = client.predict("hello", handle_file(sent), api_name="/shout")
job = client.submit(4, api_name="/count")
result = {
    "src": client.src,
    "names": sorted(client.view_api(return_format="dict", print_info=False)["named_endpoints"]),
    "text": text,
    "same": Path(back).read_bytes() == sent.read_bytes()[::-1],
    "counted": list(job),
    "status": job.status().code.name,
    "told": client.predict(api_name="/told"),
}
client.close()
"""
COPY = """
import httpx, time
from gradio_client import Client
for _ in range(60):
    try:
        client = Client.duplicate(id, to_id=to, secrets={"KEY": "of the copy"}, verbose=False)
        break
    except httpx.TimeoutException:  # it waits five seconds for an app to start, and can be asked again
        time.sleep(5)
result = {"id": client.space_id, "told": client.predict(api_name="/told"), "private": api.space_info(to).private,
          "hardware": api.get_space_runtime(to).hardware}
client.close()
"""


@pytest.fixture(scope="module")
def deployed(podium, tmp_path_factory):
    """The Space that `gradio deploy` made, once it runs; `said` is what it said."""
    place = tmp_path_factory.mktemp("gradio")
    python = installed(place / "env", "gradio")
    folder = place / f"A demo {secrets.token_hex(2)}"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    user = Hub(podium, place / "home", podium.token)
    environ = {name: value for name, value in user.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python.parent / "gradio"), "deploy"],
        cwd=folder,
        env=environ,
        input="".join(f"{answer}\n" for answer in ANSWERS),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout[-1000:]}{done.stderr[-3000:]}"
    space = podium.space(folder.name.replace(" ", "_"))
    space.said = done.stdout
    space.wait("RUNNING", timeout=400)
    yield space
    space.delete()


@pytest.fixture
def owner(podium, tmp_path):
    return Hub(podium, tmp_path / "owner", podium.token)


@pytest.fixture
def nobody(podium, tmp_path):
    return Hub(podium, tmp_path / "nobody", None)


def test_gradio_deploys_a_folder(deployed):
    assert f"spaces/{deployed.id}" in deployed.said
    assert {"README.md", "app.py"} <= set(deployed.files())
    assert deployed.api("GET").json()["cardData"]["app_file"] == "app.py"
    assert list(deployed.api("GET", "/secrets").json()) == ["KEY"]


def test_a_client_uses_it_by_its_name(deployed, nobody):
    assert nobody.run(USE, id=deployed.id) == used(deployed, "of the first")


def test_a_private_one_is_there_for_its_people_alone(deployed, owner, nobody):
    deployed.api("PUT", "/settings", {"private": True})
    try:
        assert owner.run(USE, id=deployed.id) == used(deployed, "of the first")
        code = "from gradio_client import Client; result = [refused(Client, src, verbose=False) for src in (id, url)]"
        by_name, by_url = nobody.run(code, id=deployed.id, url=deployed.url)
    finally:
        deployed.api("PUT", "/settings", {"private": False})
    assert by_name[0] == "RepositoryNotFoundError"
    assert by_url[0] in ("ValueError", "AuthenticationError") and "Could not" in by_url[2]


def test_a_client_makes_a_copy_of_its_own(podium, deployed, owner):
    copy = podium.space(f"{deployed.name}-copy")
    try:
        seen = owner.run(COPY, id=deployed.id, to=copy.id)
    finally:
        copy.delete()
    assert seen == {"id": copy.id, "told": "of the copy", "private": True, "hardware": "cpu-basic"}


def used(space, told: str) -> dict:
    return {
        "src": space.url,
        "names": ["/count", "/shout", "/told"],
        "text": "HELLO",
        "same": True,
        "counted": ["0", "1", "2", "3"],
        "status": "FINISHED",
        "told": told,
    }
