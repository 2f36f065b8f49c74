"""Written before a restart and before a push, read after each."""


def check(space):
    before = space.pids()
    assert space.gradio().predict("Ada", api_name="/sign") == "Ada\n"
    space.restart()
    space.wait("RUNNING", replaced=before)
    assert space.gradio().predict(api_name="/read") == "Ada\n"
    before = space.pids()
    space.push(files={"app.py": (space.folder / "app.py").read_text() + "\n# A second version.\n"})
    space.wait("RUNNING", replaced=before)
    assert space.gradio().predict("Grace", api_name="/sign") == "Ada\nGrace\n"
