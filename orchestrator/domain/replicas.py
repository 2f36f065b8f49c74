"""How many replicas of an instance are to be there now, and what is said while there are fewer than wished for. Pure.

A change of the number is no other launch: what runs goes on, and only what is added or taken away changes. Where hardware is
counted, no more replicas are asked of the runtime than there is room for; the rest has a place in the queue."""

from dataclasses import replace

from orchestrator.domain.decision import Decision, Reap, Scale, Stop
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import InstanceSeen, InstanceState, Seen
from orchestrator.domain.space import Wish
from orchestrator.domain.stage import Stage
from orchestrator.errors import Invalid

AGAIN = 5.0  #: seconds after which a Space that waits for room for more replicas is looked at again
_HERE = (InstanceState.STARTING, InstanceState.READY)


def replica_count(number: int, most: int) -> int:
    """The number itself if a Space may have so many. Raises Invalid `REPLICAS`."""
    if not 1 <= number <= most:
        raise Invalid("REPLICAS", f"replicas is {number}; write a number from 1 to {most}")
    return number


def affordable(wish: Wish, seen: Seen, have: int = 0) -> int:
    """How many to ask of the runtime, which was asked for `have` of them: never fewer than those for want of room."""
    if seen.room is None or wish.replicas <= have:
        return wish.replicas
    return max(have, 1, min(wish.replicas, seen.room.fits))


def scaled(decision: Decision, wish: Wish, seen: Seen, hardware: Hardware, now: float) -> Decision:
    """The decision, with as many replicas as wished for of what serves or starts."""
    ending = {act.instance_id for act in decision.do if isinstance(act, Stop | Reap)}
    staying = [
        i for i in seen.instances if i.state in _HERE and i.id not in ending and i.hardware in ("", wish.hardware)
    ]
    do = tuple(Scale(i.id, count) for i in staying if (count := affordable(wish, seen, i.asked)) != i.asked)
    decision = replace(decision, do=(*do, *decision.do)) if do else decision
    if decision.stage is not Stage.RUNNING:
        return decision
    serving = next(i for i in staying + list(seen.instances) if i.id == decision.serve)
    if len(serving.addresses) >= wish.replicas:
        return decision
    place = seen.queued_at if seen.queued_at is not None else now
    return replace(
        decision,
        reason=_shortfall(wish, seen, serving),
        look_at=min(now + AGAIN, decision.look_at or now + AGAIN),
        queued_at=place if hardware.count else None,
    )


def _shortfall(wish: Wish, seen: Seen, serving: InstanceSeen) -> str:
    said = f"{len(serving.addresses)} of {wish.replicas} replicas answer"
    why = serving.waiting or (seen.room.reason if seen.room and seen.room.fits < wish.replicas else "")
    return f"{said}; {why}" if why else said
