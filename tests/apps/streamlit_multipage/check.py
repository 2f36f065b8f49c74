"""Both pages run in one session; a widget of the second one works."""


def check(space):
    with space.streamlit() as session:
        page = session.run()
        assert "This is the first page." in page.text
        assert [name for name, _ in page.pages] == ["app", "Squares"]
        squares = dict(page.pages)["Squares"]
        assert "3 times 3 is 9." in session.run(page=squares).text
        assert "12 times 12 is 144." in session.run({"number": ("int_value", 12)}, page=squares).text
