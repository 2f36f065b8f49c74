"""The Builds port with a registry: a real registry, a real engine for what is below an app, and none for the app. The client's
way with a registry that breaks is tried on small images that never saw an engine."""

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import threading
import time
from pathlib import Path

import httpx
import pytest

from builder import oci
from builder.backends.pushed import marks
from builder.backends.registry import Registry as Client
from builder.backends.session import Missing
from builder.errors import TransientError
from builder.request import Images
from orchestrator.builds.pushed import PushedBuilds
from orchestrator.domain.seen import FaultKind
from orchestrator.errors import Unavailable
from tests import containers, registry, wheels
from tests.contracts.test_builds import STATIC
from tests.contracts.test_builds import World as Plain
from tests.support import eventually

pytestmark = pytest.mark.skipif(bool(registry.trouble()), reason=registry.trouble() or "-")
needs_docker = pytest.mark.skipif(bool(containers.trouble()), reason=containers.trouble() or "-")
REMOTE = Path(__file__).parents[1] / "remote_docker.py"
DOCKER = "---\nsdk: docker\n---\n"
GRADIO = {"README.md": "---\nsdk: gradio\n---\n", "requirements.txt": "gradio\n"}
SERVER = """
import gradio, http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(f"{gradio.__version__} WORD".encode())
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """One registry for this file: the base image is sent to it once."""
    made = registry.Registry(tmp_path_factory.mktemp("registry")).start()
    yield made
    made.stop()
    if not containers.trouble():
        containers.forget(made.host)


@pytest.fixture(scope="module")
def index():
    gateway = containers.docker("network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}")
    made = wheels.Index(wheels.GRADIO, gateway)
    yield made
    made.close()


class World(Plain):
    host = ""  #: where builders find the registry

    def builds(self, **more):
        told = {name: more.pop(name) for name in ("limit", "base", "registry_config", "builder") if name in more}
        place = more.pop("registry", f"{self.host}/team")
        images = Images(told.pop("base", containers.base()), self.owner, "caches-test", registry=place, **told)
        self.opened.append(PushedBuilds(self.data, images, **{"grace": 0.0, **more}))
        return self.opened[-1]

    def mine(self, name: str) -> list[str]:
        return [tag for tag in self.real.tags(f"team/{name}") if tag.startswith(self.owner)]


@pytest.fixture
def world(tmp_path, real):
    made = World(tmp_path)
    made.real, made.host, made.owner = real, real.host, "shared"  # what is below apps is made once
    yield made
    for builds in made.opened:
        builds.close()


@pytest.fixture
def own(world):
    """A world whose images nobody else has."""
    world.owner = f"test{os.getpid()}x{time.monotonic_ns() % 10**6}"
    yield world
    for image in containers.apps_of_owner(world.owner):
        containers.docker("image", "rm", "-f", image, check=False)


@pytest.fixture
def no_docker(tmp_path, monkeypatch):
    """From now on builders find git and no docker."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("git", "sh", "nice"):
        (folder / program).symlink_to(shutil.which(program))

    def begin() -> None:
        monkeypatch.setenv("PATH", str(folder))
        assert not shutil.which("docker")

    return begin


def pulled(reference: str) -> str:
    containers.docker("pull", "-q", reference)
    return reference


def runs(reference: str, *words: str) -> str:
    return containers.docker(
        "run", "--rm", "--network", "none", "--entrypoint", words[0], pulled(reference), *words[1:]
    )


def served(image, path: str = "/") -> str:
    """What the image's app answers, started as a runtime starts it."""
    argv = [word.format(port=image.port, python="/opt/podium/python", static_server="/opt/podium/static_server.py")
            for word in image.argv]  # fmt: skip
    env = {name: text.format(port=image.port) for name, text in image.env.items()} | {"PORT": str(image.port)}
    options = [word for name, text in env.items() for word in ("-e", f"{name}={text}")]
    words = (
        "run",
        "-d",
        "--rm",
        "--label",
        "podium.test=1",
        *options,
        "--entrypoint",
        argv[0],
        pulled(image.reference),
    )
    name = containers.docker(*words, *argv[1:])
    try:
        address = containers.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)
        return eventually(lambda: httpx.get(f"http://{address}:{image.port}{path}", timeout=5).text, 30)
    finally:
        containers.docker("rm", "-f", name)


# ------------------------------------------------------------------------------------------------------ whole builds


@needs_docker
def test_an_app_is_one_layer_on_what_is_there_without_docker(world, no_docker):
    first = world.run(world.order(STATIC))
    assert first.image, (first.fault, world.log)
    no_docker()
    result = world.run(world.order({**STATIC, "index.html": "<h1>second</h1>", "näme.txt": "x"}))
    image = result.image
    assert image.reference.startswith(f"{world.host}/team/podium-app@sha256:")
    assert {"files", "push"} <= set(result.phases) and "base" not in result.phases
    assert world.opened[-1].exists(image)
    again = world.run(world.order({**STATIC, "index.html": "<h1>second</h1>", "näme.txt": "x"}))
    assert again.image == image and any("CACHED" in line for line in world.log)
    print("phases of an app-only push:", result.phases)

    digest = image.reference.partition("@")[2]
    above, below = (len(world.real.manifest("team/podium-app", one.reference.partition("@")[2])["layers"])
                    for one in (image, first.image))  # fmt: skip
    assert above == below, "an app never stands on another app"
    told = world.real.config("team/podium-app", digest)
    assert (told["config"]["User"], told["config"]["WorkingDir"]) == ("1000:1000", "/app")
    assert told["config"]["Labels"]["podium.kind"] == "app" and told["config"]["Labels"]["podium.data"] == world.owner
    assert len(told["rootfs"]["diff_ids"]) == above


@needs_docker
def test_the_appended_image_really_serves(world):
    image = world.run(world.order({**STATIC, ".dockerignore": "index.html"})).image
    assert served(image) == "<h1>hello</h1>"
    assert runs(image.reference, "stat", "-c", "%u:%g %a %F", "/app", "/app/index.html").splitlines() == [
        "1000:1000 755 directory", "1000:1000 644 regular file",
    ]  # fmt: skip
    assert runs(image.reference, "id", "-u") == "1000"


@needs_docker
def test_a_python_app_shares_its_dependencies_and_is_pushed_without_docker(world, index, no_docker):
    files = {**GRADIO, "app.py": SERVER.replace("WORD", "one")}
    first = world.run(world.order(files), index_url=index.url)
    assert first.image, (first.fault, world.log)
    assert first.image.sdk_version == "6.99.0"
    assert served(first.image) == "6.99.0 one"
    assert len(world.mine("podium-deps")) == 1
    other = world.run(world.order({**files, "more.txt": ""}, space="space2"), index_url=index.url)
    assert "install" not in other.phases and other.previous == first.previous
    no_docker()
    asked = len(index.asked)
    pushed = world.run(
        world.order({**files, "app.py": SERVER.replace("WORD", "two")}, previous=first.previous), index_url=index.url
    )
    assert pushed.image, (pushed.fault, world.log)
    assert len(index.asked) == asked, "nothing is resolved again"
    assert pushed.image.reference != first.image.reference and pushed.image.python_version.startswith("3.")
    print("phases of an app-only push with packages:", pushed.phases)


@needs_docker
def test_two_builders_make_the_same_image(own, tmp_path):
    first = own.run(own.order(STATIC)).image
    tag, = own.mine("podium-app")  # fmt: skip
    digest = first.reference.partition("@")[2]
    gone = Client(f"{own.host}/team")
    assert gone.delete("podium-app", digest) and own.mine("podium-app") == []
    own.data = tmp_path / "elsewhere"  # another machine: nothing is remembered
    assert own.run(own.order({**STATIC, "README.md": STATIC["README.md"] + "\n"})).image.reference != first.reference
    assert own.run(own.order(STATIC)).image.reference == first.reference
    assert tag in own.mine("podium-app")


@needs_docker
def test_a_layer_that_the_registry_lost_is_made_again(own):
    first = own.run(own.order(STATIC)).image
    layers = own.real.manifest("team/podium-app", first.reference.partition("@")[2])["layers"]
    own.real.lose(layers[-2]["digest"])  # the launcher's
    result = own.run(own.order({**STATIC, "index.html": "new"}))
    assert result.image, (result.fault, own.log)
    assert any("built again" in line for line in own.log), own.log
    assert served(result.image) == "new"
    mended = own.run(own.order(STATIC)).image
    assert served(mended) == "<h1>hello</h1>"


@needs_docker
def test_an_authors_dockerfile_is_judged_before_it_is_pushed(own):
    text = f"FROM {containers.base()}\nRUN echo hi > /greeting\n"
    order = own.order({"README.md": DOCKER, "Dockerfile": text + 'USER 1000\nCMD ["cat", "/greeting"]\n'})
    image = own.run(order).image
    assert image.reference.startswith(f"{own.host}/team/podium-app@sha256:") and own.builds().exists(image)
    assert runs(image.reference, "cat", "/greeting") == "hi"
    before = own.mine("podium-app")
    for lines, more, code in (
        ("CMD []\nENTRYPOINT []\n", {}, "DOCKER_CMD"),
        ('CMD ["x"]\nRUN head -c 3000000 /dev/zero > /big\n', {"limit": 1 << 20}, "IMAGE_SIZE"),
    ):
        result = own.run(own.order({"README.md": DOCKER, "Dockerfile": text + lines}), **more)
        assert (result.image, result.fault.code, result.fault_kind) == (None, code, FaultKind.BUILD)
    assert own.mine("podium-app") == before


@needs_docker
def test_a_builder_of_the_remote_kind(own, tmp_path, monkeypatch):
    """The way of builders that leave nothing in an engine; the builder itself is a stand-in that uses the real engine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "docker"
    told = f"STAND_IN_DOCKER={shutil.which('docker')} STAND_IN_REGISTRY={own.real.host}"
    script.write_text(f'#!/bin/sh\n{told} exec {sys.executable} {REMOTE} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    image = own.run(own.order(STATIC), builder="far-away").image
    text = f"FROM {containers.base()}\nRUN echo hi > /greeting\nUSER 1000\n"
    order = own.order({"README.md": DOCKER, "Dockerfile": text + 'CMD ["cat", "/greeting"]\n'})
    result = own.run(order, builder="far-away")
    other = own.order({"README.md": DOCKER, "Dockerfile": text + 'CMD ["true"]\n'})
    refused = own.run(other, builder="far-away", limit=1 << 20)
    monkeypatch.undo()
    assert result.image, (result.fault, own.log)
    assert served(image) == "<h1>hello</h1>"
    assert runs(result.image.reference, "cat", "/greeting") == "hi"
    assert refused.fault.code == "IMAGE_SIZE"


@needs_docker
def test_what_nobody_keeps_is_removed_and_what_stays_can_be_pulled(own):
    old, new = (own.run(own.order({**STATIC, "index.html": word})).image for word in ("old", "new"))
    builds = own.builds()
    assert own.builds(grace=3600).collect([]) == 0 and builds.exists(old)
    builds.collect([new])
    fresh = own.builds()
    assert fresh.exists(new) and not fresh.exists(old) and len(own.mine("podium-app")) == 1
    assert runs(new.reference, "cat", "/app/index.html") == "new"
    shutil.rmtree(marks(own.data / "images"))  # notes are a help, not the truth
    assert own.builds(grace=3600).collect([]) == 0 and own.builds().exists(new)
    believes = own.builds()
    assert believes.exists(new)
    own.builds().collect([])
    assert not own.builds().exists(new) and own.mine("podium-app") == []
    assert believes.exists(new) and not believes.exists(new, doubted=True), "asked again once a launch has failed"


# ---------------------------------------------------------------------------------------------- a registry that breaks


@pytest.fixture
def broken(real):
    made = registry.Breaker(real.port)
    yield made
    made.close()


def image_of(files: dict[str, str]) -> tuple[dict[str, bytes], bytes]:
    """Blobs and manifest of a small image."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    packed = gzip.compress(out.getvalue(), mtime=0)
    told = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]},
            "rootfs": {"type": "layers", "diff_ids": [oci.sha256(out.getvalue())]}}  # fmt: skip
    config = json.dumps(told).encode()
    blobs = {oci.sha256(data): data for data in (packed, config)}
    kinds = (oci.CONFIG[oci.OCI], oci.LAYER[oci.OCI])
    mine = [oci.Blob(oci.sha256(data), len(data), kind) for data, kind in zip((config, packed), kinds, strict=True)]
    return blobs, oci.described(oci.OCI, mine[0], tuple(mine[1:]))


def send(client: Client, name: str, blobs: dict[str, bytes], manifest: bytes) -> str:
    for data in blobs.values():
        client.upload_bytes(name, data)
    return client.put(name, "one", manifest, oci.OCI)


@pytest.mark.parametrize("mode", ["reset", "error", "hang"])
def test_a_registry_that_is_away_for_a_moment_costs_nothing(real, broken, mode):
    blobs, manifest = image_of({"a": f"{mode} {os.getpid()}"})
    client = Client(f"{broken.host}/small-{mode}", patience=30, wait=0.5)
    broken.fail(mode, after=20, times=2)
    digest = send(client, "app", blobs, manifest)
    assert broken.met == 2
    assert client.manifest("app", digest).digest == digest
    assert real.manifest(f"small-{mode}/app", digest)["layers"]
    client.close()


def test_an_upload_that_breaks_in_the_middle_is_sent_again(real, broken):
    data = os.urandom(3 << 20)
    client = Client(f"{broken.host}/large", patience=30)
    assert not client.has("app", oci.sha256(data))
    broken.fail("reset", after=1 << 20, times=2)
    client.upload("app", oci.sha256(data), len(data), lambda: [data[:1000], data[1000:]])
    assert broken.met == 2
    broken.fail("pass")
    assert hashlib.sha256(b"".join(client._chunks("app", oci.sha256(data)))).hexdigest() == oci.sha256(data)[7:]
    client.close()


@pytest.mark.parametrize("mode", ["reset", "error", "hang"])
def test_a_registry_that_stays_away_is_ours_and_bounded(broken, mode):
    client = Client(f"{broken.host}/small", patience=2)
    broken.fail(mode)
    began = time.monotonic()
    with pytest.raises(TransientError, match="registry"):
        client.manifest("app", "one")
    assert time.monotonic() - began < 60
    client.close()


@needs_docker
def test_a_registry_that_dies_in_a_push_loses_nothing(world, broken):
    before = world.run(world.order(STATIC)).image
    world.host = broken.host
    order = world.order({**STATIC, "index.html": "x" * 100_000})
    steady = world.run(order)
    assert steady.image
    order = world.order({**STATIC, "index.html": os.urandom(200_000).hex()})
    broken.fail("reset", after=30_000)
    with pytest.raises(Unavailable, match="registry"):
        world.run(order)
    broken.fail("reset")
    with pytest.raises(Unavailable):
        world.opened[-1].exists(steady.image)
    broken.fail("pass")
    assert world.run(order).image
    world.host = world.real.host
    assert world.builds().exists(before)


def test_what_the_registry_lacks_is_said(real):
    client = Client(f"{real.host}/lacks")
    blobs, manifest = image_of({"a": "x"})
    with pytest.raises(Missing):
        client.ensure("app", oci.sha256(b"nothing"), "deps")
    for data in blobs.values():
        client.upload_bytes("deps", data)
        client.ensure("app", oci.sha256(data), "deps")
    assert client.put("app", "one", manifest, oci.OCI) == oci.sha256(manifest)
    assert client.tags("app") == ["one"] and client.tags("nothing") == []
    lacking = manifest.replace(next(iter(blobs)).encode(), oci.sha256(b"nothing").encode())
    with pytest.raises(Missing):
        client.put("app", "two", lacking, oci.OCI)
    client.close()


def test_passwords(tmp_path):
    closed = registry.Registry(tmp_path / "closed", user="podium").start()
    try:
        blobs, manifest = image_of({"a": "x"})
        with pytest.raises(TransientError, match="PODIUM_REGISTRY_CONFIG"):
            Client(closed.host, str(registry.login(tmp_path, "elsewhere:1", "podium"))).manifest("app", "one")
        with pytest.raises(TransientError, match="refuses us"):
            Client(closed.host, str(registry.login(tmp_path, closed.host, "podium", "wrong"))).manifest("app", "one")
        with pytest.raises(TransientError, match="cannot be read"):
            Client(closed.host, str(tmp_path / "nothing.json")).manifest("app", "one")
        client = Client(closed.host, str(registry.login(tmp_path, closed.host, "podium")))
        assert client.manifest("app", send(client, "app", blobs, manifest))
        client.close()
    finally:
        closed.stop()


def test_a_token_service(real, tmp_path):
    """Docker's token authentication, before a registry that asks for nothing itself."""
    gate = Gate(real.port)
    try:
        blobs, manifest = image_of({"a": f"token {os.getpid()}"})
        client = Client(f"{gate.host}/token", str(registry.login(tmp_path, gate.host, "podium")))
        digest = send(client, "app", blobs, manifest)
        for data in blobs.values():
            client.ensure("copy", oci.sha256(data), "app")
        assert client.manifest("app", digest)
        assert gate.scopes[0] == ["repository:token/app:pull,push"]
        assert ["repository:token/copy:pull,push", "repository:token/app:pull"] in gate.scopes
        assert len(gate.scopes) == 3, "a token serves many requests"
        gate.tokens.clear()  # they have expired
        assert client.exists("app", digest)
        client.close()
    finally:
        gate.close()


class Gate:
    """A registry that wants tokens, and the service that gives them to the user `podium`."""

    def __init__(self, port: int) -> None:
        import http.server

        gate, target = self, f"http://127.0.0.1:{port}"
        self.tokens: set[str] = set()
        self.scopes: list[list[str]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                from urllib.parse import parse_qs, urlsplit

                size = self.headers.get("Content-Length")
                body = self.rfile.read(int(size)) if size else b""
                if self.path.startswith("/token"):
                    assert self.headers["Authorization"].startswith("Basic ")
                    gate.scopes.append(parse_qs(urlsplit(self.path).query)["scope"])
                    token = f"t{len(gate.scopes)}"
                    gate.tokens.add(token)
                    return self._send(200, {}, json.dumps({"token": token}).encode())
                if self.headers.get("Authorization", "").removeprefix("Bearer ") not in gate.tokens:
                    challenge = f'Bearer realm="http://{gate.host}/token",service="tests",scope="ignored"'
                    return self._send(401, {"WWW-Authenticate": challenge}, b"")
                kept = {name: self.headers[name] for name in ("Content-Type", "Accept", "Host") if name in self.headers}
                got = httpx.request(self.command, target + self.path, headers=kept, content=body)
                passed = ("location", "content-type", "docker-content-digest", "link")
                self._send(got.status_code, {n: got.headers[n] for n in passed if n in got.headers}, got.content)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _any

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_registry_that_removes_nothing_is_left_alone(tmp_path, caplog):
    closed = registry.Registry(tmp_path / "keeps", delete=False).start()
    try:
        blobs, manifest = image_of({"a": "x"})
        client = Client(f"{closed.host}/team")
        for data in blobs.values():
            client.upload_bytes("podium-app", data)
        client.put("podium-app", "me-one", manifest, oci.OCI)
        client.close()
        images = Images("none", "me", "caches", registry=f"{closed.host}/team")
        builds = PushedBuilds(tmp_path / "data", images, grace=0.0)
        for _ in range(2):
            builds.collect([])
        assert client.tags("podium-app") == ["me-one"]
        assert sum("removes no images" in line for line in caplog.messages) == 1
        builds.close()
    finally:
        closed.stop()


def test_a_registry_that_lies_is_not_believed(tmp_path):
    """What comes is held against its digest, and has a limit."""
    answers = {"kind": "wrong"}

    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", "sha256:" + "0" * 64)
            self.end_headers()
            try:
                self.wfile.write(b"{}" if answers["kind"] == "wrong" else b"x" * (oci.MANIFEST_LIMIT + 10))
            except OSError:
                pass

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        client = Client(f"localhost:{server.server_address[1]}", patience=1)
        with pytest.raises(TransientError, match="another digest"):
            client.manifest("app", "one")
        answers["kind"] = "large"
        with pytest.raises(TransientError, match="more than"):
            client.manifest("app", "one")
        client.close()
    finally:
        server.shutdown()
        server.server_close()


def test_exists_asks_about_our_own_images_only(tmp_path):
    from orchestrator.domain.seen import Image

    images = Images("none", "me", "caches", registry="localhost:9/team")
    builds = PushedBuilds(tmp_path, images)
    for reference in (
        "",
        "sha256:" + "1" * 64,
        f"other:1/team/podium-app@sha256:{'1' * 64}",
        "localhost:9/team/podium-app:tag",
    ):
        assert not builds.exists(Image("i", "static", ("x",), reference=reference))
    mine = Image("i", "static", ("x",), reference=f"localhost:9/team/podium-app@sha256:{'1' * 64}")
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(Unavailable):
            builds.exists(mine)
    assert time.monotonic() - began < 40, "not everybody waits"
    builds.close()
