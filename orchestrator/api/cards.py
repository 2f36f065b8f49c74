"""Whether a README can be used (hub-api reference 1.4)."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from builder import config
from builder.errors import Fault
from orchestrator.api.params import OpenBody
from orchestrator.domain.repo import RepoKind
from orchestrator.services.card import card_faults

router = APIRouter(tags=["repos"])


class Readme(OpenBody):
    content: str
    repo_type: str | None = Field(None, alias="repoType")


@router.post("/api/validate-yaml")
def validate_yaml(body: Readme):
    """Whether the front matter of a README can be used. Clients ask before every commit that touches README.md, and read JSON
    whatever the status."""
    if body.repo_type and body.repo_type not in list(RepoKind):
        return {"errors": [], "warnings": []}
    if (body.repo_type or "model") != "space":
        errors, warnings = card_faults(body.content)
        return JSONResponse({"errors": errors, "warnings": warnings}, 400 if errors else 200)
    try:
        warnings = config.parse(body.content).warnings
    except Fault as fault:
        return JSONResponse({"errors": [{"message": fault.advice(), "code": fault.code}], "warnings": []}, 400)
    return {"errors": [], "warnings": [{"message": warning} for warning in warnings]}


@router.get("/schema/space.json")
def schema():
    """JSON schema of a Space's front matter."""
    return JSONResponse(config.schema(), media_type="application/schema+json")
