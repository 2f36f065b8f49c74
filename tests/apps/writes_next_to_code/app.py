from pathlib import Path

import gradio as gr

DIARY = Path(__file__).parent / "cache" / "diary.txt"


def write(line: str) -> str:
    DIARY.parent.mkdir(exist_ok=True)
    with DIARY.open("a") as diary:
        diary.write(line + "\n")
    return DIARY.read_text()


demo = gr.Interface(write, gr.Textbox(label="Line"), gr.Textbox(label="Diary"), title="Diary", api_name="write")

if __name__ == "__main__":
    demo.launch()
