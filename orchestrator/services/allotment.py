"""Everything about who has which hardware, put together: what there is, who asks, how much, how long. Each of the services has
a file of its own; this one only makes them fit."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.domain.hardware import Hardware
from orchestrator.ports import Bell, Runtime, Store
from orchestrator.services.capacity import Capacity
from orchestrator.services.hardware import HardwareRequests, Notice
from orchestrator.services.quotas import Quotas
from orchestrator.services.replicas import Replicas
from orchestrator.services.usage import Meter, UsageReports


@dataclass(frozen=True)
class Allotment:
    """`flavors` by name, the default first. `meter` is a loop: somebody must start it."""

    flavors: Mapping[str, Hardware]
    requests: HardwareRequests
    quotas: Quotas
    capacity: Capacity
    usage: UsageReports
    meter: Meter
    replicas: Replicas

    @property
    def default(self) -> Hardware:
        return next(iter(self.flavors.values()))

    @classmethod
    def of(
        cls,
        store: Store,
        bell: Bell,
        runtime: Runtime,
        flavors: Mapping[str, Hardware],
        sleep_after: float = 172800.0,
        notify: Callable[[Notice], None] = lambda notice: None,
        clock=time.time,
        replicas: int = 10,
    ) -> "Allotment":
        """`sleep_after`: what Spaces begin with, in seconds, -1 for never. `notify` is told of requests and decisions.
        `replicas`: the most of one Space."""
        quotas, capacity = Quotas(store, bell, flavors, clock), Capacity(store, runtime, flavors, clock)
        begins = None if sleep_after == -1 else sleep_after
        several = Replicas(store, bell, runtime, flavors, quotas, capacity, replicas, clock)
        requests = HardwareRequests(store, bell, flavors, quotas, capacity, several, begins, notify, clock)
        meter = Meter(store, runtime, bell, flavors, quotas, clock)
        return cls(flavors, requests, quotas, capacity, UsageReports(store, clock), meter, several)
