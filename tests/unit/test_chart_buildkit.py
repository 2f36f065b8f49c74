"""The chart's buildkitd: steps of strangers' builds reach its port, and only builders are let in. With the certificates that the
real helm makes, on real sockets, and with the real buildx; skips where these are not."""

import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.test_chart import LARGE, of, pods, render

pytestmark = pytest.mark.skipif(not shutil.which("helm"), reason="needs helm")


def sides(made: list[dict], place: Path) -> dict[str, Path]:
    """Directories with what the Secrets of buildkitd and of builders hold."""
    place.mkdir(exist_ok=True)
    for one in of(made, "Secret"):
        for name, value in one["data"].items() if "-buildkit-" in one["metadata"]["name"] else ():
            side = place / one["metadata"]["name"].rpartition("-")[2]
            side.mkdir(exist_ok=True)
            (side / name).write_bytes(base64.b64decode(value))
    return {side.name: side for side in place.iterdir()}


def daemon(side: Path, met: list[dict]) -> socket.socket:
    """Greets whoever is let in as buildkitd would let them, and notes their certificates."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(side / "ca.crt"))
    tls.load_cert_chain(side / "tls.crt", side / "tls.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.set_alpn_protocols(["h2"])
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                one, _ = door.accept()
                with suppress(OSError), tls.wrap_socket(one, server_side=True) as inside:
                    met.append(inside.getpeercert())
                    inside.sendall(b"hello")

    threading.Thread(target=serve, daemon=True).start()
    return door


def test_only_builders_are_let_in_by_buildkitd(tmp_path):
    made, met = render(LARGE), []
    at = sides(made, tmp_path)
    assert set(at) == {"server", "client"} and all(
        sorted(one.name for one in side.iterdir()) == ["ca.crt", "tls.crt", "tls.key"] for side in at.values()
    )
    door = daemon(at["server"], met)

    def speak(certificate: Path | None) -> bytes:
        tls = ssl.create_default_context(cafile=str(at["client"] / "ca.crt"))
        if certificate:
            tls.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
        with socket.create_connection(door.getsockname(), 10) as plain:
            return tls.wrap_socket(plain, server_hostname="podium-buildkit").recv(5)

    try:
        assert speak(at["client"]) == b"hello"
        stranger = sides(render(LARGE), tmp_path / "else")["client"]
        for certificate in (None, stranger):
            with pytest.raises(OSError):
                assert speak(certificate)
        assert [dict(one["subject"][0])["commonName"] for one in met] == ["podium-builder"]
    finally:
        door.close()
    (pod,) = [spec for name, spec in pods(made) if name == "podium-buildkit"]
    assert "--tlscacert" in pod["containers"][0]["args"]
    assert "client" not in json.dumps(pod), "what runs beside strangers' steps has no builder's key"
    off = render(LARGE | {"buildkit": LARGE["buildkit"] | {"tls": {"enabled": False}}})
    assert "tls" not in json.dumps([spec for _, spec in pods(off)]) and not sides(off, tmp_path / "none")


@pytest.mark.skipif(not shutil.which("docker"), reason="needs docker buildx")
def test_a_builder_shows_buildkitd_its_certificate(tmp_path):
    made, met = render(LARGE), []
    at = sides(made, tmp_path)
    door = daemon(at["server"], met)
    (pod,) = [spec for name, spec in pods(made) if name == "podium-builder"]
    (create,) = [one["command"] for one in pod["initContainers"] if one["name"] == "buildx"]
    create = [word.replace("/etc/podium/buildkit", str(at["client"])) for word in create]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "BUILDX_CONFIG": str(tmp_path / "buildx")}
    try:
        create[-1] = f"tcp://127.0.0.1:{door.getsockname()[1]}"
        subprocess.run(create, check=True, env=env, capture_output=True, timeout=60)
        with suppress(subprocess.TimeoutExpired):  # it waits for a daemon that says more than hello
            subprocess.run(["docker", "buildx", "inspect", "podium"], env=env, capture_output=True, timeout=3)
        names = {dict(one["subject"][0])["commonName"] for one in met}
        assert names == {"podium-builder"}
    finally:
        door.close()
