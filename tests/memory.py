"""Ports in memory, for tests of services: a runtime whose instances do what they are told, and builds that end as told."""

from dataclasses import replace

from orchestrator.domain.seen import Fault, Image, InstanceSeen, InstanceState, ReplicaSeen
from orchestrator.domain.tree import Commit
from orchestrator.ports import BuildResult, LaunchSpec


class MemoryRuntime:
    single = ""

    def __init__(self):
        self.instances: dict[str, InstanceSeen] = {}
        self.specs: dict[str, LaunchSpec] = {}
        self.forgotten: list[str] = []
        self.now = 0.0
        self.nodes = ()
        self.told = []  #: what a cluster says, or how it fails to
        self.load = {}

    def capacity(self):
        return self.nodes

    def loads(self):
        return self.load

    def check(self):
        pass

    def launch(self, spec):
        if spec.instance_id not in self.instances:
            self.specs[spec.instance_id] = spec
            self.instances[spec.instance_id] = InstanceSeen(
                spec.instance_id, spec.space_id, spec.launch_key, InstanceState.STARTING, self.now, startup_timeout=60.0,
                asked=spec.replicas,
            )  # fmt: skip

    def scale(self, instance_id, replicas, drain=0.0):
        if one := self.instances.get(instance_id):
            self.instances[instance_id] = replace(one, asked=replicas)

    def list(self, space_id=None):
        return [i for i in self.instances.values() if space_id in (None, i.space_id)]

    def stop(self, instance_id, drain=0.0):
        self.instances.pop(instance_id, None)

    def events(self, space_id):
        if isinstance(self.told, Exception):
            raise self.told
        return self.told

    def forget_space(self, space_id):
        self.forgotten.append(space_id)

    def subscribe(self, changed):
        self.changed = changed

    def close(self):
        pass

    # what a test makes happen

    def answer(self, *names):
        """Of each instance these replicas answer, and no others."""
        for i in self.instances.values():
            there = tuple(ReplicaSeen(name, self.now, f"127.0.0.1:{name}") for name in names)
            self.instances[i.id] = replace(
                i, state=InstanceState.READY, ready_at=i.ready_at or self.now, replicas=there, address=there[0].address
            )

    def become_ready(self):
        for i in self.instances.values():
            if i.state is InstanceState.STARTING:
                self.instances[i.id] = replace(
                    i, state=InstanceState.READY, ready_at=self.now, address=f"127.0.0.1:{i.id}"
                )

    def crash(self, message="exited with code 1"):
        for i in self.instances.values():
            self.instances[i.id] = replace(i, state=InstanceState.EXITED, fault=Fault("APP_EXITED", message))


class MemoryBuilds:
    """`outcome(order) -> BuildResult`; by default a good image named by the revision."""

    def __init__(self):
        self.outcome = lambda order: BuildResult(
            Image(f"image-{order.revision[:8]}", "gradio", ("python", "app.py"), title="Hello"),
            previous={"declared": "d"},
        )
        self.orders = []
        self.phases = ()  #: that a build tells of
        self.gone = set()

    def run(self, order, log, cancelled, phase=lambda name: None):
        self.orders.append(order)
        for name in self.phases:
            phase(name)
        log(f"building {order.revision}")
        return self.outcome(order)

    def exists(self, image, doubted=False):
        return image.id not in self.gone

    def collect(self, keep, dry=False):
        self.kept = {image.id for image in keep}
        return 0

    def sizes(self):
        return {"Environments": 1000}

    def check(self):
        return ""


class MemoryRepos:
    def __init__(self):
        self.removed = []

    def create(self, repo_id):
        pass

    def remove(self, repo_id):
        self.removed.append(repo_id)

    def git_dir(self, repo_id):
        return f"/nowhere/{repo_id}"

    def log(self, repo_id, commit, skip=0, limit=50):
        return [Commit(commit, "Say hello", "Say hello", ("ann",), 1.0)]


class MemoryLogs:
    def __init__(self):
        self.lines: dict[str, list[str]] = {}

    def append(self, stream, *lines):
        self.lines.setdefault(stream, []).extend(lines)

    def end(self, stream):
        pass

    def remove(self, stream):
        self.lines.pop(stream, None)
