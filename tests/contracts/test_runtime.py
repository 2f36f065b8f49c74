"""The Runtime port's contract, with real processes in bubblewrap and without it, with containers of a real engine, and with pods
of a real cluster."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.domain.hardware import Hardware, Toleration
from orchestrator.domain.load import Load
from orchestrator.domain.room import never_fits, room
from orchestrator.domain.seen import Image, InstanceState
from orchestrator.errors import Unavailable
from orchestrator.ports import LaunchSpec
from orchestrator.runtimes import machine, sandbox
from orchestrator.runtimes.process import ProcessRuntime
from tests import containers, kube
from tests.support import eventually

MB = 1024**2
HARDWARE = Hardware(
    "cpu-basic", "CPU basic", 2, 200 * MB, 1024 * MB, processes=40, files=256,
    tolerations=(Toleration("nvidia.com/gpu", operator="Exists"),),
)  # fmt: skip
SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = """
import http.server, json, os, sys, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code = urllib.parse.unquote(self.path[1:])
        try:
            answer = repr(eval(code)) if code else "hello"
        except BaseException as error:
            answer = "raised " + type(error).__name__
        self.send_response(200); self.end_headers(); self.wfile.write(answer.encode())
    def log_message(self, *args): pass
def serve(port=None, host="0.0.0.0"):
    http.server.ThreadingHTTPServer((host, port or int(os.environ["PORT"])), Handler).serve_forever()
"""
needs_python = pytest.mark.skipif(not os.path.exists(SYSTEM_PYTHON), reason="needs the system's Python for the apps")
pytestmark = needs_python


class World:
    """A data directory, a runtime on it, and ways to launch and ask small apps."""

    def __init__(self, root: Path, mode: str) -> None:
        self.root, self.mode = root, mode
        self.data = root / "data"
        self.data.mkdir()
        self.runtime = self.open()
        self.count = 0

    def open(self):
        return ProcessRuntime(self.data, self.mode, grace=1.0, ports=range(21000, 22000))

    def image(self, source: Path, argv: tuple[str, ...], **more) -> Image:
        return Image("sha", "gradio", argv, {"PORT": "{port}"}, source=str(source), **more)

    def without_its_image(self, spec: LaunchSpec) -> LaunchSpec:
        shutil.rmtree(spec.image.source)
        return spec

    def code(self) -> str:
        """How another process opens this world's runtime."""
        return (
            "from orchestrator.runtimes.process import ProcessRuntime\n"
            f"runtime = ProcessRuntime(pathlib.Path({str(self.data)!r}), {self.mode!r}, grace=1.0, ports=range(21000, 22000))\n"
        )

    def status(self, instance_id: str) -> dict:
        return json.loads((self.data / "instances" / instance_id / "status.json").read_text())

    def stop_all(self) -> None:
        for one in self.runtime.list():
            self.runtime.stop(one.id)
        eventually(self.gone, 60)
        self.runtime.close()

    def close(self) -> None:
        self.stop_all()
        assert not (left := processes(str(self.root))), f"left behind: {left}"

    def spec(self, code: str, space: str = "abc", instance: str = "", env: dict | None = None, **image) -> LaunchSpec:
        self.count += 1
        source = self.root / f"source{self.count}"
        source.mkdir()
        (source / "app.py").write_text(code)
        (source / "server.py").write_text(SERVER)
        (source / "index.html").write_text("<h1>static</h1>")
        hardware = image.pop("hardware", HARDWARE)
        argv = image.pop("argv", (SYSTEM_PYTHON, "app.py"))
        made = self.image(source, argv, **image)
        # Of its own on this machine: control groups are named after it.
        name = instance or f"s-{space}-{self.root.name[-8:].encode().hex()}-{self.count}"
        return LaunchSpec(name, space, "key", made, hardware, env or {})

    def launch(self, code: str, **given) -> str:
        spec = self.spec(code, **given)
        self.runtime.launch(spec)
        return spec.instance_id

    def see(self, instance_id: str):
        return next((one for one in self.runtime.list() if one.id == instance_id), None)

    patience = 20  #: seconds until a small app has started or ended

    def ready(self, instance_id: str) -> str:
        def answered():
            one = self.see(instance_id)
            assert one, "not listed"
            return one.state is InstanceState.READY and one.address

        return eventually(answered, self.patience)

    def exited(self, instance_id: str):
        return eventually(
            lambda: (one := self.see(instance_id)) and one.state is InstanceState.EXITED and one, self.patience
        )

    def serve(self, before: str = "", **given) -> str:
        """Launch an app that evaluates what it is asked; returns its address."""
        return self.ready(self.launch(f"{before}\nfrom server import serve\nserve()", **given))

    def log(self, instance_id: str) -> str:
        return (self.data / "logs" / "run" / f"{instance_id}.log").read_text()

    def gone(self) -> bool:
        return not self.runtime.list()


class ContainerWorld(World):
    """The same on a Docker engine: each app is an image."""

    patience = 60

    def open(self):
        from orchestrator.runtimes.docker import DockerRuntime

        self.owner = f"test{os.getpid()}x{self.root.name[-6:].lower()}"
        return DockerRuntime(self.data, self.owner, grace=1.0)

    def image(self, source: Path, argv: tuple[str, ...], **more) -> Image:
        reference = containers.image_of(source)
        return Image("sha", "gradio", argv, {"PORT": "{port}"}, reference=reference, **more)

    def without_its_image(self, spec: LaunchSpec) -> LaunchSpec:
        return replace(spec, image=replace(spec.image, reference="sha256:" + "0" * 64))

    def code(self) -> str:
        return (
            "from orchestrator.runtimes.docker import DockerRuntime\n"
            f"runtime = DockerRuntime(pathlib.Path({str(self.data)!r}), {self.owner!r}, grace=1.0)\n"
        )

    def status(self, instance_id: str) -> dict:
        return json.loads((self.data / "containers" / instance_id / "status.json").read_text())

    def container(self, instance_id: str) -> str:
        return f"podium-{self.owner}-{instance_id}"

    def close(self) -> None:
        self.stop_all()
        left = containers.of_owner(self.owner)
        for name in left:
            containers.docker("rm", "-f", name)
        containers.docker("network", "rm", f"podium-{self.owner}")
        assert not left, f"left behind: {left}"


class ClusterWorld(World):
    """The same on Kubernetes: each app is an image in a registry, each instance a pod in a namespace of this world's own."""

    patience = 60

    def open(self):
        if not hasattr(self, "namespace"):
            self.namespace = kube.Namespace()
        return kube.runtime(self.namespace.name, self.data)

    def image(self, source: Path, argv: tuple[str, ...], **more) -> Image:
        return Image("sha", "gradio", argv, {"PORT": "{port}"}, reference=kube.image_of(source), **more)

    def without_its_image(self, spec: LaunchSpec) -> LaunchSpec:
        return replace(spec, image=replace(spec.image, reference=""))

    def code(self) -> str:
        return (
            "from tests import kube\n"
            f"runtime = kube.runtime({self.namespace.name!r}, pathlib.Path({str(self.data)!r}))\n"
        )

    def status(self, instance_id: str) -> dict:
        made = self.namespace.cluster.get("deployments", instance_id)
        told = json.loads(made["metadata"].get("annotations", {}).get("podium/seen", "{}"))
        return {"state": "ready" if told.get("ready_at") else "starting"}

    def close(self) -> None:
        self.stop_all()
        left = [one["metadata"]["name"] for one in self.namespace.all("secrets") if one["type"] == "Opaque"]
        self.namespace.remove()
        assert not left, f"left behind: {left}"


def ask(address: str, code: str = "") -> str:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{address}/{urllib.request.quote(code, safe='')}", timeout=10) as answer:
        return answer.read().decode()


def processes(marker: str) -> list[int]:
    """Processes with `marker` in their command line."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if marker.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                    found.append(int(name))
            except OSError:
                pass
    return found


_WORLDS = {"docker": ContainerWorld, "kubernetes": ClusterWorld}


@pytest.fixture(params=["bubblewrap", "none", "docker", "kubernetes"])
def world(request):
    if request.param == "kubernetes" and (why_not := kube.trouble()):
        pytest.skip(why_not)
    if request.param == "kubernetes" and (only := request.node.get_closest_marker("machine")):
        pytest.skip(only.args[0])
    if request.param == "bubblewrap" and (why_not := sandbox.probe()):
        pytest.skip(why_not)
    if request.param == "docker" and (why_not := containers.trouble()):
        pytest.skip(why_not)
    if request.param in _WORLDS and (only := request.node.get_closest_marker("processes")):
        pytest.skip(only.args[0])
    root = Path(tempfile.mkdtemp(prefix="podium-test-"))
    root.chmod(0o755)
    made = _WORLDS.get(request.param, World)(root, request.param)
    yield made
    made.close()
    shutil.rmtree(root)


def test_ready_then_stopped_leaves_nothing_but_the_log(world):
    address = world.serve()
    one = world.runtime.list("abc")[0]
    assert (one.space_id, one.launch_key, one.fault) == ("abc", "key", None)
    assert one.ready_at >= one.started_at
    assert one.placed_at >= one.started_at - 1 and one.started_at - 1 <= one.begun_at <= one.ready_at + 1
    assert ask(address) == "hello"
    world.runtime.stop(one.id)
    assert world.see(one.id) is None or world.see(one.id).state is InstanceState.STOPPING
    eventually(world.gone, world.patience)
    assert not list(world.data.glob(f"*/{one.id}*"))
    assert "stopped" in world.log(one.id)
    with pytest.raises(OSError):
        ask(address)


def test_launching_twice_is_once_and_absent_things_are_fine(world):
    spec = world.spec("from server import serve\nserve()")
    world.runtime.launch(spec)
    world.runtime.launch(spec)
    world.ready(spec.instance_id)
    assert len(world.runtime.list()) == 1
    assert world.runtime.list("other") == []
    world.runtime.stop("s-nothing-here")
    world.runtime.forget_space("nothing")


def test_subscribers_hear_of_ready_and_of_exit(world):
    heard: list[str] = []
    bell = threading.Event()
    world.runtime.subscribe(lambda space: (heard.append(space), bell.set()))
    address = world.serve(space="one")
    eventually(lambda: "one" in heard)
    heard.clear()
    try:
        ask(address, "os._exit(3)")
    except OSError:
        pass
    eventually(lambda: "one" in heard)


@pytest.mark.parametrize(
    ("code", "sentence", "hint"),
    [
        ("import cv2_is_not_here", "the Python module 'cv2_is_not_here' is not installed", "cv2-is-not-here"),
        ("print('bye')", "the app ended by itself with exit code 0", "launch()"),
        ("import sys; sys.exit(7)", "the app exited with code 7", ""),
        ("x = (", "SyntaxError", ""),
        ("import os; os.environ['MY_SECRET']", "the variable MY_SECRET is not set", "secrets"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the app was ended by SIGSEGV", ""),
    ],
)
def test_an_exit_is_explained(world, code, sentence, hint):
    fault = world.exited(world.launch(code)).fault
    assert fault.code == "APP_EXITED"
    assert sentence in fault.message
    assert hint in fault.hint


def test_an_exception_names_the_authors_line(world):
    fault = world.exited(world.launch("import json\n\njson.loads('{')\n")).fault
    assert fault.where == "app.py:3"
    assert fault.message.startswith("JSONDecodeError")


def test_the_wrong_port_is_named(world):
    name = world.launch("from server import serve\nserve(21987)")
    fault = eventually(lambda: world.see(name).fault, world.patience)
    assert fault.code == "APP_PORT"
    assert fault.message == "the app listens on port 21987, expected 7860"
    assert world.see(name).state is InstanceState.STARTING


def test_an_app_that_insists_on_the_contracts_port_gets_it(world):
    address = world.ready(world.launch("from server import serve\nserve(21765)", port=21765))
    assert address.endswith(":21765")
    assert ask(address) == "hello"


@pytest.mark.processes("a container has a network of its own")
def test_another_programs_answer_is_not_the_apps(world):
    """Somebody else who listens on the instance's port must not be taken for it."""
    code = (
        "import os, socket, subprocess, sys, time\n"
        "print('port', os.environ['PORT'], flush=True)\n"
        "time.sleep(600)"
    )  # fmt: skip
    name = world.launch(code)
    port = eventually(lambda: int(world.log(name).split("port ")[1].split()[0]))
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        cwd=world.data / "logs", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as stranger:  # fmt: skip
        try:
            fault = eventually(lambda: world.see(name).fault, world.patience)
            assert "held by another program" in fault.message
            assert world.see(name).state is InstanceState.STARTING
        finally:
            stranger.terminate()


def test_never_ready_is_told_with_the_time(world):
    name = world.launch("import time; time.sleep(600)", startup_timeout=0.5)
    fault = eventually(lambda: world.see(name).fault, world.patience)
    assert fault.code == "APP_TIMEOUT"
    assert "within 0.5 seconds" in fault.message


def test_an_app_that_ignores_sigterm_ends_after_the_grace_time(world):
    address = world.serve("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    began = time.monotonic()
    world.runtime.stop(world.runtime.list()[0].id)
    eventually(world.gone, world.patience)
    assert time.monotonic() - began >= 0.9
    with pytest.raises(OSError):
        ask(address)


def test_an_app_may_finish_on_sigterm(world):
    code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('saving', flush=True), sys.exit(0)))"
    world.serve(code)
    name = world.runtime.list()[0].id
    world.runtime.stop(name)
    eventually(world.gone, world.patience)
    assert "saving" in world.log(name)


def test_what_daemonised_goes_too(world):
    marker = f"daemon-{os.getpid()}-{world.mode}"
    code = (
        "import os, subprocess, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', '{marker}'])\n"
        "    os._exit(0)\n"
    )
    world.serve(code)
    eventually(lambda: processes(marker))
    world.runtime.stop(world.runtime.list()[0].id)
    eventually(world.gone, world.patience)
    assert processes(marker) == []


def test_too_much_memory_ends_the_app(world):
    code = "import time\nhoard = []\nfor _ in range(60):\n    hoard.append(bytearray(20_000_000)); time.sleep(0.02)\n"
    fault = world.exited(world.launch(code)).fault
    assert fault.code == "APP_OOM"
    assert "200 MB" in fault.message


def test_too_many_processes_are_refused(world):
    code = (
        "import os, time\n"
        "made = 0\n"
        "for _ in range(150):\n"
        "    try:\n"
        "        pid = os.fork()\n"
        "    except OSError:\n"
        "        break\n"
        "    if pid == 0:\n"
        "        time.sleep(600)\n"
        "    made += 1\n"
        "print('made', made, flush=True)\n"
        "time.sleep(2.5)  # where fork does not fail they are counted, and not all the time\n"
    )
    name = world.launch(code)
    one = world.exited(name)
    made = int(world.log(name).split("made ")[1].split()[0]) if "made" in world.log(name) else 0
    assert made <= 90 or one.fault.code == "APP_PROCESSES"


def test_a_flood_of_output_is_cut_and_the_end_of_it_kept(world):
    code = "import sys\nfor n in range(400):\n    sys.stdout.write('x' * 99_999 + '\\n')\nprint('the last words', flush=True)"
    name = world.launch(code)
    world.exited(name)
    log = world.log(name)
    assert len(log) < 11 * MB
    assert "the last words" in log


def test_secrets_arrive_and_podiums_environment_does_not(world, monkeypatch):
    monkeypatch.setenv("PODIUM_DATA", "/secret/place")
    monkeypatch.setenv("HTTP_PROXY", "http://company")
    given = {"TOKEN": 'it\'s $HOME "quoted"\nand two lines', "PORT": "1", "HOME": "/root"}
    address = world.serve(env=given)
    seen = json.loads(ask(address, "json.dumps(dict(os.environ))")[1:-1].encode().decode("unicode_escape"))
    assert seen["TOKEN"] == given["TOKEN"]
    assert seen["PORT"] == address.rpartition(":")[2]
    assert seen["HOME"] not in ("/root", "")
    assert not [name for name in seen if name.startswith("PODIUM_") or "PROXY" in name]


@pytest.mark.processes("in containers everybody is 1000 of a world of their own")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each Space a user of its own")
def test_each_space_is_a_user_of_its_own(world):
    first, second = world.serve(space="one"), world.serve(space="two")
    users = {ask(first, "os.getuid()"), ask(second, "os.getuid()")}
    assert len(users) == 2
    assert not users & {"0", "1000"}
    assert ask(first, "os.getgroups()") == "[]"
    assert int(ask(first, "open('/proc/self/status').read().split('CapEff:')[1].split()[0]").strip("'"), 16) == 0


@pytest.mark.machine("volumes of a cluster have a test of their own")
def test_the_volume_lives_on_and_the_rest_is_fresh(world):
    where = "os.environ['SPACE_DATA_DIR']"
    address = world.serve()
    ask(address, f"open({where} + '/kept', 'w').write('yes')")
    assert ask(address, "open('beside', 'w').write('no')") == "2"
    assert ask(address, "open(os.path.expanduser('~/x'), 'w').write('no')") == "2"
    world.runtime.stop(world.runtime.list()[0].id)
    eventually(world.gone, world.patience)
    address = world.serve()
    assert ask(address, f"open({where} + '/kept').read()") == "'yes'"
    assert ask(address, "os.path.exists('beside')") == "False"
    world.runtime.stop(world.runtime.list()[0].id)
    eventually(world.gone, world.patience)
    world.runtime.forget_space("abc")
    assert not (world.data / "volumes" / "abc").exists()


def test_others_are_out_of_reach(world):
    if world.mode == "none" and os.geteuid() != 0:
        pytest.skip("without bubblewrap and without root nothing separates apps")
    (world.data / "podium.db").write_text("secret")
    (world.data / "podium.db").chmod(0o600)
    mine, other = world.serve(space="mine"), world.serve(space="other", env={"OTHERS": "secret"})
    ask(other, "open(os.environ['SPACE_DATA_DIR'] + '/private', 'w').write('x')")
    for path in (world.data / "podium.db", world.data / "volumes" / "other" / "private", Path("/etc/shadow")):
        assert ask(mine, f"open({str(path)!r}).read()").startswith("raised"), path
    for directory in (Path("/root"), world.data / "instances", world.data / "logs" / "run"):
        listing = ask(mine, f"os.listdir({str(directory)!r})")
        assert listing.startswith("raised") or (world.mode == "bubblewrap" and ".pyenv" in listing), (
            directory,
            listing,
        )
    code = "[p for p in os.listdir('/proc') if p.isdigit() and b'OTHERS' in open(f'/proc/{p}/environ', 'rb').read()]"
    assert ask(mine, code) in ("[]", "raised PermissionError")


def test_a_sandbox_shows_only_itself(world):
    if world.mode != "bubblewrap":
        pytest.skip("needs the sandbox")
    address = world.serve(env={"LD_PRELOAD": "/app/evil.so"})
    assert ask(address, "os.getcwd()") == "'/app'"
    assert ask(address, "os.path.realpath('/home/user/app')") == "'/app'"
    assert int(ask(address, "len([p for p in os.listdir('/proc') if p.isdigit()])")) < 6
    assert ask(address, "open('/new', 'w')").startswith("raised")
    assert ask(address, "open('/usr/new', 'w')").startswith("raised")
    assert ask(address, "open('/dev/shm/x', 'w').write('ok') + open('/tmp/x', 'w').write('ok')") == "4"
    assert ask(address, "__import__('pwd').getpwuid(os.getuid()).pw_name") == "'user'"
    assert ask(address, f"os.path.exists({str(world.data)!r})") == "False"


@pytest.mark.processes("an image has its own interpreter")
def test_an_environment_in_a_closed_place_can_be_used(world):
    """A Python environment whose interpreter only root can reach works inside of the sandbox."""
    if world.mode != "bubblewrap":
        pytest.skip("needs the sandbox")
    environment = Path(sys.prefix)
    if not (environment / "pyvenv.cfg").exists():
        pytest.skip("the tests do not run in an environment")
    spec = world.spec(
        "from server import serve\nserve()", environment=str(environment), argv=(f"{environment}/bin/python", "app.py")
    )
    world.runtime.launch(spec)
    assert ask(world.ready(spec.instance_id), "__import__('sys').prefix") == repr(str(environment))


def test_instances_outlive_podium_and_are_adopted(world):
    spec = world.spec("from server import serve\nserve()")
    code = (
        "import pathlib, pickle, sys, time\n"
        f"{world.code()}"
        f"runtime.launch(pickle.loads({pickle.dumps(spec)!r}))\n"
        "time.sleep(600)\n"
    )
    podium = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        eventually(lambda: world.status(spec.instance_id)["state"] == "ready", world.patience)
    finally:
        podium.send_signal(signal.SIGKILL)
        podium.wait()
    world.runtime = world.open()
    one = world.see(spec.instance_id)
    assert one.state is InstanceState.READY
    assert ask(one.address) == "hello"
    world.runtime.launch(spec)
    assert len(world.runtime.list()) == 1
    world.runtime.stop(one.id)
    eventually(world.gone, world.patience)


def test_a_stop_that_a_crash_interrupted_is_finished(world):
    world.serve()
    name = world.runtime.list()[0].id
    world.runtime.stop(name, drain=5.0)
    world.runtime.close()
    assert world.see(name)
    world.runtime = world.open()
    eventually(world.gone, world.patience)


def test_launching_again_calls_a_draining_instance_back(world):
    address = world.serve()
    spec = world.spec("")
    (before,) = world.runtime.list()
    world.runtime.stop(before.id, drain=60.0)
    (draining,) = world.runtime.list()
    assert draining.state is InstanceState.STOPPING and draining.draining
    world.runtime.launch(replace(spec, instance_id=before.id, launch_key=before.launch_key))
    (after,) = world.runtime.list()
    assert after == before and ask(address)
    world.runtime.stop(before.id)
    (leaving,) = world.runtime.list()
    assert not leaving.draining
    eventually(world.gone, world.patience)


@pytest.mark.processes("about launchers of this machine; containers have a test of their own")
def test_a_killed_launcher_takes_the_app_along_and_is_noticed(world):
    address = world.serve("import subprocess, sys; subprocess.Popen(['sleep', '601'], start_new_session=True)")
    name = world.runtime.list()[0].id
    status = json.loads((world.data / "instances" / name / "status.json").read_text())
    os.kill(status["launcher"], signal.SIGKILL)
    fault = world.exited(name).fault
    assert fault.code == "APP_LOST"
    assert world.log(name).endswith("# end\n")
    with pytest.raises(OSError):
        ask(address)
    assert not processes("sleep\x00601")
    world.runtime.stop(name)
    eventually(world.gone, world.patience)


@pytest.mark.processes("a container is known by its id")
def test_a_reused_pid_is_not_taken_for_the_launcher(world):
    world.serve()
    name = world.runtime.list()[0].id
    path = world.data / "instances" / name / "status.json"
    status = json.loads(path.read_text())
    forged = dict(status, launcher=os.getpid())
    os.kill(status["launcher"], signal.SIGTERM)
    eventually(lambda: json.loads(path.read_text())["state"] == "exited")
    path.write_text(json.dumps(forged))
    assert world.exited(name).fault.code == "APP_LOST"
    world.runtime.stop(name)  # must not signal the test
    eventually(world.gone, world.patience)


@pytest.mark.processes("a container is known by its labels")
def test_broken_directories_are_cleaned_up(world):
    broken = world.data / "instances" / "s-broken-1"
    broken.mkdir()
    (broken / "instance.json").write_text("{")
    (world.data / "instances" / ".gone-s-x-1").mkdir()
    world.runtime.close()
    world.runtime = world.open()
    assert world.runtime.list() == []
    assert not broken.exists()
    eventually(lambda: not (world.data / "instances" / ".gone-s-x-1").exists())


def test_what_cannot_be_launched_is_said_at_once(world):
    spec = world.without_its_image(world.spec(""))
    with pytest.raises(Unavailable, match="image is gone"):
        world.runtime.launch(spec)
    with pytest.raises(ValueError):
        world.runtime.launch(world.spec("", instance="../../etc"))
    assert world.runtime.list() == []


def test_a_command_that_is_not_there_is_an_exit(world):
    fault = world.exited(world.launch("", argv=("/usr/bin/no-such-program",))).fault
    assert "no-such-program" in fault.message


def test_static_files_are_served(world):
    spec = world.spec("", argv=("{python}", "{static_server}", "--port", "{port}", "--root", "."))
    try:
        world.runtime.launch(spec)
    except Unavailable as why:
        pytest.skip(str(why))
    assert ask(world.ready(spec.instance_id)) == "<h1>static</h1>"


# ------------------------------------------------------------------------------------------------------------ capacity


def held_by(world, instance_id: str):
    return [held for node in world.runtime.capacity() for held in node.held if held.instance_id == instance_id]


def test_what_an_app_takes_is_told_where_it_can_be(world):
    held = "import server\nheld = bytearray(60 * 1024**2)\nserver.serve()"
    instance = world.launch(held)
    address = world.ready(instance)
    world.runtime.check()
    loads = world.runtime.loads()
    if loads is None:
        return  # a cluster without a metrics-server
    eventually(lambda: (world.runtime.loads().get(instance, Load()).memory or 0) > 50 * MB, 120)

    def cores() -> float | None:
        ask(address, "sum(n * n for n in range(10**6))")
        return world.runtime.loads()[instance].cpu

    assert 0.0 < eventually(cores, 120) < 64.0
    world.runtime.stop(instance)
    eventually(lambda: instance not in world.runtime.loads(), 60)


def test_the_nodes_tell_who_has_what(world):
    name = world.launch("from server import serve\nserve()")
    world.ready(name)
    nodes = world.runtime.capacity()
    assert any(node.ready and node.cpu >= 1 and node.memory > 100 * MB for node in nodes)
    (held,) = eventually(lambda: held_by(world, name))
    assert held.space_id == "abc" and 0 < held.memory <= 200 * MB
    assert world.see(name).hardware == "cpu-basic"
    world.runtime.close()
    world.runtime = world.open()
    eventually(lambda: held_by(world, name) == [held])
    assert world.see(name).hardware == "cpu-basic"
    world.runtime.stop(name)
    eventually(world.gone, world.patience)
    eventually(lambda: not held_by(world, name))


def test_gpus_of_a_cluster_are_seen_and_waited_for(world):
    if not isinstance(world, ClusterWorld):
        pytest.skip("there are GPUs in the cluster only")
    one = replace(
        HARDWARE, name="a10g", exclusive=True, accelerator="Nvidia A10G", resource=machine.NVIDIA, count=1,
        node_selector={"nvidia.com/gpu.present": "true"}, tolerations=(Toleration(machine.NVIDIA, operator="Exists"),),
    )  # fmt: skip
    name = world.launch("from server import serve\nserve()", hardware=one)
    world.ready(name)
    (held,) = eventually(lambda: held_by(world, name))
    assert (held.resources, world.see(name).hardware) == ({machine.NVIDIA: 1}, "a10g")
    nodes = world.runtime.capacity()
    most = max(node.resources.get(machine.NVIDIA, 0) for node in nodes)
    reason = room("other", replace(one, count=most), nodes, (), 1.0).reason
    assert reason.startswith(f"waiting for {most} x Nvidia A10G: ") and reason.endswith("you are next")
    too_many = never_fits(replace(one, count=most + 4), nodes)
    assert too_many == f"no node has {most + 4} x {machine.NVIDIA}; the largest has {most}"


@pytest.mark.processes("an engine without GPUs refuses them itself")
def test_gpus_are_given_by_number_and_given_back(world, monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: {machine.NVIDIA: (0, 1, 3)})
    one = replace(HARDWARE, name="t4", accelerator="Nvidia T4", resource=machine.NVIDIA, count=1)
    code = "from server import serve\nserve()"
    first = world.launch(code, hardware=one)
    two = world.launch(code, hardware=replace(one, count=2), space="two")
    (node,) = world.runtime.capacity()
    assert node.resources == {machine.NVIDIA: 3}
    assert {held.instance_id: held.resources for held in node.held} == {
        first: {machine.NVIDIA: 1},
        two: {machine.NVIDIA: 2},
    }
    with pytest.raises(Unavailable, match="0 of this machine are free"):
        world.launch(code, hardware=one, space="three")
    seen = [ask(world.ready(name), "os.environ.get('CUDA_VISIBLE_DEVICES')") for name in (first, two)]
    # In a sandbox an app sees no other device node, and its libraries count from 0.
    assert seen == (["None", "None"] if world.mode == "bubblewrap" else ["'0'", "'1,3'"])
    world.runtime.stop(first)
    eventually(lambda: not world.see(first))
    again = world.launch(code, hardware=one, space="three")
    assert world.runtime.list("three")[0].hardware == "t4"
    world.ready(again)


def test_devices_of_a_share(monkeypatch):
    there = ["/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"]
    monkeypatch.setattr(machine, "glob", lambda pattern: [] if "dri" in pattern else there)
    assert machine.gpus() == {machine.NVIDIA: (0, 1)}
    shown = machine.devices(machine.Share("t4", 1.0, 1, machine.NVIDIA, (1,)))
    assert shown == ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1"]
    assert machine.devices(machine.Share("cpu-basic")) == []
