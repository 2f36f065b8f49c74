"""The app may write beside its code, and nothing of that gets into the repo or into the next instance."""


def check(space):
    before = space.pids()
    client = space.gradio()
    assert client.predict("rain", api_name="/write") == "rain\n"
    assert client.predict("sun", api_name="/write") == "rain\nsun\n"
    space.restart()
    space.wait("RUNNING", replaced=before)
    assert space.gradio().predict("wind", api_name="/write") == "wind\n"
    assert not any("diary" in path for path in space.files())
