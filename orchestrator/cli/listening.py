"""Where the control plane listens: a Unix socket for the gateway and git hooks beside it, and TCP for gateways on other
machines. Owns binding and the socket file, not what is served there."""

import contextlib
import socket
from collections.abc import Iterator

from orchestrator.errors import Conflict, Invalid
from orchestrator.settings import Settings, host_port

_UNIX_PATH = 107  #: bytes, see unix(7)


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[list[socket.socket]]:
    """Bound sockets that do not accept yet. Raises Conflict `PORT_IN_USE`, Invalid `SETTING`."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(_unix(settings))]
        if settings.control_listen:
            sockets.append(stack.enter_context(_tcp(settings.control_listen)))
        yield sockets


def _unix(settings: Settings) -> socket.socket:
    """Who starts second has the lock of the run directory, so a socket file that is there was left behind."""
    path = settings.control_socket
    if len(bytes(path)) > _UNIX_PATH:
        raise Invalid("SETTING", f"{path} is longer than a socket's name may be; give PODIUM_RUN a shorter directory")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    return sock


def _tcp(address: str) -> socket.socket:
    host, port = host_port("PODIUM_CONTROL_LISTEN", address)
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A gateway whose machine vanished must not hold its feed for ever.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise Conflict("PORT_IN_USE", f"cannot listen on {address} ({reason}); change PODIUM_CONTROL_LISTEN") from error
    return sock
