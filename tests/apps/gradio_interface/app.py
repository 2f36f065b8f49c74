import gradio as gr


def count(text: str, unique: bool) -> int:
    words = text.lower().split()
    return len(set(words)) if unique else len(words)


demo = gr.Interface(
    fn=count,
    inputs=[gr.Textbox(label="Text", lines=3), gr.Checkbox(label="Count each word once")],
    outputs=gr.Number(label="Words"),
    title="Word counter",
    examples=[["to be or not to be", True]],
    api_name="count",
)

if __name__ == "__main__":
    demo.launch()
