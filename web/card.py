"""The page of a model or a dataset: its card, what is known of it, how programs read it, and its gate."""

import re
from dataclasses import dataclass

from fastapi import Depends, Request, Response

from orchestrator.api.cardtags import tags, texts
from orchestrator.domain.records import AnyRepo
from orchestrator.domain.repo import PLAIN, RepoKind
from orchestrator.errors import Invalid
from orchestrator.services.gates import ACCEPTED
from web import gate
from web.addresses import RepoPages
from web.files import readme_of
from web.page import Console, go
from web.repo import header
from web.session import Form, Visit
from web.shapes import plain

_TAGS = 40
_USERS = 12
_WORD = re.compile(r"[a-z0-9-]{1,60}")
#: library_name of a model's card -> what reads it
_LIBRARIES = {
    "transformers": "from transformers import AutoModel, AutoTokenizer\n\n"
    'tokenizer = AutoTokenizer.from_pretrained("{name}")\nmodel = AutoModel.from_pretrained("{name}")',
    "diffusers": 'from diffusers import DiffusionPipeline\n\npipe = DiffusionPipeline.from_pretrained("{name}")',
    "sentence-transformers": 'from sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer("{name}")',
    "peft": 'from peft import AutoPeftModel\n\nmodel = AutoPeftModel.from_pretrained("{name}")',
}


@dataclass(frozen=True, slots=True)
class Way:
    """Lines to copy."""

    title: str
    text: str


def routes(console: Console) -> RepoPages:
    router = RepoPages(PLAIN)
    parts = console.parts

    def page(request: Request, visit: Visit, repo: AnyRepo, error: str = "", typed: Form | None = None) -> Response:
        commit = parts.repos.head(repo.id)
        entries = parts.repos.tree(repo.id, commit, "") if commit else []
        filled = any(entry.path != ".gitattributes" for entry in entries)
        entries = [entry for entry in entries if entry.type == "file"]
        values = header(console, visit, repo, "app") | {
            "filled": filled,
            "card": readme_of(console, repo, commit, "main", entries) if commit else None,
            "ways": ways(repo, parts.public_url, sample([entry.path for entry in entries])),
            "tags": [plain(tag, 60) for tag in tags(repo, repo.card)[:_TAGS] if not tag.startswith("license:")],
            "license": plain(", ".join(texts(repo.card.get("license"))), 80),
            "spaces": parts.hosted.users(visit.caller, repo, _USERS),
            "gate": gate.of(console, visit, repo),
            "error": error,
            "typed": typed or {},
        }
        return console.show(request, visit, "repo/card.html", status=422 if error else 200, **values)

    @router.get("")
    def shown(request: Request, visit: Visit = Depends(console.visit)) -> Response:
        return page(request, visit, console.repo(visit, request))

    @router.post("/access/ask")
    def ask(request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)) -> Response:
        repo = console.repo(visit, request)
        door = gate.of(console, visit, repo)
        try:
            made = parts.gates.ask(visit.caller, repo, gate.answers(form, door.fields) if door else {})
        except Invalid as error:
            return page(request, visit, repo, error.message, form)
        return go(f"/{repo.path}?done={'letin' if made.status == ACCEPTED else 'waiting'}")

    @router.post("/access/withdraw")
    def withdraw(
        request: Request, form: Form = Depends(console.form), visit: Visit = Depends(console.member)
    ) -> Response:
        repo = console.repo(visit, request)
        parts.gates.withdraw(visit.caller, repo)
        return go(f"/{repo.path}?done=withdrawn")

    return router


def sample(paths: list[str]) -> str:
    """A file to show a download with: what says what the repo is, else the first that is not about the repo itself. Pure."""
    said = [path for path in paths if path != ".gitattributes"]
    chosen = [path for path in said if path == "config.json"] or [path for path in said if path.lower() != "readme.md"]
    fit = [path for path in chosen + said if re.fullmatch(r"[\w.-]{1,80}", path, re.ASCII)]
    return fit[0] if fit else "README.md"


def ways(repo: AnyRepo, endpoint: str, file: str) -> list[Way]:
    """How programs read the repo. Pure."""
    kind, name = repo.kind, repo.full_name
    told = []
    if kind is RepoKind.DATASET:
        told.append(Way("Datasets", f'from datasets import load_dataset\n\nds = load_dataset("{name}")'))
    elif kind is RepoKind.MODEL:
        told += [Way(library.capitalize(), text) for library, text in _of_library(repo)]
    more = f', repo_type="{kind}"' if kind.prefix else ""
    hub = f'from huggingface_hub import hf_hub_download\n\npath = hf_hub_download("{name}", "{file}"{more})'
    return [
        Way("First, once", f"export HF_ENDPOINT={endpoint}{_token(repo)}"),
        *told,
        Way("One file in Python", hub),
        Way("All files", f"hf download {name}{f' --repo-type {kind}' if kind.prefix else ''}"),
        Way("Git", f"git clone {endpoint}/{repo.path}"),
    ]


def _token(repo: AnyRepo) -> str:
    return "\nexport HF_TOKEN=<your token>" if repo.private or repo.gated else ""


def _of_library(repo: AnyRepo) -> list[tuple[str, str]]:
    library = next((one for one in texts(repo.card.get("library_name")) if one in _LIBRARIES), "")
    if not library:
        return []
    text = _LIBRARIES[library].replace("{name}", repo.full_name)
    task = next(iter(texts(repo.card.get("pipeline_tag"))), "")
    if library == "transformers" and _WORD.fullmatch(task):
        text = f'from transformers import pipeline\n\npipe = pipeline("{task}", model="{repo.full_name}")'
    return [(library, text)]
