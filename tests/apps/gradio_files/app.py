import tempfile
from pathlib import Path

import gradio as gr


def reverse(path: str) -> str:
    source = Path(path)
    target = Path(tempfile.mkdtemp()) / f"reversed-{source.name}"
    target.write_bytes(source.read_bytes()[::-1])
    return str(target)


demo = gr.Interface(
    fn=reverse,
    inputs=gr.File(label="File"),
    outputs=gr.File(label="Reversed"),
    title="Reverser",
    api_name="reverse",
)

if __name__ == "__main__":
    demo.launch()
