import os

import gradio as gr

print("loading the model", flush=True)
if not os.path.exists("model.bin"):
    raise FileNotFoundError("model.bin is not in the repo")

gr.Interface(fn=str.upper, inputs="text", outputs="text").launch()
