"""The log of a pod through breaks: every line once, with its own time, and the launcher's words apart."""

import json
from collections.abc import Iterator

from orchestrator.runtimes.follow import last_time
from orchestrator.runtimes.pod_log import PodLog, StampedLog, lines_of, mark_of

STATUS = {"state": "starting", "listening_elsewhere": ["127.0.0.1:9999"], "port": 7860}


class Kubelet:
    """Answers with its lines from a whole second on, as real ones do; `breaks` says after how many lines each answer ends."""

    def __init__(self, *lines: bytes, breaks: list[int] | None = None) -> None:
        self.lines, self.breaks, self.asked = list(lines), breaks or [], []

    def log(self, pod: str, since: str = "", previous: bool = False) -> Iterator[list[bytes]]:
        self.asked.append((pod, since, previous))
        found = [line for line in self.lines if line[:19] >= since[:19].encode() or line[:4] != b"2026"]
        if self.breaks:
            found = found[: self.breaks.pop(0)]
        for at in range(0, len(found), 2):
            yield found[at : at + 2]


def line(second: int, nanosecond: int, text: bytes) -> bytes:
    return b"2026-11-22T04:00:%02d.%09dZ %s" % (second, nanosecond, text)


def opened(tmp_path, kubelet, heard=None) -> tuple[PodLog, StampedLog]:
    log = StampedLog(str(tmp_path / "log"), 10**6)
    return PodLog(kubelet, "p", log, (heard if heard is not None else []).append, lambda: False), log


def test_breaks_neither_lose_nor_double(tmp_path):
    lines = [line(n // 5, (n % 5) * 1000, b"%d" % n) for n in range(30)]
    kubelet = Kubelet(*lines, breaks=[7, 6, 20])
    log, _ = opened(tmp_path, kubelet)
    found = b""
    for _ in range(4):
        found += b"".join(log(0.0))
    assert found.split() == [b"%d" % n for n in range(30)]
    assert kubelet.asked[0] == ("p", "", False)
    assert kubelet.asked[1] == ("p", "2026-11-22T04:00:01Z", False)


def test_a_restart_goes_on_where_the_file_ends(tmp_path):
    kubelet = Kubelet(
        line(1, 123_456_789, b"one"), line(1, 123_457_100, b"two"), line(1, 900_000_000, b"three"), breaks=[2]
    )
    first, log = opened(tmp_path, kubelet)
    for block in first(0.0):
        log.add(block.decode().split(), 1.0)
    second, _ = opened(tmp_path, kubelet)
    assert b"".join(second(last_time(tmp_path / "log"))) == b"three\n"


def test_times_of_other_zones_and_lines_that_are_the_kubelets_own(tmp_path):
    kubelet = Kubelet(
        b"2026-11-22T06:00:01.5+02:00 first", b"rpc error: code = NotFound desc = no such container", line(2, 0, b""),
        line(3, 0, b"with 2026-11-22T04:00:01Z in it"), b"",
    )  # fmt: skip
    log, stamped = opened(tmp_path, kubelet)
    assert b"".join(log(0.0)) == b"first\n\nwith 2026-11-22T04:00:01Z in it\n"
    assert stamped.stamp == 1795320003.0


def test_the_launchers_words_are_heard_and_not_shown(tmp_path):
    said = b"\x1e" + json.dumps(STATUS).encode()
    kubelet = Kubelet(
        line(1, 0, b"a"), line(2, 0, said), line(3, 0, b"\x1e{"), line(4, 0, b'\x1e{"state": 3}'), line(5, 0, b"b")
    )
    heard: list[dict] = []
    log, _ = opened(tmp_path, kubelet, heard)
    assert b"".join(log(0.0)) == b"a\nb\n"
    assert [one["listening_elsewhere"] for one in heard] == [["127.0.0.1:9999"]]


def test_lines_of_several_replicas_say_whose_they_are_and_go_on_apart(tmp_path):
    """After a restart each is read on from its own last line: another's may be later."""
    path, now = tmp_path / "log", {"a": "[ccccc] ", "b": "[bbbbb] "}
    lines = {one: [line(n, 0, b"%d" % n) for n in range(8)] for one in now}
    for one, upto in (("a", 3), ("b", 6)):
        log = StampedLog(str(path), 10**6, mark=lambda one=one: now[one])
        for block in PodLog(Kubelet(*lines[one][:upto]), one, log, print, lambda: False)(0.0):
            log.add(block.decode().split(), 1.0)
    assert [row.split(" ", 1)[1] for row in path.read_text().splitlines()] == [
        *(f"[ccccc] {n}" for n in range(3)), *(f"[bbbbb] {n}" for n in range(6)),
    ]  # fmt: skip
    for one, rest in (("a", b"3\n4\n5\n6\n7\n"), ("b", b"6\n7\n")):
        again = PodLog(Kubelet(*lines[one]), one, StampedLog(str(path), 10**6), print, lambda: False)
        assert b"".join(again(last_time(path, lines_of(f"s-1-{now[one][1:6]}")))) == rest
    assert last_time(path, lines_of("s-1-ddddd")) == 0.0, "it has written nothing yet, and was never alone"
    assert last_time(path) > last_time(path, lines_of("s-1-ccccc")) > 0.0
    now["a"] = ""  # it is the only one again
    log = StampedLog(str(path), 10**6, mark=lambda: now["a"])
    log.add(["plain"], 1.0)
    assert path.read_text().endswith(" plain\n") and mark_of("s-abc-1-5d9f7c-x7k2p") == "[x7k2p] "
    assert last_time(path, lines_of("s-1-ccccc")) == 1.001
    path.write_text(path.read_text() + "".join(f"{n:.6f} [bbbbb] much\n" for n in range(100, 5000)))
    assert 100 < last_time(path, lines_of("s-1-ccccc")) < last_time(path) == 4999.001, "its last line is out of sight"
