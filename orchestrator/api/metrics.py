"""What Podium tells a Prometheus: text in its exposition format 0.0.4. Pure; numbers that do not come from the database are not
here, so that every replica tells the same."""

from collections.abc import Mapping, Sequence

from orchestrator.domain.stage import Stage

TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(
    version: str, missing: Sequence[str], stages: Mapping[str, int], builds: tuple[int, int], waiting: int
) -> str:
    """`missing`: why the control plane is not ready; `builds`: waiting and being made; `waiting`: Spaces in line for hardware."""
    queued, running = builds
    lines = [
        *_gauge("podium_info", "Version of this control plane.", [(f'{{version="{version}"}}', 1)]),
        *_gauge("podium_ready", "1: this control plane is ready.", [("", int(not missing))]),
        *_gauge(
            "podium_spaces",
            "Spaces by stage.",
            [(f'{{stage="{one.value}"}}', stages.get(one.value, 0)) for one in Stage],
        ),
        *_gauge("podium_builds", "Builds by state.", [('{state="queued"}', queued), ('{state="running"}', running)]),
        *_gauge("podium_hardware_waiting", "Spaces that wait for hardware.", [("", waiting)]),
    ]
    return "\n".join(lines) + "\n"


def _gauge(name: str, says: str, values: Sequence[tuple[str, int]]) -> list[str]:
    return [f"# HELP {name} {says}", f"# TYPE {name} gauge", *(f"{name}{labels} {value}" for labels, value in values)]
