import gradio as gr
import pint

units = pint.UnitRegistry()


def convert(amount: float, source: str, target: str) -> float:
    return round(units.Quantity(amount, source).to(target).magnitude, 6)


demo = gr.Interface(
    fn=convert,
    inputs=[gr.Number(label="Amount", value=1), gr.Textbox("mile", label="From"), gr.Textbox("km", label="To")],
    outputs=gr.Number(label="Result", precision=6),
    title="Unit converter",
    api_name="convert",
)

if __name__ == "__main__":
    demo.launch()
