"""The words arrive one by one: the first long before the last, as separate events and not as one buffered answer."""

import time

PAUSE = 0.5


def check(space):
    client = space.gradio()
    began = time.monotonic()
    job = client.submit("one two three four", PAUSE, api_name="/type_out")
    seen = [(word, time.monotonic() - began) for word in job]
    assert [word for word, _ in seen] == ["one", "one two", "one two three", "one two three four"]
    first, last = seen[0][1], seen[-1][1]
    assert last - first >= 2 * PAUSE, f"all words came within {last - first:.2f} s: something buffered them"
