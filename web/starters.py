"""What a Space may begin with: small apps that run as they are. Their files are in `starters/<name>`."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.ports import Change

_FOLDER = Path(__file__).parent / "starters"


@dataclass(frozen=True, slots=True)
class Starter:
    """`name` is its folder, "" for one without an app."""

    name: str
    sdk: str
    title: str
    about: str
    mark: str
    colors: str

    def files(self) -> list[Change]:
        top = _FOLDER / self.name
        found = sorted(path for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return [Change(path.relative_to(top).as_posix(), path.read_bytes()) for path in found] if self.name else []


STARTERS = (
    Starter("gradio", "gradio", "Gradio", "Inputs, a function of yours, outputs", "🧩", "from-yellow to-red"),
    Starter(
        "chat", "gradio", "Chat", "Gradio before a model server: vLLM, llama.cpp, Ollama", "💬", "from-blue to-indigo"
    ),
    Starter(
        "streamlit",
        "streamlit",
        "Streamlit",
        "A script that is a page, with charts and sliders",
        "📊",
        "from-red to-pink",
    ),
    Starter("static", "static", "Static", "HTML, CSS and JavaScript, served as they are", "🌐", "from-green to-blue"),
    Starter("docker", "docker", "Docker", "Any language: your Dockerfile, port 7860", "🐳", "from-indigo to-blue"),
)


def starter(name: str) -> Starter | None:
    return next((one for one in STARTERS if one.name == name), None)
