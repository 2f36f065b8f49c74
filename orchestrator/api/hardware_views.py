"""Hardware as JSON: flavours as the Hub tells them; requests, quotas, usage and nodes in our own words. Pure functions."""

from collections.abc import Mapping
from typing import Any

from orchestrator.api.views import iso
from orchestrator.domain.hardware import NEVER, Hardware
from orchestrator.domain.quota import Quota, Spent
from orchestrator.domain.records import HardwareRequest, Owner, Space, UsageSum
from orchestrator.domain.seen import NodeSeen

Json = dict[str, Any]


def hardware(flavor: Hardware) -> Json:
    """A row of the catalogue (huggingface_hub `SpaceHardwareInfo`). Prices are in the catalogue's own currency, whatever the
    Hub's names for them say; `currency`, `allowed` and `sleepTimeSeconds` are ours."""
    maker, _, model = flavor.accelerator.partition(" ")
    return {
        "name": flavor.name,
        "prettyName": flavor.pretty_name,
        "cpu": f"{flavor.cpu:g} vCPU",
        "ram": f"{flavor.memory / 1024**3:g} GB",
        "ephemeralStorage": f"{flavor.disk / 1024**3:g} GB",
        "accelerator": {
            "type": "gpu",
            "model": model or maker,
            "quantity": str(flavor.count),
            "vram": flavor.vram,
            "manufacturer": maker,
        }
        if flavor.count
        else None,
        "unitCostMicroUSD": round(flavor.price * 1e6),
        "unitCostUSD": flavor.price,
        "unitLabel": "hour",
        "currency": flavor.currency,
        "allowed": flavor.access.value,
        "sleepTimeSeconds": None if flavor.sleep_after in (None, NEVER) else flavor.sleep_after,
    }


def hardware_request(one: HardwareRequest, space: Space) -> Json:
    return {
        "id": one.id,
        "space": space.full_name,
        "flavor": one.flavor,
        "current": space.wish.hardware,
        "state": one.state.value,
        "asker": one.asker,
        "note": one.note,
        "createdAt": iso(one.created_at),
        "decidedBy": one.decided_by or None,
        "decidedAt": iso(one.decided_at),
        "reason": one.reason or None,
        "expiresAt": iso(one.expires_at),
    }


def quota(owner: Owner, one: Quota, used: Spent) -> Json:
    """`None` limits nothing. Hours and price are a month's."""
    return {
        "owner": owner.name,
        "flavor": one.flavor,
        "hours": one.hours,
        "count": one.count,
        "price": one.price,
        "usedHours": round(used.seconds / 3600, 4),
        "usedCount": used.count,
        "usedPrice": round(used.cost, 4),
    }


def usage(one: UsageSum) -> Json:
    hours = {"seconds": round(one.seconds, 3), "hours": round(one.seconds / 3600, 4)}
    return {"owner": one.owner, "space": one.space, "hardware": one.hardware, **hours, "cost": round(one.cost, 4)}


def node(one: NodeSeen, names: Mapping[str, str]) -> Json:
    """`names`: Spaces by id."""
    return {
        "name": one.name,
        "ready": one.ready,
        "trouble": one.trouble,
        "cpu": one.cpu,
        "memory": one.memory,
        "resources": dict(one.resources),
        "used": {name: sum(h.resources.get(name, 0) for h in one.held) for name in one.resources},
        "instances": [
            {
                "space": names.get(held.space_id, ""),
                "cpu": held.cpu,
                "memory": held.memory,
                "resources": dict(held.resources),
            }
            for held in one.held
        ],
    }
