"""What is known of the app, and telling it: a file beside a bell, a line on stdout, last words. Nobody has to listen."""

import json
import os
import signal
import socket

from .log import private
from .processes import start_time

LAST_WORDS_LIMIT = 4000  #: bytes; Kubernetes keeps 4096 of a container's termination message


class Status:
    """`now`: the members that a reader finds."""

    def __init__(self, spec: dict) -> None:
        self._spec = spec
        me = os.getpid()
        self.now: dict = {"state": "starting", "launcher": me, "launcher_start": start_time(me)}

    def tell(self, **changes: object) -> None:
        """Change the status; write it and ring if that is news."""
        if all(self.now.get(key) == value for key, value in changes.items()) and "pid" in self.now:
            return
        self.now.update(changes)
        path = self._spec.get("status")
        if not path:
            return
        if path == "-":
            return self._tell_aloud()
        try:
            with open(f"{path}.new", "w", opener=private) as file:
                json.dump(self.now, file)
            os.replace(f"{path}.new", path)
        except OSError:
            pass
        self._ring()

    def _tell_aloud(self) -> None:
        told = {name: value for name, value in self.now.items() if name != "tail"}
        try:
            os.write(1, f"\x1e{json.dumps(told)}\n".encode())
        except OSError:
            pass

    def leave_last_words(self) -> None:
        """The status with as many of the last lines as there is room for."""
        if not (path := self._spec.get("last_words")):
            return
        told = dict(self.now, tail=[], cgroups=[])
        room = LAST_WORDS_LIMIT - len(json.dumps(told))
        for line in reversed(self.now["tail"]):
            line = line if len(line) <= 400 else f"{line[:300]} ... {line[-95:]}"
            room -= len(json.dumps(line)) + 2
            if room < 0:
                break
            told["tail"].insert(0, line)
        try:
            with open(path, "w") as file:
                json.dump(told, file)
        except OSError:
            pass

    def _ring(self) -> None:
        bell = self._spec.get("bell")
        if not bell:
            return
        try:  # through the directory's descriptor: a socket's path may have 107 bytes, a data directory more
            directory = os.open(os.path.dirname(bell), os.O_PATH | os.O_DIRECTORY)
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                    name = f"/proc/self/fd/{directory}/{os.path.basename(bell)}"
                    sock.sendto(self._spec.get("id", "").encode(), name)
            finally:
                os.close(directory)
        except OSError:
            pass  # nobody listens: the control plane is down and will look by itself


def ending(status: dict) -> str:
    """How an app ended, in words."""
    if status.get("asked"):
        return "stopped"
    if status.get("reason"):
        return status["reason"]
    if number := status.get("signal"):
        try:
            return f"the app was ended by {signal.Signals(number).name}"
        except ValueError:
            return f"the app was ended by signal {number}"
    return f"the app exited with code {status.get('exit_code')}"
