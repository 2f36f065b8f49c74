"""The launcher: what it does to text, how it caps a log, and a few apps run under it directly, without a control group."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime_images import launch
from runtime_images.launcher import KB, MB, log, processes
from runtime_images.launcher.log import LogFile, Output, clean
from tests.support import eventually, free_port


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("a\tb", "a\tb"),
        ("clear\x1b[2J\x1b[Hhome", "clearhome"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;ZXZpbA==\x07", ""),
        ("bell\x07 nul\x00 back\x08", "bell nul back"),
        ("c1 \x9b31m", "c1 31m"),
        ("abc\u202edef", "abc\\u202edef"),
        ("line\u2028break", "line\\u2028break"),
        ("\x1b[" + "1;" * 100 + "m", ""),
        ("unfinished \x1b[12", "unfinished "),
        ("\x1b", ""),
        ("grüße 日本 🤗", "grüße 日本 🤗"),
    ],
)
def test_clean(raw, shown):
    assert clean(raw) == shown


def output(tmp_path, cap=1 * MB) -> tuple[Output, Path]:
    """An Output for which no time passes."""
    path = tmp_path / "log"
    return Output(LogFile(str(path), cap), clock=lambda: 1.0), path


def texts(path: Path) -> list[str]:
    rows = path.read_text().split("\n")
    assert rows.pop() == ""
    return [row if row.startswith("#") else row.partition(" ")[2] for row in rows]


def test_lines_come_whole_however_they_are_cut(tmp_path):
    out, path = output(tmp_path)
    for byte in "eins\nzwei ü\r\n\ndrei".encode():
        out.feed(bytes([byte]))
    out.finish()
    assert texts(path) == ["eins", "zwei ü", "", "drei"]


def test_bytes_that_are_no_text(tmp_path):
    out, path = output(tmp_path)
    out.feed(b"\xff\xfe\x00binary\n" + bytes(range(256)) + b"\n")
    out.finish()
    assert texts(path)[0] == "\ufffd\ufffdbinary"
    assert all(ch.isprintable() or ch == "\t" for line in texts(path) for ch in line)


def test_a_long_line_is_cut_and_the_next_one_is_whole(tmp_path):
    out, path = output(tmp_path)
    for _ in range(40):
        out.feed(b"x" * 10_000)
    out.feed(b"tail\nnext\n")
    out.finish()
    long, after = texts(path)
    assert long == "x" * log.LINE_LIMIT + " [cut: the line is too long]"
    assert after == "next"


def test_output_without_any_newline_takes_no_memory(tmp_path):
    out, path = output(tmp_path)
    for _ in range(500):
        out.feed(b"y" * 100_000)
    assert len(out._partial) <= log.LINE_LIMIT
    out.finish()
    assert path.stat().st_size < 4 * log.LINE_LIMIT


def test_a_progress_bar_is_one_line(tmp_path):
    out, path = output(tmp_path)
    for percent in range(101):
        out.feed(b"\rloading %d%%" % percent)
    out.feed(b"\ndone\n")
    out.finish()
    assert texts(path) == ["loading 100%", "done"]


def test_a_progress_bar_shows_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "PARTIAL_AFTER", 0.0)
    out, path = output(tmp_path)
    out.feed(b"\rloading 1%\rloading 2%\rload")
    out.tick()
    assert texts(path) == ["loading 2%"]
    out.feed(b"ing 3%\n")
    out.finish()
    assert texts(path) == ["loading 2%", "loading 3%"]


def test_a_flood_is_counted_not_kept_and_its_end_is(tmp_path):
    out, path = output(tmp_path)
    block = b"".join(b"line %06d\n" % n for n in range(10_000))
    for _ in range(100):
        out.feed(block)
    out.feed(b"Traceback: the end\n")
    out.finish()
    shown = texts(path)
    assert path.stat().st_size < 1.2 * MB
    assert shown[-1] == "Traceback: the end"
    assert any(line.startswith("[podium] not kept: ") and "lines" in line for line in shown)
    assert list(out.tail)[-1] == "Traceback: the end"


def test_the_cap_keeps_the_first_and_the_newest_lines_and_counts_the_rest(tmp_path):
    path = tmp_path / "log"
    file = LogFile(str(path), 64 * KB)
    for n in range(20_000):
        file.add([f"line {n}"], 1.0)
    shown = texts(path)
    assert path.stat().st_size <= 64 * KB
    at = next(i for i, line in enumerate(shown) if line.startswith("# gap"))
    assert at == 200
    assert shown[:200] == [f"line {n}" for n in range(200)]
    assert sum(line.startswith("#") for line in shown) == 1
    gap = int(shown[at].split()[2])
    assert shown[at + 1] == f"line {200 + gap}"
    assert shown[-1] == "line 19999"


def test_a_torn_last_line_is_closed(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"1.000 whole\n1.0")
    LogFile(str(path), MB).add(["next"], 2.0)
    assert path.read_bytes() == b"1.000 whole\n1.0\n2.000 next\n"


def test_several_writers_share_a_capped_file(tmp_path):
    path = tmp_path / "log"
    code = (
        "import sys; from runtime_images.launcher.log import LogFile\n"
        f"file = LogFile({str(path)!r}, 40_000)\n"
        "for n in range(3000): file.add([f'{sys.argv[1]} {n}'], 1.0)\n"
    )
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen([sys.executable, "-c", code, name], cwd=root) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    shown = texts(path)
    assert shown[-1] in ("a 2999", "b 2999")  # the other one may have ended long before
    counted = sum(int(line.split()[2]) if line.startswith("# gap") else 1 for line in shown)
    assert counted == 6000


# ------------------------------------------------------------------------------------------------- under the launcher


class Run:
    """An app under a launcher of its own."""

    def __init__(self, tmp_path: Path, code: str, **spec) -> None:
        self.path = tmp_path
        (tmp_path / "app.py").write_text(code)
        self.spec = {
            "argv": [sys.executable, "app.py"], "env": {"PATH": os.defpath}, "cwd": str(tmp_path), "grace": 0.5,
            "status": str(tmp_path / "status.json"), "log": str(tmp_path / "log"), **spec,
        }  # fmt: skip
        (tmp_path / "spec.json").write_text(json.dumps(self.spec))
        self.process = subprocess.Popen([sys.executable, "-I", "-S", launch.__file__, str(tmp_path / "spec.json")])

    def status(self) -> dict:
        return json.loads((self.path / "status.json").read_text())

    def log(self) -> str:
        return (self.path / "log").read_text()


@pytest.fixture
def run(tmp_path):
    started: list[Run] = []

    def start(code: str, **spec) -> Run:
        started.append(Run(tmp_path, code, **spec))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


def test_exit_status_is_passed_on(run):
    one = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert one.process.wait(20) == 7
    assert one.status()["exit_code"] == 7
    assert sorted(one.status()["tail"]) == ["err", "out"]
    assert one.log().endswith("# end\n")


def test_a_signal_is_passed_on(run):
    one = run("import os; os.kill(os.getpid(), 9)")
    assert one.process.wait(20) == 137
    assert (one.status()["signal"], one.status()["exit_code"], one.status()["oom"]) == (9, None, False)


def test_ready_means_an_http_answer_below_500(run):
    port = free_port()
    code = f"""
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if os.path.exists('go') else 503); self.end_headers()
http.server.HTTPServer(('127.0.0.1', {port}), Handler).serve_forever()
"""
    one = run(code, port=port)
    eventually(lambda: "503" in one.status().get("reason", ""))
    assert one.status()["state"] == "starting"
    (one.path / "go").touch()
    eventually(lambda: one.status()["state"] == "ready")
    assert one.status()["reason"] == ""


def test_something_that_is_not_http_is_not_ready(run):
    port = free_port()
    code = f"""
import socket
server = socket.create_server(('127.0.0.1', {port}))
while True:
    peer, _ = server.accept(); peer.recv(100); peer.sendall(b'SSH-2.0-nonsense\\r\\n'); peer.close()
"""
    one = run(code, port=port)
    eventually(lambda: "does not speak HTTP" in one.status().get("reason", ""))


def test_listening_on_ipv6_only_is_told(run):
    port = free_port()
    code = f"""
import socket, time
server = socket.socket(socket.AF_INET6); server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
server.bind(('::1', {port})); server.listen(); time.sleep(600)
"""
    one = run(code, port=port)
    eventually(lambda: one.status().get("listening_elsewhere") == [f"[::1]:{port}"])


def test_memory_is_measured_where_no_control_group_does(run):
    code = "import time\nhoard = []\nfor _ in range(100):\n    hoard.append(b'x' * 5_000_000); time.sleep(0.02)\n"
    one = run(code, memory=120 * MB)
    one.process.wait(30)
    assert one.status()["oom"] is True
    assert "of 120 MB" in one.status()["reason"]
    assert "killed for memory" in one.log()


def test_processes_are_counted_where_no_control_group_does(run):
    code = "import os, time\nfor _ in range(30):\n    if os.fork() == 0:\n        time.sleep(600)\ntime.sleep(600)\n"
    one = run(code, processes=15, memory=1024 * MB)
    one.process.wait(30)
    assert one.status()["reason"] == "killed for processes: has 31 of 15"
    eventually(lambda: processes.start_time(one.status()["pid"]) == 0)


def test_limits_reach_the_app(run):
    code = "import resource as r; print([r.getrlimit(k)[0] for k in (r.RLIMIT_CORE, r.RLIMIT_NOFILE, r.RLIMIT_FSIZE)])"
    one = run(code, files=99, file_size=12345)
    one.process.wait(20)
    assert one.status()["tail"] == ["[0, 99, 12345]"]


def test_sigterm_then_sigkill_then_nothing_is_left(run):
    code = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
print('child', child.pid, flush=True)
while True: time.sleep(0.1)
"""
    one = run(code)
    child = int(eventually(lambda: one.log().split("child ")[1].split()[0]))
    began = time.monotonic()
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(20) == 137
    assert time.monotonic() - began >= 0.45
    assert "asked" in one.log()
    assert processes.start_time(child) == 0
    assert one.status()["asked"] is True


def test_the_app_dies_with_the_launcher(run):
    one = run("import time; print('up', flush=True); time.sleep(600)")
    eventually(lambda: "up" in one.log())
    one.process.kill()
    eventually(lambda: processes.start_time(one.status()["pid"]) == 0)


def test_zombies_are_reaped(run):
    """Orphans of the app become children of the launcher, which must not collect them as zombies."""
    code = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.05); os._exit(0)
        os._exit(0)
    os.wait()
print('done', flush=True); time.sleep(600)
"""
    one = run(code)
    eventually(lambda: "done" in one.log())
    eventually(lambda: processes.children(one.process.pid) == [one.status()["pid"]])


def test_the_environment_by_descriptor_survives_every_quote(run):
    env = {"A": "it's", "B": '$(id) `id` \\ "x"\nnew line', "C": "", "BAD-NAME": "x", "UID": "5"}
    one = run(
        "import json, os; print(json.dumps({k: os.environ.get(k) for k in 'ABC'}))",
        argv=["/bin/sh", "-c", '. /dev/fd/9; exec "$@" 9<&-', "sh", sys.executable, "app.py"], env=env, env_fd=9,
    )  # fmt: skip
    assert one.process.wait(20) == 0
    assert json.loads(one.status()["tail"][0]) == {k: env[k] for k in "ABC"}


def test_a_flood_costs_little_and_ends_when_asked(run):
    one = run("import os\nblock = b'x' * 999 + b'\\n'\nblock *= 1000\nwhile True: os.write(1, block)\n", log_limit=MB)
    eventually(lambda: (one.path / "log").exists() and (one.path / "log").stat().st_size > 100_000)
    ticks = os.sysconf("SC_CLK_TCK")

    def cpu() -> float:
        fields = Path(f"/proc/{one.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    before, began = cpu(), time.monotonic()
    eventually(lambda: time.monotonic() - began > 2.0)
    share = (cpu() - before) / (time.monotonic() - began)
    assert share < 0.5, share
    peak = Path(f"/proc/{one.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    assert int(peak) * KB < 40 * MB
    one.process.send_signal(signal.SIGTERM)
    one.process.wait(20)
    assert (one.path / "log").stat().st_size < 1.2 * MB


def test_a_spec_in_the_environment(tmp_path):
    """As PID 1 of a container: no files, the app's output goes straight through."""
    env = {"LAUNCH_SPEC": json.dumps({"argv": [sys.executable, "-c", "print('inside')"]})}
    done = subprocess.run(
        [sys.executable, "-I", "-S", launch.__file__, "-"], env=env, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout) == (0, "inside\n")
