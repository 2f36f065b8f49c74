"""What uv said, as one sentence for the author. Pure: text in, Fault or TransientError out."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from builder.errors import Fault, TransientError
from builder.requirements import Line, normal
from builder.text import masked, shown

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
    r"Too many open files|not found in the cache|Permission denied \(os error 13\)|Failed to (?:lock|acquire|initialize cache)|"
    r"network",
    re.IGNORECASE,
)
NO_WHEEL = re.compile(
    r"no usable wheels|building from source is disabled|no wheels? with a matching|has no wheels", re.I
)
_NAME = r"([A-Za-z0-9][\w.-]*)"


def explain(output: str, lines: Sequence[Line], python: str) -> Fault | TransientError:
    """The cause of a failed uv. `lines`: what was asked for, to name the file and line; `python`: version in use."""
    text = _joined(output)
    for cause in (_fetch, _not_found, _python, _platform, _version, _build, _hash, _conflict):
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


def _fetch(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    """An address that the author wrote and that does not answer."""
    for line in lines:
        url = re.search(r"https?://[^\s#@]+", line.text)
        if url and re.search(r"Git operation failed|Failed to (?:download|fetch)|HTTP status", text) and url[0] in text:
            return Fault("REQ_FETCH", f"{shown(masked(url[0]))} cannot be fetched: {_last(text)}", *_place(line))
    return None


def _not_found(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(rf"{_NAME} was not found in the (?:package registry|provided package locations)", text)
    if not match:
        return None
    name = normal(match[1])
    near = _MEANT.get(name) or next(iter(get_close_matches(name, _POPULAR.split(), 1, 0.75)), "")
    mean = f" (did you mean {near}?)" if near and near != name else ""
    line = _line(name, lines)
    message = f"{shown(name)} isn't on the index{mean}"
    if line is None:
        message = f"{message}; another package needs it"
    return Fault("REQ_NOT_FOUND", message, *_place(line or _any(lines)), subject=name)


def _python(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(
        rf"{_NAME}(?:\[[^\]]*\])?(?:[=<>!~]=?\S*)? depends on Python\s*([=<>!~]\S*(?:,\s?[=<>!~]\S*)*)", text
    )
    if not match:
        return None
    name, needs = normal(match[1]), match[2].rstrip(",.")
    lowest = re.search(r">=?\s*(3\.\d+)", needs)
    advice = f"set python_version: '{lowest[1]}'" if lowest else "ask for another version of it"
    message = f"{name} needs Python {needs}, this Space has {python}: {advice}"
    return Fault("REQ_PYTHON", message, *_place(_line(name, lines) or _any(lines)), subject=name)


def _platform(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(
        rf"{_NAME}\S* has no wheels? with a matching (platform|Python ABI|Python implementation) tag", text
    )
    if not match:
        return None
    name = normal(match[1].partition("==")[0])
    what = "this machine" if match[2] == "platform" else f"Python {python}"
    line = _line(name, lines)
    marker = " ; add a marker such as ; sys_platform == 'win32' or remove it" if match[2] == "platform" else ""
    message = f"{name} has no release for {what}{marker.replace(' ; ', ': ', 1)}"
    return Fault("REQ_PLATFORM", message, *_place(line or _any(lines)), subject=name)


def _version(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(rf"there (?:is|are) no versions? of {_NAME}(?:\[[^\]]*\])?\s*(?:[=<>!~]\S*)?", text)
    match = match or re.search(rf"Because only {_NAME}(?:\[[^\]]*\])?[=<>!~]\S* is available and you require", text)
    if not match:
        return None
    name = normal(re.split(r"[=<>!~\[]", match[1])[0])
    line = _line(name, lines)
    asked = line.text.partition(" --hash")[0] if line else name
    return Fault(
        "REQ_VERSION", f"there is no release {shown(asked)!r} on the index", *_place(line or _any(lines)), subject=name
    )


def _build(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(rf"Failed to (?:build|download and build|prepare)\s+`?{_NAME}", text)
    if not match:
        return None
    name = normal(match[1].partition("==")[0])
    causes = (
        (r"fatal error: (\S+): No such file", "the header {} is missing; name the Debian package that has it in packages.txt"),
        (r"(?:command|unable to execute) '?([\w+-]*(?:gcc|cc|g\+\+|clang)[\w+-]*)'?[^\n]{0,20}(?:No such|not found)",
         "the compiler {} is missing; name build-essential in packages.txt"),
        (r"Did you mean to install `([\w.-]+)` instead", "write {} instead"),
        (r"No module named '([\w.]+)'", "its build needs {}, which it does not declare"),
        (r"(pkg-config) (?:name|not found|is required)", "a C library that {} looks for is missing; see the log for its name"),
        (r"((?:[A-Z]\w*Error|Exception): [^\n]{3,160})", "{}"),
    )  # fmt: skip
    found = ((re.search(pattern, text), sentence) for pattern, sentence in causes)
    why = next((sentence.format(shown(hit[1])) for hit, sentence in found if hit), "its build failed, see the log")
    message = f"{name} has no ready wheel for Python {python} and cannot be built: {why}"
    return Fault("REQ_BUILD", message, *_place(_line(name, lines) or _any(lines)), subject=name)


def _hash(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    match = re.search(rf"Hash mismatch for `{_NAME}==", text)
    if not match:
        return None
    name = normal(match[1])
    message = f"the file of {name} on the index is not the one that --hash names; remove the hash or correct it"
    return Fault("REQ_HASH", message, *_place(_line(name, lines) or _any(lines)), subject=name)


def _conflict(text: str, lines: Sequence[Line], python: str) -> Fault | None:
    if "No solution found" not in text or "not found in the cache" in text:
        return None
    named = [line for line in lines if line.name and re.search(rf"(?<![\w.-]){re.escape(line.name)}(?![\w-])", text)]
    because = re.search(r"cause: (?:Because )?(.{3,600}?)(?:, we can conclude| And because|\.? *$)", text)
    why = shown(because[1] if because else _first(text), 400)
    message = f"these cannot be installed together: {why}"
    if named:
        places = ", ".join(f"{line.text.partition(' --hash')[0]} ({line.where})" for line in named[:4])
        message = f"these cannot be installed together: {shown(places, 300)}; {why}"
    return Fault("REQ_CONFLICT", message, *_place(_authors(named) or _any(lines)))


def _joined(output: str) -> str:
    """One line reads better than wrapped and indented trees; what the build of a package wrote keeps its lines."""
    if "[stderr]" in output or "--- stderr" in output:
        return re.sub(r"[ \t]+", " ", output)
    kept = [line for line in output.splitlines() if not line.startswith("hint:")]
    return re.sub(r"\s+", " ", "\n".join(kept)).strip()


def _first(text: str) -> str:
    part = re.split(r"\s+(?=cause:)", re.sub(r"^.*?error:\s*", "", text, count=1, flags=re.S))
    return shown(masked(" ".join(part[:3]).strip()) or "uv gave no reason", 300)


def _last(text: str) -> str:
    fatal = re.search(r"(?:fatal|remote): ([^\n]{3,200})", text)
    return shown(masked(fatal[1] if fatal else re.split(r"cause: ", text)[-1].strip()), 200)


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
