import threading
import time

import gradio as gr

running = 0
lock = threading.Lock()


def work(seconds: float) -> int:
    """How many calls, this one counted, ran together while it did."""
    global running
    most = 0
    with lock:
        running += 1
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, running)
        time.sleep(0.01)
    with lock:
        running -= 1
    return most


with gr.Blocks(title="Two at a time") as demo:
    seconds = gr.Slider(0, 5, value=1, label="Seconds of work")
    together = gr.Number(label="Calls that ran together")
    gr.Button("Work").click(work, seconds, together, concurrency_limit=2, api_name="work")

demo.queue(max_size=20)

if __name__ == "__main__":
    demo.launch()
