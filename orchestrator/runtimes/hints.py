"""Why an app stopped or does not answer, as one sentence for its author. Pure: from the launcher's status to a Fault.

Codes: APP_EXITED, APP_OOM, APP_PROCESSES, APP_PORT, APP_TIMEOUT, APP_NOT_READY, APP_LOST."""

import re
import signal
from collections.abc import Callable, Mapping, Sequence

from orchestrator.domain.seen import Fault

#: Import names whose package is called otherwise.
PACKAGES = {
    "PIL": "pillow", "cv2": "opencv-python-headless", "sklearn": "scikit-learn", "skimage": "scikit-image",
    "yaml": "pyyaml", "bs4": "beautifulsoup4", "dotenv": "python-dotenv", "fitz": "pymupdf", "docx": "python-docx",
    "pptx": "python-pptx", "dateutil": "python-dateutil", "Crypto": "pycryptodome", "serial": "pyserial",
    "google.generativeai": "google-generativeai", "googleapiclient": "google-api-python-client", "git": "gitpython",
    "jwt": "pyjwt", "magic": "python-magic", "OpenSSL": "pyopenssl", "faiss": "faiss-cpu", "whisper": "openai-whisper",
    "sentence_transformers": "sentence-transformers", "huggingface_hub": "huggingface-hub", "attr": "attrs",
    "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient", "usb": "pyusb", "wx": "wxpython", "gi": "pygobject",
    "llama_cpp": "llama-cpp-python", "pkg_resources": "setuptools", "speech_recognition": "SpeechRecognition",
    "youtube_transcript_api": "youtube-transcript-api", "langchain_community": "langchain-community", "ffmpeg": "ffmpeg-python",
}  # fmt: skip

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+)')
_LAST = re.compile(
    r"^(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning|Fault|NotFound|Refused)\w*)(?:: ?(.*))?$"
)


def exited(status: Mapping, app: str = "/app") -> Fault:
    """The fault of an app that has ended. `app`: the directory it saw as its own, for file names."""
    lines = [_COLOUR.sub("", str(line)).rstrip() for line in status.get("tail") or ()]
    reason = str(status.get("reason") or "")
    if status.get("oom"):
        return Fault(
            "APP_OOM", f"the app was {reason or 'killed for memory'}", hint="load less, or load it in smaller numbers"
        )
    if reason.startswith("killed for processes"):
        return Fault("APP_PROCESSES", f"the app was {reason}", hint="start fewer workers or threads")
    if reason:
        return Fault("APP_EXITED", reason)
    known = explain(lines, app)
    if known:
        return known
    if number := status.get("signal"):
        return Fault("APP_EXITED", f"the app was ended by {_signal_name(int(number))}", hint=_signal_hint(int(number)))
    code = status.get("exit_code")
    if code == 0:
        return Fault(
            "APP_EXITED",
            "the app ended by itself with exit code 0",
            hint="does it start its server, as in `demo.launch()`? It must keep running",
        )
    last = next((line for line in reversed(lines) if line.strip() and not line.startswith("[podium]")), "")
    return Fault("APP_EXITED", f"the app exited with code {code}" + (f": {last.strip()[:300]}" if last else ""))


def starting(status: Mapping, contract_port: int) -> Fault | None:
    """What keeps a starting app from being ready, if that is known by now."""
    port = status.get("port", contract_port)
    elsewhere = [str(name) for name in status.get("listening_elsewhere") or ()]
    advice = "leave address and port to the platform: call `demo.launch()` without server_name and server_port"
    if elsewhere:
        ports = sorted({name.rpartition(":")[2] for name in elsewhere}, key=int)
        if str(port) in ports or str(contract_port) in ports:
            return Fault("APP_PORT", f"the app listens on {', '.join(elsewhere)} only, expected 0.0.0.0", hint=advice)
        word = "port" if len(ports) == 1 else "ports"
        return Fault("APP_PORT", f"the app listens on {word} {', '.join(ports)}, expected {contract_port}", hint=advice)
    if reason := status.get("reason"):
        return Fault("APP_NOT_READY", str(reason))
    return None


def too_late(seconds: float, contract_port: int) -> Fault:
    """The fault of an app that never answered."""
    return Fault(
        "APP_TIMEOUT",
        f"the app did not answer on port {contract_port} within {seconds:g} seconds",
        hint="raise startup_duration_timeout in README.md if it needs longer to load",
    )


LOST = Fault("APP_LOST", "the app was ended from outside together with its launcher; it will be started again")


def explain(lines: Sequence[str], app: str = "/app") -> Fault | None:
    """The fault that the last lines of a log tell of, if they end in an exception that we know how to name."""
    for at in range(len(lines) - 1, -1, -1):
        found = _LAST.match(lines[at])
        if found and found[1] not in ("SystemExit", "KeyboardInterrupt"):
            name, message = found[1], (found[2] or "").strip()
            where = _where(lines[:at], app)
            for pattern, words in _KNOWN:
                if hit := re.search(pattern, f"{name}: {message}"):
                    sentence, hint = words(hit)
                    return Fault("APP_EXITED", sentence, where, hint)
            return Fault("APP_EXITED", f"{name}: {message}"[:400] if message else name, where)
    for line in reversed(lines):
        if hit := re.search(r"(error while loading shared libraries|cannot open shared object file)", line):
            return Fault(
                "APP_EXITED", line.strip()[:300], hint="add the Debian package of that library to packages.txt"
            )
    for pattern, sentence, hint in _COMMANDS:
        if hit := next(
            filter(None, (re.search(pattern, line.removeprefix("[podium] ")) for line in reversed(lines[-5:]))), None
        ):
            return Fault("APP_EXITED", sentence.format(*hit.groups())[:400], hint=hint)
    return None


#: What an image's own command that cannot be run leaves as its last words; the first group is shown.
_COMMANDS = (
    (r"exec:? \"?([^\s\"]+)\"?:? (?:failed: No such file|.*(?:no such file|executable file not found))",
     "the command {0!r} cannot be run: it is not there",
     "it, or the program that its first line names, is not in the image; look at CMD and ENTRYPOINT"),
    (r"exec:? \"?([^\s\"]+)\"?:? (?:failed: Permission denied|permission denied)",
     "the command {0!r} cannot be run: permission denied", "make it executable for user 1000, as with chmod +x"),
    (r"exec:? \"?([^\s\"]+)\"?:? .*[Ee]xec format error",
     "the command {0!r} is no program for this processor", "a script needs a first line such as #!/bin/sh"),
    (r"^(.*: Permission denied)$", "{0}",
     "the app runs as user 1000; give it what it writes to with COPY --chown=1000:1000, or use /data or /tmp"),
)  # fmt: skip


def _where(lines: Sequence[str], app: str) -> str:
    """The innermost frame in the author's own files, as file:line."""
    for line in reversed(lines):
        if (frame := _FRAME.match(line)) and "site-packages" not in frame[1]:
            for root in (f"{app}/", "/home/user/app/", "/app/"):
                if frame[1].startswith(root):
                    return f"{frame[1].removeprefix(root)}:{frame[2]}"
    return ""


def _no_module(hit: re.Match) -> tuple[str, str]:
    module = hit[1]
    package = PACKAGES.get(module) or PACKAGES.get(module.split(".")[0]) or module.split(".")[0].replace("_", "-")
    return f"the Python module {module!r} is not installed", f"add `{package}` to requirements.txt"


def _no_library(hit: re.Match) -> tuple[str, str]:
    packages = {"libGL.so.1": "libgl1", "libgthread-2.0.so.0": "libglib2.0-0", "libsndfile.so": "libsndfile1"}
    package = packages.get(hit[1], "the Debian package of that library")
    return f"the system library {hit[1]} is missing", f"add {package} to packages.txt"


_OWN_PORT = "call `demo.launch()` without server_port: the platform gives each app its own"
_PLACES = "write to /data (kept), to the home directory or next to your code"


def _fixed(sentence: str, hint: str = "") -> Callable[[re.Match], tuple[str, str]]:
    """A sentence in which {0} stands for what the pattern caught."""
    return lambda hit: (sentence.format(*hit.groups()), hint.format(*hit.groups()))


_KNOWN: tuple[tuple[str, Callable[[re.Match], tuple[str, str]]], ...] = (
    (r"^ModuleNotFoundError: No module named '([^']+)'", _no_module),
    (
        r"^ImportError: cannot import name '([^']+)' from '([\w]+)",
        _fixed("{1!r} has no {0!r} in the installed version", "pin a version of {1} that has it in requirements.txt"),
    ),
    (r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file", _no_library),
    (r"^OSError: Cannot find empty port in range: (\d+)", _fixed("port {0} is in use on this machine", _OWN_PORT)),
    (r"address already in use|Errno 98", _fixed("the port that the app wants is in use on this machine", _OWN_PORT)),
    (r"^PermissionError: .*?'([^']+)'", _fixed("the app may not use {0!r}", _PLACES)),
    (r"^OSError: \[Errno 30\] .*?'([^']+)'", _fixed("{0!r} is read only", _PLACES)),
    (
        r"^FileNotFoundError: .*?'([^']+)'",
        _fixed("the file {0!r} is not there", "is it committed, and is its name spelled the same, letter case too?"),
    ),
    (
        r"^KeyError: '([A-Z][A-Z0-9_]+)'",
        _fixed("the variable {0} is not set", "add {0} to the secrets or variables in the settings of the Space"),
    ),
    (r"^(SyntaxError|IndentationError|TabError): (.*)", _fixed("{0}: {1}")),
    (
        r"No CUDA GPUs are available|Found no NVIDIA driver|Torch not compiled with CUDA",
        _fixed(
            "the app asks for a GPU, and this hardware has none",
            'choose the device by `"cuda" if torch.cuda.is_available() else "cpu"`',
        ),
    ),
    (r"^MemoryError", _fixed("the app ran out of memory", "load less, or load it in smaller numbers")),
    (r"No space left on device", _fixed("the disk is full", "write less, or ask the admin for room")),
    (
        r"^(?:GatedRepo|RepositoryNotFound)Error",
        _fixed(
            "a model or data set could not be read from the Hub",
            "is its name right? A gated or private one needs the secret HF_TOKEN",
        ),
    ),
)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _signal_hint(number: int) -> str:
    if number == signal.SIGILL:
        return "a package was built for another processor"
    return "a native library crashed; see the last lines of the log" if number == signal.SIGSEGV else ""
