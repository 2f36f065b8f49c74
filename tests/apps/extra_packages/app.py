import gradio as gr
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

iris = load_iris(as_frame=True)
model = LogisticRegression(max_iter=500).fit(iris.data, iris.target)


def classify(*sizes: float) -> dict[str, float]:
    flower = pd.DataFrame([sizes], columns=iris.data.columns)
    return dict(zip(iris.target_names.tolist(), model.predict_proba(flower)[0].tolist(), strict=True))


demo = gr.Interface(
    fn=classify,
    inputs=[
        gr.Number(label=name, value=value) for name, value in zip(iris.data.columns, [5.1, 3.5, 1.4, 0.2], strict=True)
    ],
    outputs=gr.Label(label="Species"),
    title="Iris",
    api_name="classify",
)

if __name__ == "__main__":
    demo.launch()
