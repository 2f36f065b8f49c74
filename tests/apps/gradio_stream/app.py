import time

import gradio as gr


def type_out(text: str, pause: float):
    shown = ""
    for word in text.split():
        shown = f"{shown} {word}".strip()
        yield shown
        time.sleep(pause)


demo = gr.Interface(
    fn=type_out,
    inputs=[gr.Textbox(label="Text"), gr.Slider(0, 2, value=0.2, label="Pause in seconds")],
    outputs=gr.Textbox(label="Typed so far"),
    title="Slow typist",
    api_name="type_out",
)

if __name__ == "__main__":
    demo.launch()
