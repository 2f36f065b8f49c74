"""A Streamlit visitor without a browser: speaks the protobuf messages of `streamlit.proto` over the WebSocket
`/_stcore/stream` as Streamlit's own page does. Owns one connection; knows nothing of Podium.

Protocol: a `BackMsg` with `rerun_script` asks for a run; the server answers with `ForwardMsg`s (`new_session`, `delta`s,
`script_finished`). Three values travel in the Sec-WebSocket-Protocol header: `streamlit`, an XSRF token (may be a
placeholder), and the id of a session to take up again."""

import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import connect

PLACEHOLDER = "PLACEHOLDER_AUTH_TOKEN"


@dataclass
class Page:
    """What one run of the script showed. `widgets`: user key -> widget id; `pages`: (name, page hash)."""

    text: str = ""
    widgets: dict[str, str] = field(default_factory=dict)
    pages: list[tuple[str, str]] = field(default_factory=list)


class StreamlitSession:
    """Connects on creation to `ws://<host of url>/_stcore/stream`, at `address` whatever the name resolves to.
    `resume` is the id of an earlier session. Use as a context manager."""

    def __init__(
        self, url: str, address: tuple[str, int], resume: str = "", headers: dict[str, str] | None = None
    ) -> None:
        parts = urlsplit(url)
        protocols = ["streamlit", PLACEHOLDER, *([resume] if resume else [])]
        self._socket = connect(
            f"ws://{parts.netloc}/_stcore/stream",
            sock=socket.create_connection(address, timeout=30),
            subprotocols=protocols,
            origin=f"{parts.scheme}://{parts.netloc}",
            additional_headers=headers,
            max_size=None,
            open_timeout=30,
        )
        self.id = ""
        self._ids: dict[str, str] = {}

    def __enter__(self) -> "StreamlitSession":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    @property
    def subprotocol(self) -> str | None:
        return self._socket.subprotocol

    def run(self, widgets: dict[str, tuple[str, Any]] | None = None, page: str = "", timeout: float = 30) -> Page:
        """Ask for a run with these widget values (`{key: (field of WidgetState, value)}`) and return what it showed.
        Raises AssertionError when the script raised, TimeoutError after `timeout` seconds without a message."""
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_script_hash = page
        for key, (name, value) in (widgets or {}).items():
            state = message.rerun_script.widget_states.widgets.add(id=self._ids[key])
            if name == "double_array_value":
                state.double_array_value.data.extend(value)
            else:
                setattr(state, name, value)
        self._socket.send(message.SerializeToString())
        return self._read(timeout)

    def _read(self, timeout: float) -> Page:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        shown = Page()
        while True:
            message = ForwardMsg.FromString(self._socket.recv(timeout=timeout))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.id = message.new_session.initialize.session_id
                shown.pages = [
                    (p.url_pathname or p.page_name, p.page_script_hash) for p in message.new_session.app_pages
                ]
            elif kind == "navigation":
                shown.pages = [
                    (p.url_pathname or p.page_name, p.page_script_hash) for p in message.navigation.app_pages
                ]
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._note(message.delta.new_element, shown)
            elif kind == "script_finished":
                self._ids.update(shown.widgets)
                return shown

    def _note(self, element: Any, shown: Page) -> None:
        kind = element.WhichOneof("type")
        content = getattr(element, kind)
        assert kind != "exception", f"the script raised {content.type}: {content.message}"
        shown.text += "".join(f"{getattr(content, name, '')}\n" for name in ("label", "body"))
        identity = getattr(content, "id", "")
        if "-" in identity:
            shown.widgets[identity.rsplit("-", 1)[1]] = identity
