"""Six calls at once: all are answered, some ran together, never more than two."""


def check(space):
    client = space.gradio()
    jobs = [client.submit(0.6, api_name="/work") for _ in range(6)]
    together = [job.result(timeout=60) for job in jobs]
    assert len(together) == 6
    assert max(together) == 2, f"at most two may run together and two should: {together}"
