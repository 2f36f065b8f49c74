"""Three megabytes of every byte value go up and come back, compared byte by byte; so does a file with a difficult name."""

import tempfile
from pathlib import Path

from gradio_client import handle_file


def check(space):
    client = space.gradio()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("big.bin", bytes(range(256)) * 12_000), ("é ü (1).txt", b"short"), ("one.bin", b"\0")):
            source = Path(folder, name)
            source.write_bytes(data)
            answer = Path(client.predict(handle_file(source), api_name="/reverse"))
            assert answer.name.startswith("reversed-")
            assert answer.read_bytes() == data[::-1], f"{name}: other bytes came back"
