"""How values look on a page: times, sizes, names, stages. Pure."""

import re
import time
import unicodedata
from typing import Any
from urllib.parse import quote

from orchestrator.api.cardtags import texts
from orchestrator.domain.progress import PHASES, of_run
from orchestrator.domain.progress import seconds as seconds_of_phases
from orchestrator.domain.records import AnyRepo, Build, Run, Space
from orchestrator.domain.seen import BuildState
from orchestrator.domain.stage import Stage

COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")

#: stage -> (words, tone); tones: good, busy, calm, bad
STAGES: dict[Stage, tuple[str, str]] = {
    Stage.NO_APP_FILE: ("No app file", "calm"),
    Stage.CONFIG_ERROR: ("Configuration error", "bad"),
    Stage.BUILDING: ("Building", "busy"),
    Stage.RUNNING_BUILDING: ("Running · building", "busy"),
    Stage.BUILD_ERROR: ("Build failed", "bad"),
    Stage.APP_STARTING: ("Starting", "busy"),
    Stage.RUNNING_APP_STARTING: ("Running · starting", "busy"),
    Stage.RUNNING: ("Running", "good"),
    Stage.RUNTIME_ERROR: ("Failed", "bad"),
    Stage.SLEEPING: ("Sleeping", "calm"),
    Stage.PAUSED: ("Paused", "calm"),
    Stage.DELETING: ("Deleting", "calm"),
}

BUILD_STATES: dict[BuildState, tuple[str, str]] = {
    BuildState.QUEUED: ("Queued", "busy"),
    BuildState.RUNNING: ("Building", "busy"),
    BuildState.SUCCEEDED: ("Good", "good"),
    BuildState.FAILED: ("Failed", "bad"),
    BuildState.LOST: ("Lost", "calm"),
    BuildState.SUPERSEDED: ("Superseded", "calm"),
}

#: what a row of the audit log says that somebody did to a Space
DEEDS = {
    "push": "pushed",
    "space.create": "made the Space",
    "space.move": "moved it",
    "space.visibility": "changed who sees it",
    "space.sleep": "set when it sleeps",
    "space.pause": "paused it",
    "space.restart": "restarted it",
    "space.factory": "had it built anew",
    "space.rollback": "rolled back",
    "space.freeze": "froze deploys",
    "space.thaw": "thawed deploys",
    "space.replicas": "set its replicas",
    "space.hardware": "moved it to other hardware",
    "space.goes_first": "chose how it moves",
    "space.embedding": "chose who may embed it",
    "space.member": "changed a member",
    "space.domain.add": "asked for a domain",
    "space.domain": "a domain changed",
    "space.domain.remove": "removed a domain",
    "space.share": "made a link for outsiders",
    "space.unshare": "ended a link for outsiders",
    "space.take_down": "took it down",
    "space.put_back": "put it back",
    "secret.put": "set a secret",
    "secret.delete": "removed a secret",
    "variable.put": "set a variable",
    "variable.delete": "removed a variable",
    "hardware.ask": "asked for hardware",
    "hardware.withdraw": "took the request back",
    "hardware.approve": "gave hardware",
    "hardware.refuse": "refused hardware",
    "hardware.expired": "its hardware ended",
}

_ASTRAY = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_BIDI = re.compile("[\u200b\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]")


def plain(value: object, limit: int = 200) -> str:
    """User text on one line: no control characters, nothing that turns the reading direction, at most `limit` characters."""
    text = unicodedata.normalize("NFC", _BIDI.sub("", str(value)))
    text = "".join(" " if unicodedata.category(c) in _ASTRAY else c for c in text[: limit * 2])
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def title(repo: AnyRepo) -> str:
    """What a Space calls itself; of others the name, by which programs ask for them."""
    return plain(repo.card.get("title") or "", 100) or repo.name if repo.kind.runs else repo.name


def emoji(space: Space) -> str:
    """One short symbol; anything longer is not an emoji."""
    value = plain(space.card.get("emoji") or "", 12)
    return value if 0 < len(value) <= 8 and not value.isascii() else ""


def gradient(space: Space) -> str:
    """Class names of the two colours of a card. Without colours, two that stay with the Space."""
    wanted = [space.card.get("colorFrom"), space.card.get("colorTo")]
    steady = sum(space.id.encode())
    kept = [c if isinstance(c, str) and c in COLORS else COLORS[(steady + 3 * i) % 7] for i, c in enumerate(wanted)]
    return f"from-{kept[0]} to-{kept[1]}"


def about(space: Space) -> str:
    return plain(space.card.get("short_description") or "", 160)


def task(repo: AnyRepo) -> str:
    """What a model or a dataset is for, as its card says."""
    found = texts(repo.card.get("pipeline_tag")) + texts(repo.card.get("task_categories"))
    return plain(found[0], 40) if found else ""


def deed(action: str) -> str:
    return DEEDS.get(action, action)


def stage_words(stage: Stage) -> str:
    return STAGES[stage][0]


def stage_tone(stage: Stage) -> str:
    return STAGES[stage][1]


def build_words(state: BuildState) -> str:
    return BUILD_STATES[state][0]


def build_tone(state: BuildState) -> str:
    return BUILD_STATES[state][1]


def run_state(run: Run) -> tuple[str, str]:
    """(words, tone) of how it is with an instance."""
    if run.ended_at is None:
        return ("Running", "good") if run.ready_at else ("Starting", "busy")
    return ("Failed", "bad") if run.fault else ("Ended", "calm")


def phases(one: Build | Run) -> list[tuple[int, str, float]]:
    """What it took, of all that took its time: (number of the phase, words, seconds)."""
    told = of_run(one) if isinstance(one, Run) else seconds_of_phases(one)
    names = [name for name in PHASES if name != "queued" and told.get(name, 0.0) >= 0.05]
    return [(list(PHASES).index(name), PHASES[name][1], told[name]) for name in names]


def seconds(value: float | None) -> str:
    """A length of time: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 days`."""
    if value is None:
        return ""
    value = max(0.0, value)
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    whole = int(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min" if whole % 3600 // 60 else f"{whole // 3600} h"
    return f"{whole // 86400} days"


def brief(value: float | None) -> str:
    """As `seconds`, of what often takes no time at all: `< 0.1 s`."""
    return "< 0.1 s" if value is not None and value < 0.1 else seconds(value)


def ago(moment: float | None, now: float | None = None) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 days ago`, then the day."""
    if not moment:
        return "never"
    gone = (time.time() if now is None else now) - moment
    if gone < 45:
        return "just now"
    if gone < 3600:
        return f"{max(1, round(gone / 60))} min ago"
    if gone < 86400:
        return f"{round(gone / 3600)} h ago"
    if gone < 30 * 86400:
        days = max(1, round(gone / 86400))
        return f"{days} day{'s' if days > 1 else ''} ago"
    return time.strftime("%-d %b %Y", time.gmtime(moment))


def until(moment: float, now: float | None = None) -> str:
    """`5 min`, `3 h`, `2 days`: what is left."""
    left = max(0.0, moment - (time.time() if now is None else now))
    if left < 3600:
        return f"{max(1, round(left / 60))} min"
    if left < 2 * 86400:
        return f"{round(left / 3600)} h"
    return f"{round(left / 86400)} days"


def moment(value: float | None) -> str:
    """For `<time datetime>`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value or 0))


def size(count: int) -> str:
    """Bytes as people read them, decimal."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def day(value: float | None) -> str:
    """`24 Nov, 05:30 UTC`."""
    return time.strftime("%-d %b, %H:%M UTC", time.gmtime(value)) if value else ""


def day_only(value: float | None) -> str:
    """`24 Nov 2026`."""
    return time.strftime("%-d %b %Y", time.gmtime(value)) if value else "the beginning"


def count(number: int) -> str:
    """`7`, `1.2k`, `34k`."""
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k".replace(".0k", "k") if number < 10_000 else f"{number // 1000}k"


def urlpart(text: str) -> str:
    """One step of a path, slashes and all."""
    return quote(text, safe="")


def tally(held: dict[str, int], name: str) -> int:
    return held.get(name, 0)


FILTERS: dict[str, Any] = {
    "plain": plain,
    "title_of": title,
    "emoji_of": emoji,
    "gradient": gradient,
    "about": about,
    "task_of": task,
    "deed": deed,
    "stage_words": stage_words,
    "stage_tone": stage_tone,
    "build_words": build_words,
    "build_tone": build_tone,
    "seconds": seconds,
    "brief": brief,
    "run_state": run_state,
    "phases": phases,
    "ago": ago,
    "moment": moment,
    "until": until,
    "day": day,
    "day_only": day_only,
    "count": count,
    "tally": tally,
    "urlpart": urlpart,
    "size": size,
}
