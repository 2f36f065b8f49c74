from pathlib import Path

import gradio as gr

BOOK = Path("/data/guests.txt")


def sign(name: str) -> str:
    with BOOK.open("a") as book:
        book.write(name + "\n")
    return read()


def read() -> str:
    return BOOK.read_text() if BOOK.exists() else ""


with gr.Blocks(title="Guest book") as demo:
    guests = gr.Textbox(label="Guests", lines=8)
    name = gr.Textbox(label="Your name")
    name.submit(sign, name, guests, api_name="sign")
    demo.load(read, None, guests, api_name="read")

if __name__ == "__main__":
    demo.launch()
