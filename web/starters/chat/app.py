"""A chat with a model server that speaks the OpenAI protocol: vLLM, llama.cpp, Ollama, or a service.

Set in the settings of this Space: the variables `MODEL_URL` (such as http://models:8000/v1) and `MODEL_NAME`, and, if the
server asks for one, the secret `MODEL_KEY`. Without them it repeats what you say."""

import os
from collections.abc import Iterator

import gradio as gr
from openai import OpenAI, OpenAIError

URL = os.environ.get("MODEL_URL", "")
NAME = os.environ.get("MODEL_NAME", "default")
server = OpenAI(base_url=URL, api_key=os.environ.get("MODEL_KEY") or "none") if URL else None


def answer(message: str, history: list[dict]) -> Iterator[str]:
    """The answer, longer with each piece that comes."""
    if server is None:
        yield f"You said: {message}\n\nSet the variable MODEL_URL of this Space to talk to a model."
        return
    said = [{"role": turn["role"], "content": turn["content"]} for turn in history]
    said.append({"role": "user", "content": message})
    text = ""
    try:
        for piece in server.chat.completions.create(model=NAME, messages=said, stream=True):
            text += (piece.choices[0].delta.content or "") if piece.choices else ""
            yield text
    except OpenAIError as error:
        yield f"{text}\n\nThe model server did not answer: {error}"


demo = gr.ChatInterface(answer, title="Chat")

if __name__ == "__main__":
    demo.launch()
