"""A console full of what people have: Spaces in every stage, long and odd names, a queue for GPUs, discussions, figures; and the
list of all its pages, for the tests that look at each of them. Nothing builds or runs here."""

import time
from dataclasses import dataclass, replace
from importlib import resources

from orchestrator.api.app import create_app
from orchestrator.domain.decide import RouteState
from orchestrator.domain.events import Delivery, Watched
from orchestrator.domain.hardware_file import parse
from orchestrator.domain.keys import build_key, instance_id
from orchestrator.domain.load import Load
from orchestrator.domain.records import Build, Run, Space, Usage
from orchestrator.domain.repo import RepoKind
from orchestrator.domain.seen import BuildState, Failures, Fault, Held, Image, NodeSeen
from orchestrator.domain.space import MAIN, Role, Visibility
from orchestrator.domain.stage import Stage
from orchestrator.domain.tree import Change
from orchestrator.domain.visits import REGISTERS, Hour
from orchestrator.services.accounts import new_id
from orchestrator.services.spaces import NewSpace
from tests.console import Console
from web.docs import CHAPTERS
from web.routes import create_renderer, create_router
from web.shapes import COLORS

FLAVORS = parse((resources.files("orchestrator") / "domain" / "hardware.example.yaml").read_text())
LONG = "a-name-as-long-as-names-may-be-and-then-some-more-of-it-so-that-every-line-has-to-break-somewhere"[:90]
TITLES = {
    "voices": ("🎙️", "Voices of birds", "Names the bird that sings", "green", "blue"),
    "sketch": ("✏️", "Sketch to photo", "Draws what you mean", "pink", "purple"),
    "rtl": ("🕌", "تحويل النص إلى كلام بصوت طبيعي", "نموذج صغير يقرأ النص بصوت واضح", "yellow", "red"),
    "emoji": ("👩‍🚀", "🎈🎉 Party 🎊🥳 generator 🪅✨", "Makes 🎂 for every day", "indigo", "pink"),
    LONG: ("🦕", "W" * 60 + " and a title of two hundred characters " + "x" * 101, "s" * 60, "gray", "gray"),
    "queue": ("🖼️", "Large pictures", "Needs a GPU", "blue", "indigo"),
    "build": ("🔧", "Being built", "", "red", "yellow"),
    "broken": ("🧨", "Does not build", "Its requirements are wrong", "red", "red"),
    "crash": ("💥", "Crashes", "", "purple", "gray"),
    "asleep": ("😴", "Sleeps", "Wakes when you look", "blue", "gray"),
    "paused": ("⏸️", "Paused", "", "gray", "green"),
    "config": ("📄", "Front matter that cannot be", "", "yellow", "gray"),
    "newer": ("🚀", "Runs, and builds a newer one", "", "green", "yellow"),
    "down": ("🚫", "Taken down", "", "gray", "red"),
}
MORE = [
    *(("🐋", "Whale songs"), ("🧭", "Where was it taken?"), ("🍄", "Edible or not"), ("🎼", "Hum to score")),
    *(("🧶", "Knit a picture"), ("🌋", "Lava flow"), ("🚲", "Bike lanes from above"), ("📜", "Read old hands")),
    *(("🧊", "Sea ice today"), ("🪐", "Find the planet")),
]
README = """---
title: "{}"
emoji: "{}"
colorFrom: {}
colorTo: {}
sdk: gradio
short_description: "{}"
tags: [audio, vision]
---

# {}

What it does, **and how**. | a | b |

```python
print("hello")
```
"""
APP = "import gradio as gr\n\n\ndef hello(name: str) -> str:\n    # greets\n    return f'Hello {name}!'\n\n\n" * 6
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Page:
    """`who`: whose browser, "" for a stranger; `status`: of the answer."""

    name: str
    path: str
    who: str = "ada"
    status: int = 200


class Gallery(Console):
    """`Console` with the pages, and all of this in it."""

    def __init__(self, data) -> None:
        super().__init__(data, FLAVORS)
        parts = self.parts
        self.root = parts.accounts.add_user("root", admin=True)
        self.tokens = {
            "ada": self.token,
            "bob": self.bobs,
            "root": parts.accounts.add_token(self.root, "write", "root"),
        }
        self.app = create_app(parts, extra_routers=(create_router(parts),), page=create_renderer(parts))
        self.caller, self.admin = (parts.accounts.caller(f"Bearer {self.tokens[name]}") for name in ("ada", "root"))
        self.now, self.spaces = time.time(), {}

    def fill(self) -> "Gallery":
        for number, (mark, title) in enumerate(MORE):
            one, two = COLORS[number % 7], COLORS[(number * 3 + 2) % 7]
            space = self._space(f"more-{number}", mark, title, "", one, two)
            self.spaces[space.name] = space
        self.spaces |= {name: self._space(name, *told) for name, told in reversed(TITLES.items())}
        self.empty = self.parts.spaces.create(self.caller, NewSpace("empty", None, "gradio", Visibility.PUBLIC))
        self.private = self._space("private", "🔒", "For us alone", "", "gray", "blue", Visibility.PRIVATE)
        self._stages()
        self._figures()
        self._talk()
        self._others()
        return self

    # ------------------------------------------------------------------------------------------------------- Spaces

    def _space(self, name: str, emoji, title, about, one, two, visibility=Visibility.PUBLIC) -> Space:
        space = self.parts.spaces.create(self.caller, NewSpace(name, None, "gradio", visibility))
        text = README.format(title, emoji, one, two, about, title)
        changes = [Change("README.md", text.encode()), Change("app.py", APP.encode())]
        if name == "voices":
            changes += [
                Change("requirements.txt", b"gradio\nnumpy\n"),
                Change("data/birds.csv", b"name,sound\nwren,trill\n"),
            ]
            changes += [Change(f"{'deep/' * 6}{LONG}.py", b"x = 1\n"), Change("sounds/\u0635\u0648\u062a.txt", b"a\n")]
        self.parts.pushes.commit(self.caller, space, changes, f"Say what {name} is, and let it greet", None, MAIN)
        self.parts.pushes.landed(space.id)
        return self.parts.spaces.get(space.id)

    def _build(
        self, space: Space, state=BuildState.SUCCEEDED, number: int = 0, fault: Fault | None = None, ago=600.0
    ) -> str:
        key = build_key(space.id, space.wish.revision, number)
        begun, ends = self.now - ago, state not in (BuildState.RUNNING, BuildState.QUEUED)
        phases = {"queued": 0.4, "clone": 0.3, "resolve": 2.1, "install": 21.0} | (
            {"files": 0.6, "total": 24.4} if state is BuildState.SUCCEEDED else {}
        )
        with self.store.write() as tx:
            tx.builds.add(
                Build(key, space.id, 0, space.wish.revision, number, state, begun, begun, "ada", "Say what it is")
            )
            image = Image("i", "gradio", ("python",)) if state is BuildState.SUCCEEDED else None
            ended = {"finished_at": begun + 25, "fault": fault, "image": image} if ends else {}
            tx.builds.update(key, started_at=begun + 0.4, phases=phases, **ended)
        return key

    def _show(self, name: str, stage: Stage, route: RouteState, **values) -> None:
        space = self.spaces[name]
        with self.store.write() as tx:
            claimed, fence = tx.spaces.claim(space.id, "test", self.now, self.now + 60)
            changed = replace(claimed, stage=stage, route=route, stage_since=self.now - 42, **values)
            tx.spaces.save(changed, fence, self.now + 9 * DAY, None, route_changed=True)
        self.spaces[name] = self.parts.spaces.get(space.id)

    def _stages(self) -> None:
        found = Fault(
            "REQ_NOT_FOUND",
            "there is no package `torhc`; did you mean `torch`?",
            "requirements.txt:2",
            "Check the spelling.",
        )
        ended = Fault(
            "APP_EXITED", "ModuleNotFoundError: No module named 'torch'", "app.py:3", "Add `torch` to requirements.txt."
        )
        for name in ("voices", "sketch", "rtl", "emoji", LONG, "newer", "crash", "queue", "asleep", "paused", "down"):
            self._build(self.spaces[name])
        running = {"address": "127.0.0.1:1", "instance": "one", "reason": ""}
        for name in ("voices", "sketch", "rtl", "emoji", LONG, *(f"more-{number}" for number in range(len(MORE)))):
            self._show(name, Stage.RUNNING, RouteState.OPEN, **running)
        self._build(self.spaces["build"], BuildState.RUNNING, ago=12)
        self._show("build", Stage.BUILDING, RouteState.WAIT, reason="building", deadline=self.now + 900)
        self._build(self.spaces["broken"], BuildState.FAILED, fault=found)
        self._show("broken", Stage.BUILD_ERROR, RouteState.CLOSED, reason=found.sentence())
        self._show(
            "crash",
            Stage.RUNTIME_ERROR,
            RouteState.CLOSED,
            reason=ended.sentence(),
            failures=Failures("k", 3, self.now, ended),
        )
        with self.store.write() as tx:
            tx.spaces.update(self.spaces["queue"].id, look_at=self.now + 9 * DAY, queued_at=self.now - 42)
        reason = "waiting for Nvidia A10G - large: 0 of 2 nodes fit, 3 ahead of you"
        self._show("queue", Stage.APP_STARTING, RouteState.WAIT, reason=reason, deadline=self.now + 7200)
        self._show("asleep", Stage.SLEEPING, RouteState.WAKE, reason="")
        self._show("paused", Stage.PAUSED, RouteState.CLOSED, reason="paused by its owner")
        where = (
            "README.md:4: `colorFrom` is `rainbow`; write one of red, yellow, green, blue, indigo, purple, pink, gray."
        )
        self._build(
            self.spaces["config"], BuildState.FAILED, fault=Fault("COLOR", "`colorFrom` is `rainbow`", "README.md:4")
        )
        self._show("config", Stage.CONFIG_ERROR, RouteState.CLOSED, reason=where)
        self._build(self.spaces["newer"], BuildState.RUNNING, 1, ago=8)
        self._show("newer", Stage.RUNNING_BUILDING, RouteState.OPEN, **running | {"reason": "building"})
        self.parts.spaces.take_down(self.admin, self.spaces["down"], "Shows what is not theirs to show.")
        gpus, memory = {"nvidia.com/gpu": 4}, 32 * 1024**3
        held = (Held("x", self.spaces["sketch"].id, 2, 1, {"nvidia.com/gpu": 3}),)
        self.runtime.nodes = (
            NodeSeen("gpu-1", cpu=8, memory=memory, resources=gpus, held=held),
            NodeSeen("gpu-2", False, "its kubelet is silent", 8, memory, gpus),
        )

    # ------------------------------------------------------------------------------------------------------ figures

    def _figures(self) -> None:
        space, key = self.spaces["voices"], "k" * 24
        with self.store.write() as tx:
            for back in range(0, 24 * 7, 3):
                hour, much = int(self.now // 3600) - back, 40 + (back * 37) % 60
                tx.visits.add(
                    space.id,
                    Hour(
                        hour,
                        much * 4,
                        much,
                        back % 5,
                        tuple([0, 0, 0, much * 2, much, 9] + [1] * 20)[: len(Hour(0).slow)],
                    ),
                )
            for day in range(8):
                tx.visits.see(
                    space.id,
                    int(self.now // DAY) - day,
                    (bytes([3] * (40 + 9 * day)) + bytes(REGISTERS - 40 - 9 * day)).hex(),
                )
            for minute in range(0, 60 * 24, 10):
                at = self.now - minute * 60
                tx.loads.put(at, {space.id: Load(0.3 + (minute % 70) / 90, 600 * 1024**2 + minute * 300_000)})
            tx.loads.roll(self.now - 7 * DAY, self.now)
            for start, end, fault in (
                (3 * DAY, 2 * DAY, None),
                (DAY, 3600.0, Fault("APP_EXITED", "it ran out of memory")),
            ):
                run = Run(
                    0,
                    instance_id(space.id, key),
                    key,
                    space.id,
                    1,
                    space.wish.revision,
                    "cpu-basic",
                    self.now - start,
                    self.now - start,
                )
                why = "it ran out of memory: 16 GB are the limit of `cpu-basic`" if fault else "fell asleep"
                tx.runs.write(
                    replace(
                        run,
                        placed_at=run.started_at + 0.2,
                        begun_at=run.started_at + 1,
                        ready_at=run.started_at + 6,
                        ended_at=self.now - end,
                        why=why,
                        fault=fault,
                    )
                )
                tx.usage.extend(
                    Usage(
                        "i",
                        run.started_at,
                        space.id,
                        space.full_name,
                        space.owner_id,
                        "ada",
                        "cpu-basic",
                        0.4,
                        run.started_at,
                        self.now - end,
                        True,
                    )
                )
        for line in (
            "\x1b[1mResolving\x1b[0m packages",
            "\x1b[32mInstalled\x1b[0m 61 packages in 21 s",
            "files in place",
        ):
            self.parts.logs.append(f"build/{build_key(space.id, space.wish.revision, 0)}", line)

    # --------------------------------------------------------------------------------------------- people and talk

    def _talk(self) -> None:
        space, parts = self.spaces["voices"], self.parts
        bob = parts.accounts.caller(f"Bearer {self.bobs}")
        talk = parts.community.discussions
        talk.open(bob, space, "It hears a wren where a robin sings", "Here is **what I did**:\n\n1. sang\n2. waited")
        parts.likes.like(bob, space)
        parts.likes.like(self.caller, space)
        parts.likes.like(bob, self.spaces["sketch"])
        self.let_in(self.caller, space, "bob", Role.WRITE)
        parts.collaborators.put(self.caller, self.private, "bob", Role.READ)
        parts.domains.add(self.caller, space, "birds.example.org")
        parts.environment.put(self.caller, space, "API_KEY", "never shown", True)
        parts.environment.put(self.caller, space, "MODEL_NAME", "acme/birds", False)
        watched = [Watched("space", "ada/voices"), Watched("org", "acme")]
        self.hook = parts.community.webhooks.create(
            self.caller, "https://ci.example.org/podium", watched, None, "hush"
        ).id
        sent = Delivery(
            new_id(),
            self.hook,
            "repo.content.update",
            {"event": {"action": "update"}},
            self.now,
            "failed",
            3,
            status=503,
        )
        with self.store.write() as tx:
            tx.webhooks.add_delivery(sent)
        parts.allotment.quotas.put(self.admin, "ada", "t4-small", hours=40, count=2)
        parts.allotment.requests.choose(self.caller, self.spaces["sketch"], "t4-small", "For the fair on Tuesday")

    def _others(self) -> None:
        parts = self.parts
        card = b"---\nlicense: mit\npipeline_tag: audio-classification\ntags: [birds]\n---\n\n# Birds\n\nHears them.\n"
        for kind, name in ((RepoKind.MODEL, "birds"), (RepoKind.DATASET, "songs")):
            made = parts.hosted.create(self.caller, kind, name, None, Visibility.PUBLIC)
            parts.pushes.commit(
                self.caller, made, [Change("README.md", card), Change("config.json", b"{}\n")], "First", None, MAIN
            )
        made = parts.hosted.create(self.caller, RepoKind.MODEL, "gated", None, Visibility.PUBLIC)
        parts.hosted.change(self.caller, made, gated="manual")
        one = parts.collections.create(self.caller, None, "Things that sing", "Of birds and people", False)
        parts.collections.add_item(self.caller, one.slug, "space", self.spaces["voices"].full_name, "The best of them")
        self.collection = one.slug
        parts.oversight.set_banner(self.admin, "The GPU node is away on Tuesday from 9 to 10.", "busy")

    # -------------------------------------------------------------------------------------------------------- pages

    def pages(self) -> list[Page]:
        """Every page, and those of Spaces in every stage. The frame of an app that runs is empty here."""
        head, at = self.parts.repos.head(self.spaces["voices"].id, MAIN), "/spaces/ada/voices"
        stages = [
            Page(f"stage-{name}", f"/spaces/ada/{name}")
            for name in self.spaces
            if name not in ("sketch", "rtl", "emoji")
        ]
        return [
            Page("explore", "/", ""),
            Page("explore-mine", "/?mine=1"),
            Page("explore-none", "/?q=nothing-of-this-name", ""),
            Page("owner", "/ada", "bob"),
            Page("owner-org", "/acme"),
            Page("owner-none", "/bob", ""),
            Page("models", "/models", ""),
            Page("datasets", "/datasets"),
            Page("model", "/ada/birds", "bob"),
            Page("model-gated", "/ada/gated", "bob"),
            Page("model-files", "/ada/birds/tree/main"),
            Page("model-settings", "/ada/gated/settings"),
            Page("dataset", "/datasets/ada/songs", ""),
            Page("collection", f"/collections/{self.collection}", ""),
            Page("missing", "/spaces/ada/private", "", 404),
            Page("forbidden", "/admin", "bob", 403),
            Page("sign-in", "/login", ""),
            *stages,
            Page("empty", "/spaces/ada/empty"),
            Page("empty-stranger", "/spaces/ada/empty", ""),
            Page("broken-stranger", "/spaces/ada/broken", ""),
            Page("files", f"{at}/tree/main"),
            Page("file", f"{at}/blob/main/app.py"),
            Page("file-readme", f"{at}/blob/main/README.md", ""),
            Page("blame", f"{at}/blame/main/app.py"),
            Page("history", f"{at}/commits/main"),
            Page("commit", f"{at}/commit/{head}"),
            Page("edit", f"{at}/edit/main/app.py"),
            Page("new-file", f"{at}/new/main"),
            Page("upload", f"{at}/upload/main"),
            Page("community", f"{at}/discussions", "bob"),
            Page("community-none", "/spaces/ada/sketch/discussions"),
            Page("discussion", f"{at}/discussions/1"),
            Page("use", f"{at}/use"),
            Page("logs-build", f"{at}/logs?kind=build"),
            Page("logs-run", f"{at}/logs?kind=run"),
            Page("logs-failed", "/spaces/ada/broken/logs"),
            Page("analytics", f"{at}/analytics"),
            Page("analytics-none", "/spaces/ada/empty/analytics?days=30"),
            Page("settings", f"{at}/settings"),
            Page("settings-member", f"{at}/settings", "bob"),
            Page("settings-invited", "/spaces/ada/private/settings"),
            Page("new", "/new"),
            Page("new-model", "/new/model"),
            Page("account", "/settings"),
            Page("notifications", "/notifications"),
            Page("notifications-asked", "/notifications", "bob"),
            Page("notifications-none", "/notifications?unread=1&before=MHgwLjBwKzA6eA"),
            Page("webhooks", "/settings/webhooks?watch=space+ada/voices"),
            Page("webhook", f"/settings/webhooks/{self.hook}"),
            Page("tokens", "/settings/tokens"),
            Page("tokens-none", "/settings/tokens", "root"),
            Page("organisation", "/settings/organisations/acme"),
            Page("hardware", "/hardware"),
            Page("hardware-admin", "/hardware", "root"),
            Page("admin", "/admin", "root"),
            Page("admin-spaces", "/admin/spaces", "root"),
            Page("admin-builds", "/admin/builds", "root"),
            Page("admin-people", "/admin/people", "root"),
            Page("admin-usage", "/admin/usage", "root"),
            Page("admin-storage", "/admin/storage", "root"),
            Page("admin-audit", "/admin/audit", "root"),
            Page("docs", "/docs"),
            *(Page(f"docs-{chapter}", f"/docs/{chapter}", "") for chapter in CHAPTERS if chapter),
        ]  # fmt: skip
