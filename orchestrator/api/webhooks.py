"""Webhooks of a user, on the Hub's paths (huggingface_hub `hf_api.create_webhook` and its neighbours), and the log of what was
sent, which is of our own shape."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from orchestrator.api.identity import PartsDep, SignedInDep
from orchestrator.api.params import OpenBody, Segment
from orchestrator.api.views import Json, iso
from orchestrator.domain.events import Delivery, Watched, Webhook
from orchestrator.errors import Invalid

router = APIRouter(tags=["webhooks"])
_ALL = "/api/settings/webhooks"
_ONE = _ALL + "/{webhook_id}"
WebhookId = Annotated[Segment, Path(max_length=100)]


class Item(OpenBody):
    type: str = Field(max_length=20, description="user, org, model, dataset or space")
    name: str = Field(max_length=300)

    @property
    def watched(self) -> Watched:
        return Watched(self.type, self.name)


class Changes(OpenBody):
    url: str | None = Field(None, max_length=3000)
    watched: list[Item] | None = Field(None, max_length=1000)
    domains: list[str] | None = Field(None, max_length=10, description="repo, discussion; all without it")
    secret: str | None = Field(None, max_length=3000, description="sent back in X-Webhook-Secret")
    job: str | None = Field(None, alias="jobSourceId", max_length=100)

    def items(self) -> list[Watched]:
        if self.job:
            raise Invalid("NOT_SUPPORTED", "This Podium runs no jobs; give a webhook a url.")
        return [item.watched for item in self.watched or ()]


def _shown(parts, one: Webhook) -> Json:
    return {
        "id": one.id,
        "url": one.url,
        "watched": [{"type": item.type, "name": item.name} for item in one.watched],
        "domains": list(one.domains),
        "secret": parts.community.webhooks.secret(one) or None,
        "disabled": one.disabled,
        "createdAt": iso(one.created_at),
    }


@router.get(_ALL)
def webhooks(caller: SignedInDep, parts: PartsDep):
    return [_shown(parts, one) for one in parts.community.webhooks.all(caller)]


@router.post(_ALL)
def create(body: Changes, caller: SignedInDep, parts: PartsDep):
    """A webhook that is told by POST of JSON what happens to what it watches."""
    items = body.items()
    made = parts.community.webhooks.create(caller, body.url or "", items, body.domains, body.secret)
    return {"webhook": _shown(parts, made)}


@router.get(_ONE)
def webhook(webhook_id: WebhookId, caller: SignedInDep, parts: PartsDep):
    return {"webhook": _shown(parts, parts.community.webhooks.get(caller, webhook_id))}


@router.post(_ONE)
def update(webhook_id: WebhookId, body: Changes, caller: SignedInDep, parts: PartsDep):
    """Change what is given."""
    items = body.items()
    changed = parts.community.webhooks.update(
        caller, webhook_id, url=body.url, watched=items, domains=body.domains, secret=body.secret
    )
    return {"webhook": _shown(parts, changed)}


@router.delete(_ONE)
def delete(webhook_id: WebhookId, caller: SignedInDep, parts: PartsDep):
    parts.community.webhooks.delete(caller, webhook_id)
    return {"success": True}


@router.post(_ONE + "/enable")
def enable(webhook_id: WebhookId, caller: SignedInDep, parts: PartsDep):
    return {"webhook": _shown(parts, parts.community.webhooks.update(caller, webhook_id, disabled=False))}


@router.post(_ONE + "/disable")
def disable(webhook_id: WebhookId, caller: SignedInDep, parts: PartsDep):
    """Nothing is sent any more; what happens meanwhile is not told later."""
    return {"webhook": _shown(parts, parts.community.webhooks.update(caller, webhook_id, disabled=True))}


@router.get(_ONE + "/deliveries")
def deliveries(webhook_id: WebhookId, caller: SignedInDep, parts: PartsDep):
    """The last hundred, newest first."""
    return [_delivery(one) for one in parts.community.webhooks.deliveries(caller, webhook_id)]


@router.post(_ONE + "/deliveries/{delivery_id}/replay")
def replay(webhook_id: WebhookId, delivery_id: WebhookId, caller: SignedInDep, parts: PartsDep):
    """Send the same once more."""
    return _delivery(parts.community.webhooks.replay(caller, webhook_id, delivery_id))


def _delivery(one: Delivery) -> Json:
    return {
        "id": one.id,
        "event": one.event,
        "state": one.state,
        "attempts": one.attempts,
        "createdAt": iso(one.created_at),
        "nextAttemptAt": iso(one.due_at) if one.state == "waiting" else None,
        "doneAt": iso(one.done_at),
        "status": one.status,
        "answer": one.answer,
        "replayOf": one.replay_of or None,
        "payload": one.payload,
    }
