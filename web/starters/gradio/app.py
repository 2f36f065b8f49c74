"""A demo: how many words, and which is the longest? Put your model where `judge` is."""

import gradio as gr


def judge(text: str) -> tuple[int, str]:
    words = text.split()
    return len(words), max(words, key=len, default="")


demo = gr.Interface(
    judge,
    gr.Textbox(label="Text", lines=4, placeholder="Write something"),
    [gr.Number(label="Words"), gr.Textbox(label="The longest")],
    examples=["The quick brown fox jumps over the lazy dog"],
    title="Words",
)

if __name__ == "__main__":
    demo.launch()
