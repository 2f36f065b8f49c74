"""The model knows a setosa from a virginica."""


def check(space):
    client = space.gradio()
    assert client.predict(5.1, 3.5, 1.4, 0.2, api_name="/classify")["label"] == "setosa"
    assert client.predict(7.7, 3.0, 6.1, 2.3, api_name="/classify")["label"] == "virginica"
