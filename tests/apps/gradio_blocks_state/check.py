"""A session's list grows call by call; another session does not see it."""


def check(space):
    mine, other = space.gradio(), space.gradio()
    assert mine.predict("milk", api_name="/add") == "1. milk"
    assert mine.predict("bread", api_name="/add") == "1. milk\n2. bread"
    assert other.predict("tea", api_name="/add") == "1. tea"
    assert mine.predict("salt", api_name="/add") == "1. milk\n2. bread\n3. salt"
