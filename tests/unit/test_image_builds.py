"""What BuildKit says, as lines of a log and as one sentence for who can mend it."""

import base64
import json

import pytest

from builder.backends import verdict
from builder.backends.rawjson import Progress
from builder.errors import Fault, TransientError
from builder.plan import Plan, open_to_others
from builder.requirements import Line

RUN = "[2/3] RUN pip install\n   things"
PLAN = Plan("gradio", ("python", "app.py"), 7860, lines=(Line("torhc", "requirements.txt", 2, "torhc"),))


def messages(*, cached: bool = False, error: str = "") -> list[dict]:
    began, ended = "2026-11-22T02:12:28.249781013Z", "2026-11-22T02:12:29.749781013Z"
    vertex = {"digest": "a", "name": RUN, "started": began}
    return [
        {"vertexes": [{"digest": "b", "name": "[internal] load build context", "started": began, "completed": ended}]},
        {"vertexes": [{"digest": "a", "name": RUN}]},
        {"vertexes": [vertex]},
        {"logs": [{"vertex": "a", "data": base64.b64encode(b"one\ntw").decode()}]},
        {"logs": [{"vertex": "a", "data": base64.b64encode(b"o\nthree").decode()}]},
        {"vertexes": [{**vertex, "completed": ended, "cached": cached, "error": error}]},
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_progress_in_either_form(indent):
    said: list[str] = []
    progress = Progress(said.append)
    for message in messages():
        for line in json.dumps(message, indent=indent).splitlines():
            progress.feed(line)
    assert said == ["--> Step 2/3: RUN pip install things", "one", "two", "three", "DONE 1.5s"]
    assert progress.output == ["one", "two", "three"] and not progress.failed and not progress.plain


def test_cached_and_failed_steps_and_plain_words():
    said: list[str] = []
    progress = Progress(said.append, lambda step: "packages")
    for message in (*messages(cached=True), *messages(error="exit code: 3")[-1:]):
        progress.feed(json.dumps(message))
    progress.feed("ERROR: failed to solve: rpc error")
    assert said[0] == "--> Step 2/3: packages" and said[-1] == "CACHED"
    assert progress.failed == "exit code: 3"
    assert progress.plain == ["ERROR: failed to solve: rpc error"]


def test_garbage_is_survived():
    said: list[str] = []
    progress = Progress(said.append)
    for line in ("{", '"x": [', "}", "not json", "{}", '{"vertexes": null, "logs": [{}]}'):
        progress.feed(line)
    for message in messages():
        progress.feed(json.dumps(message))
    assert "DONE 1.5s" in said


def judged(error: str, *output: str, plain: str = "", text: str = "", authors: str = "") -> Fault | TransientError:
    progress = Progress(lambda line: None)
    progress.failed, progress.output, progress.plain = error, list(output), [plain] if plain else []
    return verdict.failed(progress, PLAN, text, authors, "3.11.2")


STEP = 'process "/bin/sh -c {}" did not complete successfully: exit code: {}'


@pytest.mark.parametrize(
    ("cause", "code", "where", "words"),
    [
        (judged(STEP.format("uv", 1), "torhc was not found in the package registry"), "REQ_NOT_FOUND",
         "requirements.txt:2", "did you mean torch?"),
        (judged(STEP.format("uv", 137), "Killed"), "BUILD_OOM", "", "memory"),
        (judged(STEP.format("apt", 100), "E: Unable to locate package ffmpge"), "PACKAGE_NOT_FOUND", "packages.txt", "ffmpge"),
        (judged(STEP.format("make all", 2), "no rule", text="FROM a\nRUN true\nRUN make \\\n  all\n", authors="Dockerfile"),
         "DOCKER_BUILD", "Dockerfile:3", "exit code 2: no rule"),
        (judged("", plain="ERROR: Dockerfile parse error line 4: unknown instruction: RUNN", text="FROM a\n",
                authors="Dockerfile"), "DOCKERFILE", "Dockerfile:4", "unknown instruction: RUNN"),
        (judged('failed to compute cache key: "/model.bin" not found: not found', text="FROM a\nCOPY model.bin /\n",
                authors="Dockerfile"), "DOCKERFILE", "Dockerfile:2", "model.bin is not in the repo"),
        (judged("pull access denied, repository does not exist: example/nothing:1", text="FROM example/nothing:1\n",
                authors="Dockerfile"), "DOCKER_BASE", "Dockerfile:1", "example/nothing:1"),
    ],
)  # fmt: skip
def test_the_authors_fault(cause, code, where, words):
    assert isinstance(cause, Fault)
    assert (cause.code, cause.where) == (code, where)
    assert words in cause.message


@pytest.mark.parametrize(
    "cause",
    [
        judged("write /x: no space left on device"),
        judged("", plain="ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock"),
        judged(STEP.format("apt", 100), "E: Failed to fetch http://mirror/x  Could not connect"),
        judged("something nobody has seen"),
    ],
)
def test_our_own_fault(cause):
    assert isinstance(cause, TransientError)


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ({"Config": {"Cmd": None, "Entrypoint": []}, "Size": 1}, "DOCKER_CMD"),
        ({"Config": {"Cmd": ["x"]}, "Size": 11}, "IMAGE_SIZE"),
        ({"Config": {"Entrypoint": ["x"]}, "Size": 1, "Architecture": "s390x"}, "DOCKER_ARCH"),
    ],
)
def test_an_image_that_could_not_run_is_refused(about, code):
    with pytest.raises(Fault) as caught:
        verdict.check_image(about, 10, "Dockerfile")
    assert caught.value.code == code


def test_an_image_that_is_too_large_names_its_largest_steps():
    steps = [
        (3_000_000, 'RUN /bin/sh -c head -c 3000000 /dev/zero > /big # buildkit'), (0, 'CMD ["x"]'), (5, "LABEL a=b"),
        (10**10, "RUN |1 A=1 /bin/sh -c pip install -i https://me:pw@index.example.org/ torch # buildkit"),
        (8 * 10**7, "/bin/sh -c #(nop) ADD file:0a1b in / "),
    ]  # fmt: skip
    with pytest.raises(Fault) as caught:
        verdict.check_image({"Config": {"Cmd": ["x"]}, "Size": 11}, 10, "Dockerfile", lambda: steps)
    assert caught.value.message.endswith(
        "; most is of `RUN pip install -i https://***@index.example.org/ torch` (9,537 MiB), `ADD file:0a1b in /` (76 MiB), "
        "`RUN head -c 3000000 /dev/zero > /big` (3 MiB)"
    )


def test_in_a_container_loopback_is_not_enough():
    plan = Plan(
        "x",
        ("serve", "--server.address=127.0.0.1", "--host", "127.0.0.1"),
        1,
        env={"A": "127.0.0.1", "B": "127.0.0.11"},
    )
    opened = open_to_others(plan)
    assert opened.argv == ("serve", "--server.address=0.0.0.0", "--host", "0.0.0.0")
    assert opened.env == {"A": "0.0.0.0", "B": "127.0.0.11"}
