"""`make cluster-demo`: Podium on a Kubernetes cluster, from nothing to a Space on a GPU node, made the way people would make it:
images, `helm install`, a user, `git push`, a visit, other hardware, another visit. What it installs stays until `--remove`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests import containers
from tests.chart.installed import RELEASE, Installed
from tests.chart.kube import Failed, Kube, trouble
from tests.kube import kubeconfig
from tests.support import GiveUp, eventually

SAMPLE = Path(__file__).parents[1] / "apps" / "gradio_interface"
_BEGAN = time.monotonic()


def main() -> int:
    told = _options()
    if why_not := trouble(told.kubeconfig):
        print(f"cluster-demo {why_not}.", file=sys.stderr)
        return 1
    base = told.base or containers.base()
    if not base:
        print("cluster-demo needs a base image: --base, a Debian image with Python 3.11 and venv.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="podium-cluster-demo-") as home:
        podium = Installed(Kube(told.kubeconfig, told.namespace), Path(home), told.port, base, told.registry)
        try:
            if told.remove:
                podium.remove()
                return 0
            show(podium, told.keep_image)
        except (Failed, AssertionError, GiveUp, httpx.HTTPError) as error:
            print(f"cluster-demo: {error}", file=sys.stderr)
            return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cluster-demo", description=__doc__)
    parser.add_argument("--kubeconfig", default=kubeconfig(), help="of an admin [KUBECONFIG]")
    parser.add_argument("--namespace", default="podium-demo", help="of Podium; apps get another one beside it")
    parser.add_argument(
        "--registry", default="localhost:5000", help="that this machine and the nodes know by this name"
    )
    parser.add_argument("--base", default="", help="Debian image with Python and venv, for Podium and for apps")
    parser.add_argument("--port", type=int, default=30080, help="of the gateway on every node and on this machine")
    parser.add_argument("--keep-image", default="", metavar="TAG", help="use Podium's image of an earlier run")
    parser.add_argument("--remove", action="store_true", help="remove what an earlier run installed, and nothing else")
    return parser.parse_args()


def show(podium: Installed, tag: str = "") -> None:
    if tag:
        podium.tag = tag
    else:
        say("Building Podium's own image and that of the trial's PostgreSQL and Redis ...")
        podium.images()
    say(f"helm upgrade --install {RELEASE} helm/podium --namespace {podium.kube.namespace}  (image {podium.tag})")
    podium.up()
    say(f"Podium is ready: {len(podium.pods('gateway'))} gateways, {len(podium.pods('control'))} control plane, "
        f"{len(podium.pods('builder'))} builder. The console: {podium.url}")  # fmt: skip
    podium.owner = f"demo{int(time.time()) % 100000}"
    podium.token = podium.user(podium.owner, admin=True)
    space = podium.space("hello")
    say(f"git push {podium.url}/spaces/{space.id} main")
    space.push(SAMPLE)
    space.wait("RUNNING", timeout=300)
    _visit(space)
    say(f"RUNNING on {', '.join(podium.nodes())}: {space.url}")
    say("Upgrading it to a GPU: quota, then hardware")
    path = f"/api/podium/hardware/quotas/{podium.owner}/a10g-small"
    _asked(podium.request("PUT", path, {"hours": 20, "count": 1}, podium.token))
    space.api("POST", "/hardware", {"flavor": "a10g-small"})
    eventually(
        lambda: space.runtime()["hardware"]["current"] == "a10g-small" and space.stage() == "RUNNING", 60, every=0.5
    )
    _visit(space)
    (node,) = eventually(lambda: len(podium.nodes()) == 1 and podium.nodes(), 30, "the old pod leaving", every=0.5)
    say(f"RUNNING on {node}, {_gpus(podium, node)}: {space.url}")
    print(_end(podium, space))


def _visit(space) -> None:
    """Open it as a browser does, through the in-cluster gateway."""
    with space.client() as client:
        answer = client.get("/", headers={"accept": "text/html"})
    assert answer.status_code == 200, f"{space.url} answers {answer.status_code}"


def _asked(answer: httpx.Response) -> None:
    assert answer.status_code < 300, f"{answer.request.url}: {answer.status_code} {answer.text}"


def _gpus(podium: Installed, node: str) -> str:
    found = next(one for one in podium.kube.items("nodes") if one["metadata"]["name"] == node)
    return f"which has {found['status']['capacity'].get('nvidia.com/gpu', 0)} GPUs"


def _end(podium: Installed, space) -> str:
    return f"""
  The Space    {space.url}
  Its page     {podium.url}/spaces/{space.id}
  Sign in      {podium.cli("user", "link", podium.owner).strip().splitlines()[-1]}   (once, within the hour)
  Token        {podium.token}
  Look inside  kubectl -n {podium.kube.namespace} get pods; kubectl -n {podium.apps} get pods -o wide
  Remove it    make cluster-demo OPTIONS=--remove
"""


def say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
