import gradio as gr


def add(item: str, items: list[str]):
    items = [*items, item] if item else items
    return items, "\n".join(f"{number}. {name}" for number, name in enumerate(items, 1))


with gr.Blocks(title="Shopping list") as demo:
    items = gr.State([])
    item = gr.Textbox(label="What to buy")
    button = gr.Button("Add", variant="primary")
    listing = gr.Textbox(label="Your list", lines=5)
    gr.on([button.click, item.submit], add, [item, items], [items, listing], api_name="add")

if __name__ == "__main__":
    demo.launch()
