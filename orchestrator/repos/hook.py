"""The pre-receive hook: asks the control plane whether git may accept a push, and shows what it answers. Run by git as
`python -I -S hook.py`, so it stands alone: standard library only, nothing of Podium.

Reads from its environment the socket and the one-time secret of this push, which `smart.py` put there. The answer is a stream
of lines, `say <text>`, at last `ok` or `no`, and empty ones while the control plane is still looking."""

import os
import socket
import sys

PATIENCE = 10.0  #: seconds without a line after which the control plane counts as down
_DOWN = "Podium is temporarily unavailable, nothing was stored; push again in a minute"


def main() -> int:
    updates = sys.stdin.buffer.read()
    quarantine = os.environ.get("GIT_QUARANTINE_PATH", "")
    body = os.fsencode(quarantine) + b"\n" + updates
    head = (
        "POST /internal/hooks/pre-receive HTTP/1.0\r\nHost: control\r\nContent-Type: application/octet-stream\r\n"
        f"Authorization: Bearer {os.environ.get('PODIUM_PUSH_SECRET', '')}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(PATIENCE)
            link.connect(os.environ.get("PODIUM_HOOK_SOCKET", ""))
            link.sendall(head.encode() + body)
            with link.makefile("rb") as answer:
                return listen(answer)
    except OSError:
        pass
    say(_DOWN)
    return 1


def listen(answer) -> int:
    """Show what is said; 0 when the push is accepted. Raises OSError for no answer in time."""
    status = answer.readline().split()
    if len(status) < 2 or status[1] != b"200":
        raise OSError("refused")
    while answer.readline().strip():
        pass
    while line := answer.readline():
        word, _, text = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
        if word == "say":
            say(text)
        elif word in ("ok", "no"):
            return 0 if word == "ok" else 1
    raise OSError("cut off")


def say(text: str) -> None:
    sys.stderr.write(f"podium: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
