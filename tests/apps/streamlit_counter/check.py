"""A real session: the first run is seen, a widget is changed, the rerun shows it; the session outlives the connection."""


def check(space):
    with space.streamlit() as session:
        page = session.run()
        assert "The total is 0 and the step is 1." in page.text
        page = session.run({"add": ("trigger_value", True)})
        assert "The total is 1 and the step is 1." in page.text
        page = session.run({"step": ("double_array_value", [7.0])})
        assert "The total is 1 and the step is 7." in page.text
        page = session.run({"step": ("double_array_value", [7.0]), "add": ("trigger_value", True)})
        assert "The total is 8 and the step is 7." in page.text
        known = session.id
    with space.streamlit(resume=known) as session:
        page = session.run()
        assert session.id == known, "the session id in the subprotocol header did not reach the app"
        assert "The total is 8 and the step is 7." in page.text
    with space.streamlit() as stranger:
        assert "The total is 0 and the step is 1." in stranger.run().text
