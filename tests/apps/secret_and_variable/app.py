import hashlib
import os

import gradio as gr

TOLD = (
    "SPACE_ID",
    "SPACE_AUTHOR_NAME",
    "SPACE_REPO_NAME",
    "SPACE_TITLE",
    "SPACE_HOST",
    "SYSTEM",
    "CPU_CORES",
    "MEMORY",
)


def about() -> dict:
    """A secret is never shown: its hash proves that the app has it."""
    secret = os.environ.get("API_KEY", "")
    return {
        "greeting": os.environ.get("GREETING"),
        "api_key_sha256": hashlib.sha256(secret.encode()).hexdigest() if secret else None,
        **{name: os.environ.get(name) for name in TOLD},
    }


demo = gr.Interface(fn=about, inputs=None, outputs=gr.JSON(label="Environment"), title="Who am I", api_name="about")

if __name__ == "__main__":
    demo.launch()
