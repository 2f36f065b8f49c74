"""The command lines that confine an app: bubblewrap, or only another user. Builds argument lists; runs nothing but `probe`.

As root, bubblewrap makes the mounts with root's rights (an interpreter may live where only root can go) and setpriv then
becomes the Space's own user inside; otherwise a user namespace shows the app as uid 1000. The author's environment
comes last, from a descriptor (the launcher's `export_script`): neither bubblewrap nor setpriv may obey his LD_PRELOAD.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ENV_FD = 9  #: where the launcher puts the script that exports the environment
DEPTH = 2  #: bubblewrap's watcher and its pid 1 stand between the launcher and the app
APP, HOME, DATA, TMP = "/app", "/home/user", "/data", "/tmp"
TOOLS = "/opt/podium"  #: where files of ours that an app runs are seen

_ROOT_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
#: What programs read of /etc. Nothing here is secret or names a user of the machine.
_ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "fonts", "gai.conf", "host.conf", "hosts", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "localtime", "magic", "mime.types", "nsswitch.conf", "OpenCL", "pki", "protocols",
    "resolv.conf", "services", "ssl", "timezone", "vulkan",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one instance on the machine. `etc` holds its own passwd and group; `read_only` is seen at the
    same path inside; `tools` maps a name in TOOLS to a file."""

    app: Path
    home: Path
    tmp: Path
    etc: Path
    volume: Path
    read_only: tuple[Path, ...] = ()
    tools: tuple[tuple[str, Path], ...] = ()


def bubblewrap(
    places: Places, user: int | None, hostname: str, shared_memory: int, devices: Sequence[str] = ()
) -> list[str]:
    """The words before the app's own command. `user`: uid and gid to become (we are root), None for a user namespace.
    `shared_memory`: bytes of /dev/shm. `devices`: nodes to show, such as /dev/nvidia0."""
    words = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", hostname]
    words += ["--die-with-parent", "--new-session"]
    if user is None:
        words += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    else:
        words += ["--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            words += ["--cap-add", capability]
    words += _system()
    for name in ("passwd", "group"):
        words += ["--ro-bind-try", str(places.etc / name), f"/etc/{name}"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", "--size", str(shared_memory), "--tmpfs", "/dev/shm"]
    for device in devices:
        words += ["--dev-bind-try", device, device]
    words += ["--dir", "/home"]
    for inside, outside in ((TMP, places.tmp), (HOME, places.home), (APP, places.app), (DATA, places.volume)):
        words += ["--bind", str(outside), inside]
    for path in places.read_only:  # after /tmp and /home, which may hold them
        words += [*_parents(path), "--ro-bind", str(path), str(path)]
    for name, path in places.tools:
        words += ["--dir", "/opt", "--dir", TOOLS, "--ro-bind", str(path), f"{TOOLS}/{name}"]
    words += ["--remount-ro", "/", "--chdir", "/", "--"]
    return [*words, *([] if user is None else _become(user)), *_enter(APP)]


def another_user(user: int, app: Path) -> list[str]:
    """The words that only change the user, for a machine without bubblewrap. Dies with its parent all the same."""
    return [*_become(user), *_enter(str(app))]


def _become(user: int) -> list[str]:
    return [
        "setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "--no-new-privs",
        "--inh-caps=-all", "--bounding-set=-all", "--pdeathsig", "KILL", "--",
    ]  # fmt: skip


def _enter(app: str) -> list[str]:
    """As the app's user: take its environment, go to its files (closed even to root by now), become its command."""
    return ["/bin/sh", "-c", f'. /dev/fd/{ENV_FD}; cd "$0" && exec "$@" {ENV_FD}<&-', app]


def _system() -> list[str]:
    """Programs, libraries and the harmless part of /etc, read only."""
    words = ["--ro-bind", "/usr", "/usr"]
    for path in _ROOT_LINKS:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        else:
            words += ["--ro-bind-try", path, path]
    words += ["--dir", "/etc"]
    for name in _ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return [*words, "--ro-bind-try", "/sys/devices/system", "/sys/devices/system"]


def _parents(path: Path) -> list[str]:
    """Make the directories above a mount point: bubblewrap by itself makes them for root's eyes only."""
    return [word for parent in reversed(path.parents) if str(parent) != "/" for word in ("--dir", str(parent))]


def account_files(user: int) -> dict[str, str]:
    """The /etc/passwd and /etc/group that an app sees: itself, root, nobody."""
    people = (("root", 0, "/root"), ("user", user, HOME), ("nobody", 65534, "/nonexistent"))
    return {
        "passwd": "".join(f"{name}:x:{uid}:{uid}:{name}:{home}:/bin/sh\n" for name, uid, home in people),
        "group": "".join(f"{name}:x:{uid}:\n" for name, uid, _ in people),
    }


def interpreter_roots(environment: Path) -> tuple[Path, ...]:
    """What must be seen, besides itself, for the Python environment to run: its base interpreter's directory, under each
    name that leads there. Nothing for one in /usr."""
    try:
        lines = (environment / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return ()
    homes = [value.strip() for key, _, value in (line.partition("=") for line in lines) if key.strip() == "home"]
    roots: list[Path] = []
    for home in homes:
        names = [Path(home).parent, Path(os.path.realpath(home)).parent]
        link = environment / "bin" / "python"
        for _ in range(8):
            if not link.is_symlink():
                break
            link = Path(os.path.normpath(link.parent / os.readlink(link)))
            names.append(link.parent.parent)
        roots += [name for name in names if name.is_dir() and name != environment and not visible(name)]
    return tuple(dict.fromkeys(roots))


def visible(path: Path) -> bool:
    """Whether every sandbox shows it anyway."""
    return path.parts[:2] in (("/",), ("/", "usr"), ("/", "bin"), ("/", "sbin"), ("/", "lib"), ("/", "lib64"))


def probe() -> str:
    """Empty when bubblewrap works here, else why not, in a few words."""
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed"
    root = os.geteuid() == 0
    if root and not shutil.which("setpriv"):
        return "setpriv (util-linux) is not installed"
    nowhere = Path("/usr")
    words = bubblewrap(Places(nowhere, nowhere, nowhere, nowhere, nowhere), 65534 if root else None, "probe", 1024**2)
    end = words.index("/bin/sh")
    try:
        done = subprocess.run(
            [*words[:end], "/bin/true"], capture_output=True, timeout=10, text=True, env={"PATH": os.defpath}
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"bubblewrap does not run: {problem}"
    return "" if done.returncode == 0 else f"bubblewrap does not work here: {done.stderr.strip()[-200:]}"
