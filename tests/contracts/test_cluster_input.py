"""Images of authors' own Dockerfiles that are built well and cannot run as they are, on a Docker engine and on a cluster: each
end is a sentence that says what to change (D4 79 and 80)."""

import tempfile
from pathlib import Path

import pytest

from orchestrator.domain.hardware import Hardware
from orchestrator.domain.seen import Image
from orchestrator.ports import LaunchSpec
from tests import containers, kube
from tests.contracts.test_runtime import ClusterWorld, ContainerWorld
from tests.support import eventually

HARDWARE = Hardware("cpu-basic", "CPU", 0.2, 256 * 1024**2, 64 * 1024**2)
SCRIPT = "echo never reached\n"
#: name: (lines after FROM, code, words of the sentence, words of the advice). Where Podium's launcher is not in the image, nobody
#: sees on which port it listens instead: then it is the time limit that says so.
CASES = {
    "needs-root": ("CMD echo state > /srv/state && sleep 60", "APP_EXITED", "ermission denied", "user 1000"),
    "not-executable": ('COPY --chmod=644 app /app.sh\nENTRYPOINT ["/app.sh"]', "APP_EXITED", "ermission denied", ""),
    "not-there": ('ENTRYPOINT ["/no/such/program"]', "APP_EXITED", "/no/such/program", ""),
    "ends": ("CMD echo all is said", "APP_EXITED", "exit code 0", "keep running"),
    "elsewhere": ("CMD python3 -m http.server 8123", "APP_PORT", "7860", ""),
    "inward": ("CMD python3 -m http.server 7860 --bind 127.0.0.1", "APP_PORT", "7860", ""),
}


@pytest.fixture(params=["docker", "kubernetes"])
def world(request):
    if why_not := kube.trouble() if request.param == "kubernetes" else containers.trouble():
        pytest.skip(why_not)
    root = Path(tempfile.mkdtemp(prefix="podium-test-"))
    made = (ClusterWorld if request.param == "kubernetes" else ContainerWorld)(root, request.param)
    yield made
    made.close()


def built(lines: str, folder: Path) -> str:
    """Id of the image."""
    (folder / "app").write_text(SCRIPT)
    (folder / "Dockerfile").write_text(f"FROM {containers.base()}\n{lines}\n")
    return containers.docker("build", "-q", "--label", "podium.test=1", str(folder))


@pytest.mark.timeout(400)
def test_each_end_says_what_to_change(world, tmp_path):
    names = {}
    for case, (lines, *_) in CASES.items():
        image = built(lines, tmp_path)
        reference = kube.push(image) if isinstance(world, ClusterWorld) else image
        made = Image("sha", "docker", (), {}, reference=reference, startup_timeout=8.0, port=7860)
        names[case] = f"s-{case}-1"
        world.runtime.launch(LaunchSpec(names[case], case, "key", made, HARDWARE, {}))
    told = {case: eventually(lambda name=name: world.see(name).fault, 60, case) for case, name in names.items()}
    print("\n".join(f"{case}: {fault}" for case, fault in told.items()))
    for case, (_, code, words, advice) in CASES.items():
        fault = told[case]
        codes = (code, "APP_TIMEOUT") if code == "APP_PORT" else (code,)
        assert fault.code in codes and words in fault.message and advice in fault.hint, (case, fault)
