"""Whether an author's own image answers, seen from outside: there is no launcher in it to ask. Owns one attempt to get an HTTP
answer, and reading what a container listens on where this machine's kernel shows it."""

import http.client
from pathlib import Path

from runtime_images.launcher.processes import kernel_address

_TIMEOUT = 5.0  #: seconds that an answer may take


def answer(host: str, port: int, path: str) -> tuple[bool, str]:
    """Whether the app is ready, and what is in the way if that is more than that nobody listens."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path, headers={"User-Agent": "podium-ready", "Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return False, f"port {port} accepts connections but does not answer"
    except http.client.HTTPException:
        return False, f"port {port} does not speak HTTP"
    except OSError:
        return False, ""
    finally:
        connection.close()
    return (True, "") if status < 500 else (False, f"the app answers {path} with status {status}")


def listening(pid: int) -> list[str]:
    """`address:port` of the sockets that accept connections in the network of a process; [] where we may not look."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = [line.split() for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]
        except OSError:
            continue
        for row in rows:
            if len(row) > 3 and row[3] == "0A":
                address, port = row[1].split(":")
                shown = kernel_address(address)
                if shown != "127.0.0.11":  # the engine's own resolver
                    found.add(f"[{shown}]:{int(port, 16)}" if ":" in shown else f"{shown}:{int(port, 16)}")
    return sorted(found)
