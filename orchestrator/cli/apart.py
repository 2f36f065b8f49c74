"""What `podium doctor` says about apps on one network: whether they can reach each other's ports. Owns no output (doctor.py)."""

import os

from orchestrator.cli.check import Check, apt


def app_ports(runtime: str) -> Check:
    from orchestrator import adapters

    return judge_app_ports(runtime, adapters.fence_trouble() if runtime == "process" else "", os.geteuid() == 0)


def judge_app_ports(runtime: str, trouble: str, root: bool) -> Check:
    if runtime != "process":
        return Check("app ports", "ok", "each app has a network of its own")
    if not trouble:
        return Check("app ports", "ok", "nftables keeps apps from each other's ports")
    cost = "apps reach each other's ports, of private Spaces too, and those of this machine"
    fix = apt("nftables", root) if "not installed" in trouble else ""
    return Check("app ports", "warn", trouble, cost, fix)
