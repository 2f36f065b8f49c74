"""The suite of the Builds port where images are made: real git, a real engine, real packages. The suite of environments is
test_builds.py; what is the same there is not repeated."""

import os
import subprocess
import time

import pytest

from builder.request import Images
from orchestrator.domain.seen import FaultKind
from orchestrator.errors import Unavailable
from orchestrator.ports import Cancelled
from tests import containers, wheels
from tests.contracts.test_builds import STATIC
from tests.contracts.test_builds import World as Plain

pytestmark = pytest.mark.skipif(bool(containers.trouble()), reason=containers.trouble() or "-")
DOCKER = "---\nsdk: docker\n---\n"


class World(Plain):
    def builds(self, **more):
        from orchestrator.builds.images import ImageBuilds

        told = {name: more.pop(name) for name in ("limit", "network", "base") if name in more}
        images = Images(told.pop("base", containers.base()), self.owner, f"caches-{self.owner}", **told)
        self.opened.append(ImageBuilds(self.data, images, **{"grace": 0.0, **more}))
        return self.opened[-1]

    def of_docker(self, *lines: str, **files: str) -> dict[str, str]:
        text = "\n".join((f"FROM {containers.base()}", *lines)) + "\n"
        return {"README.md": DOCKER, "Dockerfile": text, **files}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.owner = f"test{os.getpid()}x{time.monotonic_ns() % 10**6}"
    yield made
    for builds in made.opened:
        builds.close()
    for image in containers.apps_of_owner(made.owner):
        containers.docker("image", "rm", "-f", image, check=False)


def runs(reference: str, *words: str) -> str:
    return containers.docker("run", "--rm", "--network", "none", "--entrypoint", words[0], reference, *words[1:])


def test_a_static_space_is_an_image_with_its_files(world):
    image = world.run(world.order({**STATIC, ".dockerignore": "index.html"})).image
    assert (image.sdk, image.environment, image.source) == ("static", "", "")
    assert runs(image.reference, "cat", "/app/index.html") == "<h1>hello</h1>"
    assert runs(image.reference, "stat", "-c", "%u %n", "/app/index.html") == "1000 /app/index.html"
    assert runs(image.reference, "id", "-u") == "1000"
    assert "0.0.0.0" in image.argv
    assert world.builds().exists(image)
    again = world.run(world.order({**STATIC, ".dockerignore": "index.html"})).image
    assert again == image and any("CACHED" in line for line in world.log)


def test_what_nobody_keeps_is_removed_and_what_stays_can_be_built_upon(world):
    old = world.run(world.order({**STATIC, "index.html": f"old {world.owner}"})).image
    new = world.run(world.order({**STATIC, "index.html": f"new {world.owner}"})).image
    builds = world.builds()
    builds.collect([new])
    assert builds.exists(new) and not builds.exists(old)
    assert world.builds(grace=3600).collect([]) == 0 and builds.exists(new)
    builds.collect([])
    assert not builds.exists(new)
    assert builds.exists(world.run(world.order(STATIC)).image)


def test_an_authors_dockerfile(world):
    lines = ("ARG COLOUR=none", "RUN --mount=type=secret,id=TOKEN cp /run/secrets/TOKEN /length && wc -c < /length > /count "
             "&& rm /length && echo $COLOUR > /colour", "COPY . /srv", 'CMD ["true"]')  # fmt: skip
    order = world.order(world.of_docker(*lines), variables={"COLOUR": "blue"}, secrets={"TOKEN": "seven77"})
    image = world.run(order).image
    assert (image.sdk, image.argv, image.port) == ("docker", (), 7860)
    assert runs(image.reference, "cat", "/colour", "/count").split() == ["blue", "7"]
    assert "seven77" not in containers.docker("history", "--no-trunc", image.reference) + "".join(world.log)
    assert any(line.startswith("--> Step 2/") for line in world.log)


@pytest.mark.parametrize(
    ("lines", "code", "where", "words"),
    [
        (("RUN --network=host true", 'CMD ["x"]'), "DOCKERFILE", "Dockerfile:2", "--network=host"),
        (("RUN echo the reason >&2; exit 7", 'CMD ["x"]'), "DOCKER_BUILD", "Dockerfile:2", "exit code 7: the reason"),
        (("COPY nothing.txt /", 'CMD ["x"]'), "DOCKERFILE", "Dockerfile:2", "nothing.txt is not in the repo"),
        (("RUNN true",), "DOCKERFILE", "Dockerfile:2", "RUNN"),
        (("RUN head -c 3000000 /dev/urandom > /big", 'CMD ["x"]'), "IMAGE_SIZE", "Dockerfile",
         "most is of `"),
        (('CMD []', "ENTRYPOINT []"), "DOCKER_CMD", "Dockerfile", "CMD"),
    ],
    ids=["network", "exit", "copy", "syntax", "size", "cmd"],
)  # fmt: skip
def test_an_authors_dockerfile_at_fault(world, lines, code, where, words):
    limit = {"limit": 1 << 20} if code == "IMAGE_SIZE" else {}
    result = world.run(world.order(world.of_docker(*lines)), **limit)
    assert result.image is None
    assert (result.fault.code, result.fault.where, result.fault_kind) == (code, where, FaultKind.BUILD)
    assert words in result.fault.message


def test_the_network_of_a_dockerfile_can_be_taken_away(world):
    look = 'RUN ls /sys/class/net > /nets\nCMD ["x"]'
    image = world.run(world.order(world.of_docker(look)), network="none").image
    assert runs(image.reference, "cat", "/nets").split() == ["lo"]


def test_a_base_image_that_is_not_there_is_ours(world):
    with pytest.raises(Unavailable, match="PODIUM_BASE_IMAGE"):
        world.run(world.order(STATIC), base="localhost:1/podium-no-such-image:1")


def test_cancelling_and_the_time_limit_end_the_build(world):
    order = world.order(world.of_docker("RUN sleep 600", 'CMD ["x"]'))
    began = time.monotonic()
    with pytest.raises(Cancelled):
        world.builds().run(order, lambda line: None, lambda: time.monotonic() > began + 3)
    result = world.run(order, timeout=4.0)
    assert result.fault.code == "BUILD_TIMEOUT"
    assert time.monotonic() - began < 120


def test_packages_are_installed_shared_and_found_again(world):
    files = {
        "README.md": "---\nsdk: streamlit\n---\n", "app.py": "import streamlit\n",
        "requirements.txt": "streamlit==1.67.0\nhumanize==4.12.0\n",
    }  # fmt: skip
    first = world.run(world.order(files))
    assert first.image, (first.fault, world.log)
    code = "import humanize, sys, streamlit; print(humanize.__version__, humanize.__cached__, sys.prefix)"
    version, compiled, prefix = runs(first.image.reference, "python", "-c", code).split()
    assert (version, prefix) == ("4.12.0", "/opt/venv")
    assert runs(first.image.reference, "ls", compiled) == compiled
    assert (first.image.sdk_version, first.image.port) == ("1.67.0", 8501)

    pushed = world.run(world.order({**files, "app.py": "import streamlit as st\n"}, previous=first.previous))
    assert not {"resolve", "install"} & set(pushed.phases)
    other = world.run(world.order({**files, "page.py": ""}, space="space2"))
    assert "install" not in other.phases and other.previous == first.previous

    broken = world.run(world.order({**files, "requirements.txt": "six\ntorhc\n"}))
    assert (broken.fault.code, broken.fault.where) == ("REQ_NOT_FOUND", "requirements.txt:2")
    apt = world.run(world.order({**files, "packages.txt": "ffmpge-is-not-there\n"}))
    assert (apt.fault.code, apt.fault.where) == ("PACKAGE_NOT_FOUND", "packages.txt"), world.log


def test_the_engine_is_asked_before_an_image_counts_as_gone(world, monkeypatch):
    image = world.run(world.order(STATIC)).image
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(Unavailable):
        world.opened[-1].exists(image)
    done = subprocess.run(["docker", "info"], capture_output=True)
    assert done.returncode


@pytest.fixture(scope="module")
def index():
    made = wheels.Index(wheels.GRADIO | {"humanize": "4.12.0"})
    yield made
    made.close()


@pytest.mark.parametrize(
    ("files", "code", "where", "words"),
    [
        ({"requirements.txt": "gradio\nnumpy=>1\n"}, "REQ_SYNTAX", "requirements.txt:2", "did you mean '>='"),
        ({"requirements.txt": "gradio\nhumanise\n"}, "REQ_NOT_FOUND", "requirements.txt:2", "humanise"),
        ({"requirements.txt": "gradio\nhumanize==9\n"}, "REQ_VERSION", "requirements.txt:2", "4.12.0"),
        ({"requirements.txt": "gradio\nhumanize>4\nhumanize<4\n"}, "REQ_CONFLICT", "requirements.txt:2", "humanize"),
        ({"requirements.txt": "-r ../x\n"}, "REQ_PATH", "requirements.txt:1", "outside"),
        ({"requirements.txt": "x @ git+ssh://a@b/c\n"}, "REQ_URL", "requirements.txt:1", "ssh"),
        ({"requirements.txt": "gradio\n", "packages.txt": "ffmpeg\ncurl; rm -rf /\n"}, "PACKAGES", "packages.txt:2", "curl;"),
        ({"pyproject.toml": "[project]\nname='x'\nversion='1'\nrequires-python='>=3.99'\n"}, "PYTHON_VERSION",
         "pyproject.toml", ">=3.99"),
        ({"README.md": "---\nsdk: gradio\npython_version: '3.9'\n---\n"}, "PYTHON_VERSION", "README.md:3", "3.9"),
    ],
    ids=["syntax", "not-found", "version", "conflict", "path", "url", "packages", "requires-python", "python-version"],
)  # fmt: skip
def test_requirements_at_fault(world, index, files, code, where, words):
    """D4 58 to 68, where images are made: the same sentences as for environments."""
    whole = {"README.md": "---\nsdk: gradio\n---\n", "app.py": "import gradio\n", **files}
    result = world.run(world.order(whole), index_url=index.url)
    assert result.image is None and result.fault
    assert (result.fault.code, result.fault.where) == (code, where), result.fault
    assert words in result.fault.message


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("# syntax=evil/frontend\nFROM {base}\n", "DOCKERFILE", 1, "evil/frontend"),
        ("FROM {base}\nRUN --security=insecure true\n", "DOCKERFILE", 2, "--security=insecure"),
        ("FROM {base}\nRUN --device=all true\n", "DOCKERFILE", 2, "--device"),
        ("FROM localhost:1/none:1\n", "DOCKER_BASE", 1, "localhost:1/none:1 cannot be had: its registry does not answer"),
        ("FROM {base}\nCOPY --from=localhost:1/two:1 /a /b\n", "DOCKER_BASE", 2, "localhost:1/two:1"),
        ("FROM Bad/Name:1\n", "DOCKER_BASE", 1, "Bad/Name:1 has a name that no image can have"),
        ("FROM {base}\nRUN exit 137\n", "BUILD_OOM", 0, "memory"),
        ("FROM {base}\nARG TOKEN\nRUN test -n \"$TOKEN\"\n", "DOCKER_BUILD", 3, "exit code 1"),
        ("FROM {base}\nUSER nobody-here\nRUN true\n", "DOCKER_BUILD", 0, "nobody-here"),
        ("FROM {base}\nADD http://127.0.0.1:9/x /x\n", "DOCKER_BUILD", 0, "connection refused"),
    ],
    ids=["syntax", "security", "device", "no-registry", "copy-from", "name", "killed", "secret", "user", "add"],
)  # fmt: skip
def test_dockerfiles_at_fault(world, text, code, line, words):
    """D4 70 to 77: what is refused, what cannot be had, what fails."""
    files = {"README.md": DOCKER, "Dockerfile": text.format(base=containers.base()) + 'CMD ["x"]\n'}
    result = world.run(world.order(files, secrets={"TOKEN": "seven77"}))
    assert result.image is None and result.fault
    where = f"Dockerfile:{line}" if line else "Dockerfile"
    assert (result.fault.code, result.fault.where) == (code, where), result.fault
    assert words in result.fault.message
    if "ARG TOKEN" in text:
        assert "--mount=type=secret,id=TOKEN" in result.fault.hint
