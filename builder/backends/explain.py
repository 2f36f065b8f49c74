"""What uv said, as one sentence for the author. Pure: text in, Fault or TransientError out."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from builder.errors import Fault, TransientError
from builder.requirements import Line
from builder.text import shown

#: What people misspell. Only used to guess; nothing is looked up.
_POPULAR = """accelerate aiohttp altair bitsandbytes beautifulsoup4 bokeh catboost click datasets diffusers duckdb einops
faiss-cpu fastapi ffmpeg-python flask folium ftfy geopandas gradio gradio-client httpx huggingface-hub imageio jax joblib keras
langchain librosa lightgbm lxml matplotlib moviepy networkx nltk numba numpy onnx onnxruntime openai opencv-python
opencv-python-headless openpyxl pandas peft pillow plotly polars protobuf psutil pyarrow pydantic pydub pypdf pyyaml
python-dotenv pytorch-lightning requests rich safetensors scikit-image scikit-learn scipy seaborn sentence-transformers
sentencepiece shap soundfile spaces spacy sqlalchemy statsmodels streamlit sympy tensorflow tiktoken timm tokenizers torch
torchaudio torchvision tqdm transformers trimesh ultralytics umap-learn uvicorn wikipedia xgboost yfinance"""
#: Import names that are not the name on the index.
_MEANT = {"sklearn": "scikit-learn", "cv2": "opencv-python-headless", "pil": "pillow", "bs4": "beautifulsoup4",
          "skimage": "scikit-image", "yaml": "pyyaml", "dotenv": "python-dotenv", "pytorch": "torch"}  # fmt: skip

_OURS = re.compile(
    r"error sending request|failed to fetch|connection (?:refused|reset|closed)|timed? ?out|dns error|"
    r"HTTP status (?:server error|client error \((?:401|403|407|429))|certificate|tls handshake|No space left|"
    r"Too many open files|Permission denied \(os error 13\)|Failed to (?:lock|acquire|initialize cache)|network",
    re.IGNORECASE,
)
NO_WHEEL = re.compile(
    r"no usable wheels|building from source is disabled|no wheels? with a matching|has no wheels", re.I
)
_NAME = r"([A-Za-z0-9][\w.-]*)"


def explain(output: str, lines: Sequence[Line], python: str) -> Fault | TransientError:
    """The cause of a failed uv. `lines`: what was asked for, to name the file and line; `python`: version in use."""
    text = _joined(output)
    for cause in (_not_found, _version, _python, _build, _conflict):
        fault = cause(text, lines, python)
        if fault:
            return fault
    if _OURS.search(text):
        return TransientError(f"the package index cannot be used: {_first(text)}")
    return Fault("REQ_FAILED", f"the packages cannot be installed: {_first(text)}", *_place(_any(lines)))


def limit(reason: str, step: str, seconds: float, memory: int) -> Fault:
    """The fault of a step that was ended: `reason` timeout or memory."""
    if reason == "timeout":
        return Fault("BUILD_TIMEOUT", f"the build took longer than {seconds / 60:.0f} min, while {step}")
    return Fault("BUILD_OOM", f"the build needed more than {memory / 1024**3:.0f} GiB of memory, while {step}")


def _not_found(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(
        rf"(?:Because )?{_NAME} was not found in the (?:package registry|provided package locations)", text
    )
    match = match or re.search(rf"(?:package|distribution) `?{_NAME}`? (?:was )?not found", text, re.I)
    if not match:
        return None
    name = _normal(match[1])
    near = _MEANT.get(name) or next(iter(get_close_matches(name, _POPULAR.split(), 1, 0.75)), "")
    mean = f" (did you mean {near}?)" if near and near != name else ""
    line = _line(name, lines)
    message = f"{shown(name)} isn't on the index{mean}"
    if line is None:
        message = f"{message}; another package needs it"
    return Fault("REQ_NOT_FOUND", message, *_place(line or _any(lines)))


def _version(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(rf"there (?:is|are) no versions? of {_NAME}(?:\[[^\]]*\])?\s*([=<>!~][^\s]*)?", text)
    if not match:
        return None
    name = _normal(match[1])
    line = _line(name, lines)
    asked = shown((line.text if line else f"{name}{match[2] or ''}").partition(" --hash")[0])
    known = re.findall(rf"(?:^|\s){re.escape(name)}(?:==|<=|<|>=?)([0-9][\w.]*)", text)
    newest = ""
    if "only" in text[match.start() :] and (only := re.search(rf"only .*?{re.escape(name)}\S*?<=?([\d.]+)", text)):
        newest = f"; newest is {only[1]}"
    elif len(known) > 1:
        newest = f"; uv names {', '.join(dict.fromkeys(known))}"
    return Fault("REQ_VERSION", f"no release fits {asked!r}{newest}", *_place(line or _any(lines)))


def _python(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(
        rf"{_NAME}(?:\[[^\]]*\])?(?:[=<>!~]=?[^\s]*)? depends on Python\s*([=<>!~][^\s]*(?:,\s?[=<>!~][^\s]*)*)", text
    )
    if not match:
        return None
    name, needs = _normal(match[1]), match[2].rstrip(",.")
    lowest = re.search(r">=?\s*(3\.\d+)", needs)
    advice = f"set python_version: '{lowest[1]}'" if lowest else "ask for another version of it"
    message = f"{name} needs Python {needs}, this Space has {python}: {advice}"
    return Fault("REQ_PYTHON", message, *_place(_line(name, lines) or _any(lines)))


def _build(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(rf"Failed to (?:build|download and build|prepare)\s+`?{_NAME}", text, re.I)
    if not match or "build" not in text:
        return None
    name = _normal(re.split(r"==|@", match[1])[0])
    causes = (
        (
            r"fatal error: (\S+): No such file",
            "the header {} is missing; name the Debian package that has it in packages.txt",
        ),
        (
            r"command '?([\w+-]*(?:gcc|cc|g\+\+|clang)[\w+-]*)'? (?:failed: No such|not found)",
            "the compiler {} is missing",
        ),
        (r"([Mm]icrosoft Visual|cmake)(?:.*)(?:not found|is required)", "{} is missing"),
        (r"ModuleNotFoundError: No module named '([\w.]+)'", "its build needs {}, which it does not declare"),
        (r"(\w*Error: [^\n]{3,160})", "{}"),
    )
    for pattern, sentence in causes:
        if found := re.search(pattern, text):
            why = sentence.format(shown(found[1]))
            break
    else:
        why = "its build failed, see the log"
    message = f"{name} has no ready wheel for Python {python} and cannot be built: {why}"
    return Fault("REQ_BUILD", message, *_place(_line(name, lines) or _any(lines)))


def _conflict(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    if "No solution found" not in text and "unsatisfiable" not in text and "conflict" not in text.lower():
        return None
    named = [line for line in lines if line.name and re.search(rf"\b{re.escape(line.name)}\b", text)]
    because = re.search(r"Because (.{3,600}?)(?:, we can conclude| And because|$)", text)
    why = shown(because[1], 400) if because else _first(text)
    message = f"these cannot be installed together: {why}"
    if len(named) > 1:
        places = ", ".join(f"{line.text.partition(' --hash')[0]} ({line.where})" for line in named[:4])
        message = f"these cannot be installed together: {shown(places, 300)}; {why}"
    return Fault("REQ_CONFLICT", message, *_place(_authors(named) or _any(lines)))


def _joined(output: str) -> str:
    """uv wraps and indents its trees; one line reads better."""
    text = re.sub(r"[│╰╯├─▶×]", " ", output)
    kept = [line for line in text.splitlines() if not re.match(r"\s*(hint|help):", line)]
    return re.sub(r"\s+", " ", "\n".join(kept)).strip() if len(text) < 20000 else re.sub(r"[ \t]+", " ", text)


def _first(text: str) -> str:
    part = re.split(r"(?<=[.:]) ", re.sub(r"^.*?error:\s*", "", text, count=1, flags=re.S | re.I))
    return shown(" ".join(part[:2]).strip() or "uv gave no reason", 300)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower().strip("-")


def _line(name: str, lines: Sequence[Line]) -> Line | None:
    """The author's line for a package rather than ours."""
    return _authors([line for line in lines if line.name == name])


def _authors(lines: Sequence[Line]) -> Line | None:
    return next((line for line in lines if line.file != "README.md" and line.line), next(iter(lines), None))


def _any(lines: Sequence[Line]) -> Line | None:
    """The file that most likely holds the cause, without a line."""
    files = {line.file for line in lines if line.file != "README.md"}
    return Line("", files.pop(), 0) if len(files) == 1 else None


def _place(line: Line | None) -> tuple[str, int]:
    return (line.file, line.line) if line else ("", 0)
