"""The app has the secret to the last character and what the contract promises; nobody can read the secret back."""

import hashlib

SECRET = 's3cret with spaces, "quotes", $dollars and ünïcode'


def check(space):
    told = space.gradio().predict(api_name="/about")
    assert told["greeting"] == "good day"
    assert told["api_key_sha256"] == hashlib.sha256(SECRET.encode()).hexdigest()
    assert told["SYSTEM"] == "spaces"
    assert told["SPACE_ID"] == space.id
    assert (told["SPACE_AUTHOR_NAME"], told["SPACE_REPO_NAME"]) == (space.owner, space.name)
    assert told["SPACE_TITLE"] == "Who am I"
    assert space.url.split("://")[1].split(":")[0] in told["SPACE_HOST"]
    assert float(told["CPU_CORES"]) > 0
    assert told["MEMORY"]
    listed = space.api("GET", "/secrets")
    assert "API_KEY" in listed.json()
    assert SECRET not in listed.text
    assert space.api("GET", "/variables").json()["GREETING"]["value"] == "good day"
    assert SECRET not in "\n".join(space.logs("build") + space.logs("run"))
