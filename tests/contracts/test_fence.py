"""Apps of one machine, as their own users and with nftables: what they reach of each other and of the machine. The rules are the
real ones of this machine, so they stand beside those of any other Podium on it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from orchestrator.domain.seen import InstanceState
from orchestrator.runtimes import fence, sandbox
from orchestrator.runtimes.process import ProcessRuntime
from tests.contracts.test_runtime import World, ask, needs_python
from tests.support import eventually, free_port

pytestmark = [needs_python, pytest.mark.skipif(bool(fence.probe()), reason=f"apps are not kept apart: {fence.probe()}")]
DUAL = (
    "import server, socket\n"
    "server.http.server.ThreadingHTTPServer.address_family = socket.AF_INET6\n"
    "server.serve(host='::')\n"
)  # fmt: skip
REFUSED, REACHED = "raised ConnectionRefusedError", "b''"
MPTCP = 262


class Fenced(World):
    """`doors` are open to every app of this world."""

    def __init__(self, doors: tuple[int, ...] = ()) -> None:
        self.doors = doors
        root = Path(tempfile.mkdtemp(prefix="podium-test-"))
        root.chmod(0o755)
        super().__init__(root, "none" if sandbox.probe() else "bubblewrap")

    def open(self):
        return ProcessRuntime(self.data, self.mode, grace=1.0, ports=range(22000, 22900), doors=self.doors)

    def app(self, space: str) -> str:
        """An app that listens at all addresses of both families."""
        return self.ready(self.launch(DUAL, space=space))

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.root)


@pytest.fixture(scope="module")
def world():
    made = Fenced((free_port(),))
    yield made
    made.close()


@pytest.fixture(scope="module")
def pair(world):
    """Two apps of different Spaces."""
    return world.app("ada"), world.app("bob")


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def call(host: str, port: int) -> str:
    """What an app is asked, to find whether it can connect."""
    return f"__import__('socket').create_connection(({host!r}, {port}), 5).recv(0)"


def listen(port: int = 0, host: str = "127.0.0.1") -> str:
    """What an app is asked, to have it listen; the answer is the port."""
    return f"globals().setdefault('at{port}', __import__('socket').create_server(({host!r}, {port}))).getsockname()[1]"


def in_a_network_of_its_own(code: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(fence.__file__).parents[2]), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    return subprocess.run(["unshare", "-n", sys.executable, "-c", code], env=env, capture_output=True, text=True)


def own_addresses() -> list[str]:
    """One of this machine's that is not loopback, if it has any."""
    found = [one.address for many in psutil.net_if_addrs().values() for one in many if one.family == socket.AF_INET]
    return [next(iter(one for one in found if not one.startswith("127.")), "127.0.0.2")]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "0.0.0.0", "::1", "::ffff:127.0.0.1", *own_addresses()])
def test_an_app_reaches_itself_and_not_its_neighbour_and_we_reach_both(pair, host):
    ours, theirs = pair
    assert ask(ours, call(host, port_of(ours))) == REACHED
    assert ask(ours, call(host, port_of(theirs))) == REFUSED
    assert ask(theirs, call(host, port_of(ours))) == REFUSED
    assert ask(ours) == ask(theirs) == "hello"


def test_what_an_app_starts_beside_itself_is_its_own(pair):
    ours, theirs = pair
    helper = int(ask(ours, listen()))
    assert ask(ours, call("127.0.0.1", helper)) == REACHED
    assert ask(theirs, call("127.0.0.1", helper)) == REFUSED
    with socket.create_connection(("127.0.0.1", helper), 5):
        pass


def test_another_kind_of_socket_is_no_way_around(pair):
    ours, theirs = pair
    for port in (port_of(theirs), int(ask(theirs, listen()))):
        tried = f"__import__('socket').socket(2, 1, {MPTCP}).connect(('127.0.0.1', {port}))"
        assert ask(ours, tried).startswith("raised")
        fast = "0x20000000"  # MSG_FASTOPEN
        tried = f"__import__('socket').socket().sendto(b'GET /', {fast}, ('127.0.0.1', {port}))"
        assert ask(ours, tried).startswith("raised")


def test_of_the_machine_an_app_reaches_the_doors_alone(world, pair):
    with socket.create_server(("127.0.0.1", 0)) as service, socket.create_server(("", world.doors[0])) as door:
        assert ask(pair[0], call("127.0.0.1", service.getsockname()[1])) == REFUSED
        assert ask(pair[0], call("127.0.0.1", door.getsockname()[1])) == REACHED
        with socket.create_connection(service.getsockname(), 5):
            pass


def test_of_udp_nothing_but_dns(pair):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))
        service.setblocking(False)
        sent = "__import__('socket').socket(2, 2).sendto(b'x', ('127.0.0.1', {}))"
        assert ask(pair[0], sent.format(service.getsockname()[1])) == "raised PermissionError"
        with pytest.raises(BlockingIOError):
            service.recv(1)
        assert ask(pair[0], sent.format(53)) == "1"


def test_nobody_answers_at_the_port_of_an_app_that_died(world, pair):
    dead = world.app("cleo")
    name = world.runtime.list("cleo")[0].id
    with pytest.raises(OSError):
        ask(dead, "os._exit(1)")
    world.exited(name)
    ask(pair[1], listen(port_of(dead), "0.0.0.0"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(dead)), 5)
    world.runtime.stop(name)
    eventually(lambda: world.see(name) is None)
    # Nobody's any more; and so its next owner can have it.
    eventually(lambda: socket.create_connection(("127.0.0.1", port_of(dead)), 5).close() is None)


def test_the_contracts_port_is_kept_too(world, pair):
    port = 22990
    insists = world.launch(f"from server import serve\nserve({port})", space="dora", port=port)
    assert world.ready(insists).endswith(f":{port}")
    assert ask(pair[0], call("127.0.0.1", port)) == REFUSED
    with pytest.raises(OSError):
        ask(f"127.0.0.1:{port}", "os._exit(1)")
    world.exited(insists)
    ask(pair[1], listen(port, "0.0.0.0"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    world.runtime.stop(insists)


def test_two_podiums_do_not_disturb_each_other(world, pair):
    other = Fenced()
    try:
        stranger = other.app("eve")
        assert ask(stranger, call("127.0.0.1", port_of(pair[0]))) == REFUSED
        assert ask(pair[0], call("127.0.0.1", port_of(stranger))) == REFUSED
        assert ask(stranger, call("127.0.0.1", port_of(stranger))) == REACHED
    finally:
        other.close()
    assert ask(pair[0], call("127.0.0.1", port_of(pair[0]))) == REACHED
    assert ask(pair[0], call("127.0.0.1", port_of(pair[1]))) == REFUSED
    again = world.open()  # and a Podium that starts again finds its apps and leaves them closed
    assert {one.state for one in again.list()} >= {InstanceState.READY}
    again.close()
    assert ask(pair[0], call("127.0.0.1", port_of(pair[1]))) == REFUSED


def test_a_table_that_was_flushed_comes_back_and_nobody_elses_is_touched():
    """In a network namespace of its own: the machine's stays as it is."""
    code = (
        "import subprocess, threading\n"
        "from orchestrator.runtimes.fence import Fence\n"
        "def nft(*words): return subprocess.run(['nft', *words], capture_output=True, text=True, check=True).stdout\n"
        "nft('add table inet filter { chain input { type filter hook input priority 0; tcp dport 1 drop; }; }')\n"
        "others = nft('list', 'table', 'inet', 'filter')\n"
        "held = [(200001, 25001)]\n"
        "one, two = Fence(lambda: held, (8000,), (199999,)), Fence(lambda: [(300001, 25002)], (9000,))\n"
        "one.give(200001, 25001)(); two.give(300001, 25002)()\n"
        "assert one.trouble == two.trouble == ''\n"
        "threads = [threading.Thread(target=which.renew) for which in (one, two) * 4]\n"
        "[each.start() for each in threads]; [each.join() for each in threads]\n"
        "before = [line.partition(' timeout')[0] for line in nft('-s', 'list', 'table', 'inet', 'podium').splitlines()]\n"
        "assert nft('-s', 'list', 'set', 'inet', 'podium', 'owners').count(' . ') == 3\n"  # with the type's
        "nft('delete', 'table', 'inet', 'podium')\n"
        "one.give(200001, 25001)(); two.renew()\n"
        "after = [line.partition(' timeout')[0] for line in nft('-s', 'list', 'table', 'inet', 'podium').splitlines()]\n"
        "assert before == after, (before, after)\n"
        "held.clear(); one.take([(200001, 25001)]); one.take([(200001, 25001)])\n"
        "assert '25001' not in nft('list', 'table', 'inet', 'podium')\n"
        "assert '25002' in nft('list', 'set', 'inet', 'podium', 'ports')\n"
        "assert nft('list', 'table', 'inet', 'filter') == others\n"
    )
    done = in_a_network_of_its_own(code)
    assert done.returncode == 0, done.stderr


def test_what_a_stranger_serves_is_not_seen_from_outside():
    """Two network namespaces with a cable between them."""
    code = (
        "import os, socket, subprocess\n"
        "from orchestrator.runtimes.fence import Fence\n"
        "from orchestrator.runtimes.users import BUILD_USER\n"
        "def run(*words): subprocess.run(words, check=True)\n"
        "run('ip', 'link', 'set', 'lo', 'up')\n"
        "run('ip', 'link', 'add', 'in0', 'type', 'veth', 'peer', 'out0')\n"
        "far = subprocess.Popen(['unshare', '-n', 'sh', '-c', 'echo && cat'], stdin=-1, stdout=-1); far.stdout.readline()\n"
        "run('ip', 'link', 'set', 'out0', 'netns', str(far.pid))\n"
        "run('ip', 'addr', 'add', '10.9.8.7/24', 'dev', 'in0'); run('ip', 'link', 'set', 'in0', 'up')\n"
        "inside = ['nsenter', '-n', '-t', str(far.pid)]\n"
        "run(*inside, 'ip', 'addr', 'add', '10.9.8.8/24', 'dev', 'out0'); run(*inside, 'ip', 'link', 'set', 'out0', 'up')\n"
        "def come(port):\n"
        "    script = f'import socket; socket.create_connection((\"10.9.8.7\", {port}), 5)'\n"
        "    return subprocess.run([*inside, 'python3', '-c', script], capture_output=True, text=True).stderr[-25:]\n"
        "fence = Fence(lambda: [(200001, 25001)], (8000, 8001), (BUILD_USER,)); fence.renew()\n"
        "gateway, nobody = socket.create_server(('', 8000)), socket.create_server(('', 8002))\n"
        "os.seteuid(200001)\n"
        "app, thief = socket.create_server(('', 25001)), socket.create_server(('', 8001))\n"
        "os.seteuid(0)\n"
        "answers = [come(port) for port in (8000, 25001, 8001)]\n"
        "assert answers[0] == '' and all('refused' in one for one in answers[1:]), answers\n"
        "socket.create_connection(('10.9.8.7', 25001), 5)\n"
        "try: socket.create_connection(('127.0.0.1', 8001), 5)\n"
        "except ConnectionRefusedError: pass\n"
        "else: raise AssertionError('a stranger answers at a door')\n"
        "os.seteuid(BUILD_USER)\n"
        "socket.create_connection(('127.0.0.1', 8000), 5)\n"
        "for port in (25001, 8002):\n"
        "    try: socket.create_connection(('127.0.0.1', port), 5)\n"
        "    except ConnectionRefusedError: continue\n"
        "    raise AssertionError(f'a build reaches {port}')\n"
        "os.seteuid(0); far.kill(); far.wait()\n"
    )
    done = in_a_network_of_its_own(code)
    assert done.returncode == 0, done.stderr


def test_an_app_that_cannot_be_closed_off_is_not_started(world, monkeypatch, tmp_path):
    broken = tmp_path / "nft"
    broken.write_text("#!/bin/sh\ncat >/dev/null; echo 'no memory' >&2; exit 1\n")
    broken.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(fence, "_PATH", f"{tmp_path}:{fence._PATH}")
        name = world.launch("print('started')", space="gus")
        fault = world.exited(name).fault
    assert "cannot close its ports to other apps: no memory" in fault.message
    assert not (world.data / "logs" / "run" / f"{name}.log").exists() or "started" not in world.log(name)
    world.runtime.stop(name)


def test_without_nftables_apps_run_as_ever_and_it_is_said(monkeypatch, caplog):
    monkeypatch.setattr(fence, "_PATH", "/nowhere")
    world = Fenced()
    try:
        assert ask(world.app("fay")) == "hello"
        world.runtime.subscribe(lambda space: None)
        assert "apps can reach each other's ports on this machine: nftables is not installed" in caplog.text
        assert "install the package nftables" in fence.probe()
    finally:
        world.close()
