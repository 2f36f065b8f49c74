"""Dockerfiles compared whole, and what an author's own may not say."""

import pytest

from builder import dockerfile, foreign
from builder.errors import Fault

LABELS = {"podium.kind": "deps", "podium.data": "abc"}

DEPENDENCIES = """\
FROM podium-runtime:1
USER 0:0
RUN --mount=type=cache,id=word-apt,target=/var/cache/apt,sharing=locked \\
    --mount=type=cache,id=word-lists,target=/var/lib/apt/lists,sharing=locked \\
    set -e; apt-get -q update; \\
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends -- ffmpeg libgl1
RUN --mount=type=bind,target=/opt/podium/build \\
    --mount=type=cache,id=word-uv,target=/root/.cache/uv \\
    --mount=type=secret,id=index \\
    set -e; . /run/secrets/index; \\
    /opt/podium/build/uv venv -q --no-config --no-project --python /opt/podium/python /opt/venv; \\
    /opt/podium/build/uv pip install --no-config --no-deps --compile-bytecode --link-mode copy --python /opt/venv/bin/python \
--require-hashes --only-binary :all: -r /opt/podium/build/lock.txt
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 1000:1000
LABEL podium.data="abc" podium.kind="deps"
"""


def test_dependencies_with_packages():
    text = dockerfile.dependencies("podium-runtime:1", ("ffmpeg", "libgl1", "ffmpeg"), True, False, "word", LABELS)
    assert text == DEPENDENCIES


def test_code_of_the_authors_is_built_without_hashes():
    text = dockerfile.dependencies("podium-runtime:1", (), True, True, "word", LABELS)
    whole = DEPENDENCIES.replace(" --require-hashes --only-binary :all:", "")
    start, end = whole.index("RUN"), whole.index("RUN --mount=type=bind")
    assert text == whole[:start] + whole[end:]


def test_nothing_to_install():
    text = dockerfile.dependencies("podium-runtime:1", (), False, False, "word", LABELS)
    assert text == 'FROM podium-runtime:1\nUSER 0:0\nUSER 1000:1000\nLABEL podium.data="abc" podium.kind="deps"\n'


@pytest.mark.parametrize(("linked", "link"), [(False, ""), (True, "--link ")])
def test_an_app(linked, link):
    text = dockerfile.app("podium-deps:2", linked, {"podium.kind": "app"})
    assert text == f'FROM podium-deps:2\nCOPY {link}--chown=1000:1000 app/ /app/\nLABEL podium.kind="app"\n'


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("# syntax=evil/frontend:1\nFROM a\n", 1, "syntax=evil/frontend:1"),
        ("# escape=`\n#syntax = x\nFROM a\n", 2, "syntax=x"),
        ("FROM a\nRUN --security=insecure mount\n", 2, "--security=insecure"),
        ("FROM a\n\n# a comment\nRUN --mount=type=cache,target=/x \\\n  # more\n  --network=host \\\n  true\n", 4, "--network"),
        ("FROM a\nrun --device=nvidia.com/gpu=all true\n", 2, "--device"),
        ("FROM a\nONBUILD RUN --network=host true\n", 2, "--network=host"),
        ("FROM a\nRUN --mount=type=cache,id=podium-0-uv,target=/x true\n", 2, "podium-"),
        ("FROM a\nCOPY --from=podium-app:0 /app /app\n", 2, "podium-"),
        ("FROM a\nRUN --mount=type=bind,from=podium-deps:1,target=/x cp -r /x /y\n", 2, "podium-"),
        ("FROM podium-app:0\n", 1, "podium-"),
        ("FROM a\nRUN --network='host' true\n", 2, "--network"),
        ("FROM a\nRUN\t--security=insecure true\n", 2, "--security"),
        ("FROM a\nRUN --net\\\nwork=host true\n", 2, "--network=host"),
        ("FROM a\nRUN --n\\etwork=host true\n", 2, "--network=host"),
        ('FROM a\nRUN --"network"=host true\n', 2, "--network=host"),
        ('FROM a\nRUN --mount="type=bind, from=podium-deps:1,target=/x" true\n', 2, "podium-"),
        ("FROM a\nRUN echo a\\\\\nRUN --security=insecure true\n", 3, "--security"),
        ('FROM a\nRUN echo "<<EOF"\nRUN --security=insecure true\n', 3, "--security"),
        ('FROM a\nRUN cat <<"E F"\nRUN <<CMD\nE F\nRUN --security=insecure true\nCMD\n', 5, "--security"),
        ("FROM a\nRUN <<EOF\n\tEOF\nRUN <<CMD\nEOF\nRUN --security=insecure true\nCMD\n", 6, "--security"),
        ("FROM a\nRUN <<EOF\n x\u2028EOF\u2028RUN <<CMD\nEOF\nRUN --security=insecure true\nCMD\n", 5, "--security"),
        ("# x1=y\n# syntax=evil/frontend\nFROM a\n", 2, "syntax=evil"),
        ("#!/usr/bin/x\n# syntax=evil/frontend\nFROM a\n", 2, "syntax=evil"),
        ("//syntax=evil/frontend\nFROM a\n", 1, "syntax=evil"),
        ('{"syntax": "evil/frontend"}\nFROM a\n', 1, "begins with {"),
        ("#!/x\n# escape=`\nFROM a\nRUN echo \\\nRUN --security=insecure true\n", 5, "--security"),
        ("# nothing\n", 0, "no FROM"),
        ("", 0, "no FROM"),
    ],
)  # fmt: skip
def test_what_leaves_the_confinement_is_refused_with_its_line(text, line, what):
    with pytest.raises(Fault) as caught:
        foreign.check(text.encode())
    assert (caught.value.code, caught.value.file, caught.value.line) == ("DOCKERFILE", "Dockerfile", line)
    assert what in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "ARG V=1\nFROM a:${V} AS one\nRUN --network=none --security=sandbox true\n",
        'FROM a\nCMD ["serve", "--device=cuda", "--network=host"]\n',
        "FROM a\nRUN <<EOF\npip install x --network=host\nRUN --security=insecure\nEOF\nRUN true\n",
        "FROM a\nRUN echo one && \\\n    serve --security=insecure\n",
        "FROM a\n# a comment\n# syntax=docker/dockerfile:1\nRUN true\n",
        "\ufeffFROM a\r\nRUN true\r\n",
        "FROM a\nRUN cat <<-'END' > /x\nRUN --security=insecure\n\tEND\nRUN true\n",
        "FROM a\nRUN echo $((1<<3)) \"<<\"\nRUN <<'EOF'\npip install x --network=host\nEOF\n",
        "# escape=`\nFROM a\nRUN echo a `\n  --network=host\n",
    ],
)
def test_what_is_harmless_is_let_through(text):
    foreign.check(text.encode())


def test_a_dockerfile_has_a_size_limit():
    with pytest.raises(Fault, match="at most"):
        foreign.check(b"FROM a\n" + b"#" * foreign.SIZE_LIMIT)
