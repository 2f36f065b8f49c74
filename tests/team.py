"""Podium as a team runs it, on this machine: a control plane, two gateways and a builder as services of their own, rows in
PostgreSQL, rings through Redis, images in a registry, apps in a real cluster that is reached through a door which tests can
shut. Owns starting and ending it, and a `Storm`: people who go on using it while it is hurt."""

import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests import containers, crowd, kube, servers
from tests.parts import Apart, Gateway, Part
from tests.support import eventually

#: Small, as others test on these nodes too; `roaming` may run beside the GPUs.
HARDWARE = """
flavors:
  - name: cpu-basic
    cpu: 0.05
    memory: 256 MB
    disk: 256 MB
  - name: by-the-gpus
    cpu: 0.05
    memory: 256 MB
    disk: 256 MB
    tolerations: [{key: nvidia.com/gpu, operator: Exists}]
  - name: gpu
    cpu: 0.05
    memory: 256 MB
    disk: 256 MB
    accelerator: Nvidia A10G
    node_selector: {nvidia.com/gpu.present: "true"}
    tolerations: [{key: nvidia.com/gpu, operator: Exists}]
    price: 1.00
"""
LEASE = 4.0  #: seconds of a builder's silence


class Team(Apart):
    def __init__(self, home: Path, namespace: kube.Namespace, shim: kube.Shim, **settings: str) -> None:
        self.namespace, self.shim = namespace, shim
        self.postgres, self.redis = servers.Postgres(), servers.Redis()
        self.postgres.start()
        self.redis.start()
        (home / "hardware.yaml").write_text(HARDWARE)
        self._database = self.postgres.database()
        super().__init__(
            home, runtime="kubernetes", builds="celery", builders="2", build_lease=f"{LEASE:g}", stop_grace="2",
            base_image=containers.base(), registry=f"{kube.REGISTRY}/podium-test", kubeconfig=str(shim.path),
            kube_namespace=namespace.name, hardware=str(home / "hardware.yaml"), database_url=self._database,
            redis_url=self.redis.url, kube_share="0.05", **settings,
        )  # fmt: skip
        self.gateways: list[Gateway] = []
        self.builder: Part | None = None

    def start(self, timeout: float = 90) -> "Team":
        super().start(timeout)
        self.gateways = [Gateway(self, self.feed_token) for _ in range(2)]
        self.start_builder()
        eventually(lambda: all(one.ready() for one in self.gateways), 60, "the gateways subscribing")
        self.port, self.http = self.gateways[0].port, self.gateways[0].http
        return self

    def start_builder(self, **settings: str) -> None:
        self.builder = Part(self, "builder", self.data, "--with-parent", **settings)

    def restart_gateway(self, number: int) -> None:
        """Killed, and another one in its place that serves, if only what it finds on its disk."""
        old = self.gateways[number]
        old.kill()
        self.gateways[number] = made = Gateway(self, self.feed_token, old)
        self.http = self.gateways[0].http
        eventually(made.ready, 30, "a gateway serving after a restart")

    def ports(self) -> list[int]:
        return [one.port for one in self.gateways]

    def rows(self, sql: str) -> list[list[str]]:
        said = self.postgres.sql(sql, urlsplit(self._database).path.lstrip("/"))
        return [line.split("|") for line in said.splitlines()]

    def row(self, space, columns: str) -> list[str]:
        return self.rows(f"SELECT {columns} FROM spaces WHERE name = '{space.name}'")[0]

    def end(self) -> None:
        for part in (*self.gateways, self.builder, getattr(self, "control", None)):
            if part is not None:
                with suppress(Exception):
                    part.kill()
        super().end()
        self.postgres.remove()
        self.redis.remove()


class Storm:
    """While it lasts: visitors of all apps, an author who pushes to the first, and a gateway that dies in the middle.

    `measured` is filled at the end: seconds from `healed()` until all is as it should be, questions, pushes and refusals."""

    def __init__(self, team: Team, author: crowd.Author, spaces: list, excused: tuple = ()) -> None:
        self._team, self.author, self._spaces = team, author, spaces
        self._excused = {one.name for one in excused}  #: apps on a node that is to die
        self.visitors = {one.name: crowd.Visitor(urlsplit(one.url).hostname or "", team.ports) for one in spaces}
        self._first = len(author.pushes)
        self.measured: dict[str, object] = {}

    def __enter__(self) -> "Storm":
        for visitor in self.visitors.values():
            visitor.start()
        self.author.start()
        self.lasts(1.0)
        return self

    def lasts(self, seconds: float) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        eventually(lambda: time.monotonic() > end, seconds + 5, every=0.1)

    def gateway_dies(self) -> None:
        """Killed and restarted now, in the middle of the fault."""
        self._team.restart_gateway(len(self.author.pushes) % 2)

    def __exit__(self, kind, error, trace) -> None:
        """The fault has been healed: measure how long it takes, then judge."""
        healed = time.monotonic()
        self.author.stop()
        try:
            if kind is None:
                self._settle()
                self.measured["back to normal, s"] = round(time.monotonic() - healed, 1)
                self.lasts(0.5)
        finally:
            for visitor in self.visitors.values():
                visitor.stop()
        if kind is None:
            self._judge()

    def _settle(self) -> None:
        """60 seconds after healing: what main says is what runs, and nothing is under way."""
        first = self._spaces[0]
        eventually(lambda: self._is_calm(first), 60, "all being calm again", every=0.1)

    def _is_calm(self, first) -> bool:
        sha, revision, running, stage = self._team.row(first, "sha, revision, running_revision, stage")
        under_way = self._team.rows("SELECT key FROM builds WHERE state IN ('queued', 'running')")
        intents = self._team.rows("SELECT id FROM intents")
        stages = {
            name: self._team.rows(f"SELECT stage FROM spaces WHERE name = '{name}'")[0][0] for name in self.visitors
        }
        wrong = {name: stage for name, stage in stages.items() if stage != "RUNNING"}
        told = {sha, revision, running}
        assert not under_way and not intents and not wrong and len(told) == 1, (told, stage, under_way, intents, wrong)
        version = next(one.version for one in self.author.pushes if one.commit == sha)
        for number in range(len(self._team.gateways)):
            answer = self.visitors[first.name].ask(number)
            assert answer.body.strip() == str(version), (answer, version)
        return True

    def _judge(self) -> None:
        mine = self.author.pushes[self._first :]
        taken = [one for one in mine if one.done]
        asked = sum(len(one.answers) for one in self.visitors.values())
        slowest = max((a.took for v in self.visitors.values() for a in v.answers if a.good), default=0.0)
        self.measured |= {
            "questions": asked, "slowest answer, s": round(slowest, 2), "pushes taken": len(taken),
            "refused": len(mine) - len(taken),
        }  # fmt: skip
        if refusals := self.author.refusals(self._first):
            print("refusals:", refusals)
        for name, visitor in self.visitors.items():
            if name not in self._excused:
                assert not (bad := visitor.failures()), (
                    f"{name}: {len(bad)} of {len(visitor.answers)}, such as {bad[:4]}"
                )
                assert len(visitor.answers) > 5, name
            assert not (back := visitor.went_back()), f"{name}: {back[:3]}"
        sha = self._team.row(self._spaces[0], "sha")[0]
        landed = next(one.version for one in self.author.pushes if one.commit == sha)
        assert landed >= self.author.last_done, "a push that was taken is gone"
        states = dict(self._team.rows("SELECT revision, state FROM builds"))
        for push in taken:
            state = states.get(push.commit)  # none: a newer push came before its build began
            assert state in ("succeeded", "superseded") or (state is None and push.version < landed), (push, state)
        for push in mine:
            assert "Traceback" not in push.words and " 500" not in push.words, push.words
