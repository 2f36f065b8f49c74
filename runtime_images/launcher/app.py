"""From a forked process to the app: its own session, control group, limits and environment. Owns nothing after that."""

import ctypes
import os
import re
import resource
import signal

TYPE_CHECKING = False  # typing's own costs 10 ms at each start
if TYPE_CHECKING:
    from .cgroup import Cgroup

libc = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG = 1
#: Variables that some shells do not let anybody set.
_SHELL_OWN = {"UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO", "PWD", "OLDPWD"}


def become(spec: dict, cgroup: "Cgroup | None", stdout: int, parent: int) -> None:
    """In a child of `parent`, which never returns. `stdout`: what the app writes to, -1 for what the launcher does."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        if stdout >= 0:
            os.dup2(stdout, 1)
            os.dup2(stdout, 2)
        if cgroup:
            cgroup.enter()
        _limit(spec)
        os.umask(spec.get("umask", 0o022))
        os.chdir(spec.get("cwd", "/"))
        argv, env = spec["argv"], spec.get("env")
        if env is None:
            env = {name: value for name, value in os.environ.items() if name != "LAUNCH_SPEC"}
        if fd := spec.get("env_fd"):
            os.dup2(export_script(env), fd)
            env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        os.execvpe(argv[0], argv, env)
    except BaseException as problem:
        os.write(2, f"cannot start {spec['argv'][0]}: {problem}\n".encode())
    finally:
        os._exit(127)


def _limit(spec: dict) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: spec.get("files"),
        resource.RLIMIT_FSIZE: spec.get("file_size"),
        resource.RLIMIT_NPROC: spec.get("user_processes"),
    }
    for kind, value in wanted.items():
        if value is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
    try:  # when the whole machine runs out of memory, an app goes before Podium
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        pass


def export_script(env: "dict[str, str]") -> int:
    """Descriptor of a file in memory that makes a POSIX shell export `env`."""
    fd = os.memfd_create("env", 0)
    for name, value in env.items():
        if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in _SHELL_OWN:
            quoted = value.replace("'", "'\\''")
            os.write(fd, f"export {name}='{quoted}'\n".encode("utf-8", "surrogateescape"))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
