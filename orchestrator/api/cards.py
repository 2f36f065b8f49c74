"""Whether a README can be used (hub-api reference 1.4)."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import Field, model_validator

from builder import config
from builder.errors import Fault
from orchestrator.api.params import OpenBody
from orchestrator.domain.repo import RepoKind
from orchestrator.services.card import card_faults

router = APIRouter(tags=["repos"])


class Readme(OpenBody):
    content: str
    repo_type: str | None = Field(None, alias="repoType")

    @model_validator(mode="before")
    @classmethod
    def _form(cls, told: Any) -> Any:
        """`RepoCard.validate` of huggingface_hub 0.36 sends a form."""
        return dict(parse_qsl(told.decode("utf-8", "replace"), True)) if isinstance(told, bytes) else told


@router.post("/api/validate-yaml")
def validate_yaml(body: Readme, accept: Annotated[str, Header()] = ""):
    """Whether the front matter of a README can be used. Clients ask before every commit that touches README.md, and read JSON
    whatever the status. Who accepts plain text (`RepoCard.validate`) reads what is wrong line by line, a strange licence too."""
    errors, warnings = _judged(body)
    lines = [*errors, *(one for one in warnings if one.get("code") == "LICENSE")]
    if lines and accept.startswith("text/plain"):
        return PlainTextResponse("".join(f"- Error: {one['message']}\n" for one in lines), 400)
    return JSONResponse({"errors": errors, "warnings": warnings}, 400 if errors else 200)


def _judged(body: Readme) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    if body.repo_type and body.repo_type not in list(RepoKind):
        return [], []
    if (body.repo_type or "model") != "space":
        return card_faults(body.content)
    try:
        warnings = config.parse(body.content).warnings
    except Fault as fault:
        return [{"message": fault.advice(), "code": fault.code}], []
    return [], [{"message": warning} for warning in warnings]


class SchemaResponse(JSONResponse):
    media_type = "application/schema+json"


@router.get("/schema/space.json", response_class=SchemaResponse)
def schema():
    """JSON schema of a Space's front matter."""
    return SchemaResponse(config.schema())
