import gradio as gr

demo = gr.Interface(
    fn=lambda name: f"Hello, {name}!",
    inputs=gr.Textbox(label="Name"),
    outputs=gr.Textbox(label="Greeting"),
    title="Greeter",
    api_name="greet",
)

if __name__ == "__main__":
    demo.launch()
