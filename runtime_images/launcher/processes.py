"""What the kernel tells of processes: which are below one, what they hold, where they listen. Reads /proc alone."""

import os
import socket
import sys

from . import KB


def children(pid: int) -> "list[int]":
    """Direct children of a process, of all its threads."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                    found += map(int, file.read().split())
            except OSError:
                continue  # the thread is gone
    except OSError:
        pass
    return found


def descendants(pid: int) -> "list[int]":
    """All processes below `pid`, parents first. Orphans are below their subreaper, so nothing hides by daemonising."""
    found, queue = [], children(pid)
    while queue:
        child = queue.pop()
        found.append(child)
        queue += children(child)
    return found


def start_time(pid: int) -> int:
    """Clock ticks after boot at which the process started, 0 if it is gone or a zombie. Pid and this name it for good."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def anonymous_memory(pids: "list[int]", exact: bool = False) -> int:
    """Bytes that these processes hold and no file backs. `exact` shares out pages held by several (slower)."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup" if exact else f"/proc/{pid}/status", "rb") as file:
                for line in file:
                    if line.startswith((b"Pss_Anon:", b"Pss_Shmem:") if exact else (b"RssAnon:", b"RssShmem:")):
                        total += int(line.split()[1]) * KB
        except OSError:
            continue
    return total


def listening(pids: "list[int]") -> "set[tuple[str, int]]":
    """(address, port) of the TCP sockets that these processes accept connections on."""
    sockets: dict[str, tuple[str, int]] = {}
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{table}") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A":
                address, port = row[1].split(":")
                sockets[f"socket:[{row[9]}]"] = (kernel_address(address), int(port, 16))
    found = set()
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                except OSError:
                    continue
                if target in sockets:
                    found.add(sockets[target])
        except OSError:
            continue
    return found


def kernel_address(text: str) -> str:
    """An address of /proc/net/tcp*: hexadecimal words in the machine's byte order."""
    raw = b"".join(int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
