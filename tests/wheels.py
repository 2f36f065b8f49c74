"""A package index of one's own with packages of a few bytes, on the address that containers reach this machine at. What an app
asks for is there and does nothing, so that tests of images need no real packages."""

import base64
import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Mapping

#: What a Gradio Space gets, whether it asks or not; `gradio` runs nothing by itself.
GRADIO = {"gradio": "6.99.0", "uvicorn": "0.99.0", "websockets": "99.0"}

_EXTRAS = "Provides-Extra: mcp\nProvides-Extra: oauth\n"


def wheel(name: str, version: str, code: str = "") -> bytes:
    """A pure Python package of one module."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"__version__ = {version!r}\n{code}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + _EXTRAS,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_hash(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return packed.getvalue()


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


class Index:
    """Serves packages by the simple API. `host`: the engine's own bridge, or this machine."""

    def __init__(self, packages: Mapping[str, str], host: str = "127.0.0.1") -> None:
        files = {f"{name}-{version}-py3-none-any.whl": wheel(name, version) for name, version in packages.items()}
        self.asked: list[str] = []  #: paths, in order
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                owner.asked.append(self.path)
                parts = [part for part in self.path.split("/") if part]
                if parts[-1] in files:
                    return self._send(files[parts[-1]], "application/octet-stream")
                mine = [one for one in files if one.split("-")[0] == parts[-1]]
                links = "".join(
                    f'<a href="/files/{one}#sha256={hashlib.sha256(files[one]).hexdigest()}">{one}</a>' for one in mine
                )
                self._send(links.encode(), "text/html", 200 if mine else 404)

            def _send(self, data: bytes, kind: str, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data)

            def log_message(self, *words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{self._server.server_address[1]}/simple/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
