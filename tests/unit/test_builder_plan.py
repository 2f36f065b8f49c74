"""Plans of sample repos, compared whole, and the faults of repos that cannot be planned."""

import pytest

from builder import plan
from builder.config import parse
from builder.errors import Fault, FaultKind
from builder.objects import Entry
from builder.source import Reader, Source

GRADIO_ENV = {
    "GRADIO_SERVER_NAME": "127.0.0.1",
    "GRADIO_SERVER_PORT": "{port}",
    "GRADIO_NUM_PORTS": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_ALLOW_FLAGGING": "never",
    "GRADIO_SSR_MODE": "False",
    "PYTHONUNBUFFERED": "1",
    "TQDM_POSITION": "-1",
    "TQDM_MININTERVAL": "1",
}


class Objects:
    """Blobs from a dict, with the path as their id."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, entry: Entry, limit: int) -> bytes:
        return self.files[entry.oid].encode()[:limit]


def make(files: dict[str, str], **more) -> plan.Plan:
    entries = {path: Entry(path.encode(), "100644", path, len(text)) for path, text in files.items()}
    source = Source(entries, {}, ())
    return plan.make(parse(files.get("README.md", "")), Reader(source, Objects(files)), **more)


def whole(made: plan.Plan) -> dict[str, object]:
    """Everything of a Plan that decides what is built and run."""
    rest = ("sdk", "argv", "env", "port", "ready_path", "packages")
    told = made.dependencies() | {name: getattr(made, name) for name in rest}
    return told | {name: list(told[name]) for name in ("argv", "packages")}


def test_gradio():
    made = make(
        {
            "README.md": "---\nsdk: gradio\nsdk_version: 6.31.0\npython_version: '3.12'\napp_file: ui/main.py\n---\n",
            "ui/main.py": "import spaces\nimport gradio as gr\n",
            "requirements.txt": "--extra-index-url https://example.org/simple\npandas # table\n",
            "packages.txt": "ffmpeg\n",
        }
    )
    assert whole(made) == {
        "schema": 1,
        "sdk": "gradio",
        "python": "3.12",
        "requirements": ["gradio[mcp,oauth]==6.31.0", "uvicorn>=0.14.0", "websockets>=10.4", "spaces", "pandas"],
        "constraints": [],
        "indexes": ["--extra-index-url https://example.org/simple"],
        "prerelease": False,
        "own_code": True,
        "packages": ["ffmpeg"],
        "argv": ["python", "ui/main.py"],
        "env": {**GRADIO_ENV, "PYTHONPATH": "."},
        "port": 7860,
        "ready_path": "/",
    }
    assert [line.where for line in made.lines] == ["README.md:3", *["ui/main.py"] * 3, "requirements.txt:2"]


def test_streamlit():
    made = make({"README.md": "---\nsdk: streamlit\nsdk_version: 1.67.0\n---\n", "app.py": "import streamlit\n"})
    assert whole(made) == {
        "schema": 1,
        "sdk": "streamlit",
        "python": "",
        "requirements": ["streamlit==1.67.0"],
        "constraints": [],
        "indexes": [],
        "prerelease": False,
        "own_code": False,
        "packages": [],
        "argv": ["python", "-m", "streamlit", "run", "app.py", "--server.port={port}", "--server.address=127.0.0.1",
                 "--server.headless=true", "--server.enableXsrfProtection=false", "--server.enableCORS=false",
                 "--server.fileWatcherType=none", "--browser.gatherUsageStats=false"],
        "env": {"PYTHONUNBUFFERED": "1"},
        "port": 8501,
        "ready_path": "/_stcore/health",
    }  # fmt: skip
    assert made.warnings == ()


def test_static():
    made = make({"README.md": "---\nsdk: static\n---\n", "index.html": "", "requirements.txt": "==broken"})
    assert whole(made) == {
        "schema": 1,
        "sdk": "static",
        "python": "",
        "requirements": [],
        "constraints": [],
        "indexes": [],
        "prerelease": False,
        "own_code": False,
        "packages": [],
        "argv": ["{python}", "{static_server}", "--host", "127.0.0.1", "--port", "{port}", "--root", "."],
        "env": {},
        "port": 7860,
        "ready_path": "/",
    }
    other = make({"README.md": "---\nsdk: static\napp_file: dist/page.html\n---\n", "dist/page.html": ""})
    assert other.argv[-2:] == ("--index", "dist/page.html")


@pytest.mark.parametrize(
    ("files", "sdk"),
    [
        ({"app.py": "import gradio as gr"}, "gradio"),
        ({"app.py": "from helpers import ui", "requirements.txt": "gradio>=5"}, "gradio"),
        ({"app.py": "import os, streamlit as st"}, "streamlit"),
        ({"app.py": "import streamlit", "requirements.txt": "gradio"}, "streamlit"),
        ({"index.html": ""}, "static"),
    ],
)
def test_recognised_by_files(files, sdk):
    made = make(files)
    assert made.sdk == sdk and any(f"`sdk: {sdk}`" in warning for warning in made.warnings)


def test_equal_inputs_give_equal_plans_and_dependencies_decide_the_environment():
    files = {"README.md": "---\nsdk: gradio\nsdk_version: 6.31.0\n---\n", "app.py": "import gradio"}
    assert whole(make(files)) == whole(make(files))
    assert make({**files, "app.py": "import gradio # changed"}).dependencies() == make(files).dependencies()
    assert make({**files, "requirements.txt": "six"}).dependencies() != make(files).dependencies()


def test_old_gradio_and_missing_versions_warn():
    old = make({"README.md": "---\nsdk: gradio\nsdk_version: 5.9.1\n---\n", "app.py": ""})
    assert any("security holes" in warning and "README.md:3" in warning for warning in old.warnings)
    free = make({"README.md": "---\nsdk: gradio\n---\n", "app.py": ""})
    assert any("sdk_version" in warning for warning in free.warnings)
    assert free.lines[0].text == "gradio[mcp,oauth]"


def readme(body: str) -> dict[str, str]:
    return {"README.md": f"---\n{body}\n---\n"}


BAD = [
    ({**readme("sdk: gradio"), "main.py": ""}, "APP_FILE", "no_app_file", "did you mean 'main.py'?"),
    ({**readme("sdk: gradio\napp_file: ap.py"), "app.py": ""}, "APP_FILE", "no_app_file", "did you mean 'app.py'?"),
    ({**readme("sdk: gradio\napp_file: a.py"), "a.py/b.py": ""}, "APP_FILE", "no_app_file", "is a folder"),
    ({**readme("sdk: static")}, "APP_FILE", "no_app_file", "there is no 'index.html'"),
    ({**readme("sdk: docker"), "Dockerfile": ""}, "SDK", "config", "Docker or Kubernetes runtime"),
    ({"Dockerfile": ""}, "SDK", "config", "Docker or Kubernetes runtime"),
    ({**readme("sdk: static\napp_build_command: npm run x"), "index.html": ""}, "APP_BUILD_COMMAND", "config", "not run"),
    ({"README.md": "# nothing", "notes.txt": ""}, "NO_APP_FILE", "no_app_file", "nothing to run"),
    ({}, "NO_APP_FILE", "no_app_file", "nothing to run"),
    (
        {**readme("sdk: gradio"), "app.py": "version https://git-lfs.github.com/spec/v1\n"},
        "LFS_POINTER", "build", "Git LFS pointer",
    ),
    ({**readme("sdk: gradio"), "app.py": "", "requirements.txt/x": ""}, "FILE_KIND", "build", "folder"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "code", "kind", "part"), BAD)
def test_what_cannot_be_planned(files, code, kind, part):
    with pytest.raises(Fault) as caught:
        make(files)
    assert (caught.value.code, caught.value.kind) == (code, FaultKind(kind))
    assert part in caught.value.message


def test_docker_with_the_capability():
    made = make({**readme("sdk: docker\napp_port: 9000"), "Dockerfile": ""}, docker_allowed=True)
    assert (made.port, made.installs) == (9000, False)
