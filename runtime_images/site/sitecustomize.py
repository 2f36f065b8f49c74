"""Runs at the start of every Python in an app: lets gradio find Spaces of this hub, if the app was given HF_ENDPOINT, and keeps
gradio from opening a door.

gradio writes the Hub's address into `gr.load("spaces/…")` and into what a loaded Space's files are fetched by, where every other
client reads HF_ENDPOINT. While one of these modules is imported, its name `httpx` is replaced by one that sends requests for
the Hub to HF_ENDPOINT, and counts hosts beside our own, on our own port, as hosts of Spaces; these have two minutes to answer,
where httpx gives up after five seconds, because they may have to wake first.

In a Space, gradio also starts the Hub's hot reloading: with the package `spaces` a server on port 7887 that runs whatever code it
is sent by whoever reaches it, without that package a traceback in the log. There is no hot reloading here, so the part of gradio
that starts servers is told that it is in no Space.

Nothing else is touched, nothing is imported that the app does not import, and whatever goes wrong here leaves gradio as it is.
One file, standard library only."""

import importlib.machinery
import importlib.util
import os
import sys

HUB = "https://huggingface.co"
MODULES = (
    "gradio.external",
    "gradio.external_utils",
    "gradio.blocks",
    "gradio.routes",
    "gradio_client.client",
    "gradio_client.utils",
)
SERVER = "gradio.http_server"
WAKING = 120.0  #: seconds


class Httpx:
    """Stands for the module `httpx` in one module of gradio's."""

    def __init__(self, module: object, endpoint: str, space_host: str) -> None:
        name, _, port = space_host.partition(",")[0].strip().partition(":")
        self._module, self._endpoint = module, endpoint.rstrip("/")
        self.URL = _url_class(module.URL, "." + name.partition(".")[2], int(port) if port.isdigit() else None)

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)

    def get(self, url: object, **more: object) -> object:
        return self._module.get(self._here(url), **self._patient(url, more))

    def post(self, url: object, **more: object) -> object:
        return self._module.post(self._here(url), **self._patient(url, more))

    def _here(self, url: object) -> object:
        inside = isinstance(url, str) and url.startswith(HUB + "/")
        return self._endpoint + url[len(HUB) :] if inside else url

    def _patient(self, url: object, more: dict) -> dict:
        space = isinstance(url, str) and isinstance(self.URL(url).host, _Host)
        return {"timeout": WAKING, **more} if space else more


class _Host(str):
    """The host of a Space of ours; gradio asks whether a host ends with the Hub's own domain for apps."""

    def endswith(self, suffix: object, *more: object) -> bool:
        return suffix == ".hf.space" or super().endswith(suffix, *more)


def _url_class(base: type, domain: str, port: "int | None") -> type:
    class URL(base):
        @property
        def host(self) -> str:
            host = super().host
            ours = len(domain) > 1 and host.endswith(domain) and "." not in host[: -len(domain)] and self.port == port
            return _Host(host) if ours else host

    return URL


class _Finder:
    """Finds the modules like everybody else, and has them changed once they are loaded."""

    def __init__(self, names: "tuple[str, ...]") -> None:
        self._names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader:
    def __init__(self, loader: object) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: object) -> object:
        return self._loader.create_module(spec)

    def exec_module(self, module: object) -> None:
        self._loader.exec_module(module)
        if module.__name__ == SERVER:
            if hasattr(module, "get_space"):
                module.get_space = lambda: None
        elif hasattr(module, "httpx"):
            module.httpx = Httpx(module.httpx, os.environ["HF_ENDPOINT"], os.environ.get("SPACE_HOST", ""))


def _others() -> None:
    """The sitecustomize that Python would have found without this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [path for path in sys.path if os.path.abspath(path) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, _Finder((SERVER, *(MODULES if os.environ.get("HF_ENDPOINT", HUB).rstrip("/") != HUB else ()))))
try:
    _others()
except Exception as error:
    print(f"sitecustomize: {error!r}", file=sys.stderr)
