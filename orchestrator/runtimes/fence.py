"""Keeps the apps of one machine out of each other's ports, and out of the machine's own, with an nftables table of ours.

A *stranger* is a user (uid) that runs other people's code: one for each Space, one for builds. A new TCP connection of a
stranger to an address of this machine comes about only with a listener of the same user, or at a *door*: a port that is
open to all, such as the gateway's. A stranger answers nobody at a door and nobody outside of the machine: visitors come by
the gateway. On a port that was *given* to an instance no stranger answers but that instance's user, so that nobody can take
the place of an app that died.

Who calls, the kernel tells with the call (SYN) alone, and who listens, with the answer (SYN-ACK) alone. So a stranger's
call is noted (in `guests`, and with its user in `callers`), and where the users differ the answer becomes a refusal. A
socket whose user the kernel does not tell (some MPTCP, SMC) counts as somebody else's. An answer without one is lost: it may be
that of a queue which is full (a SYN cookie), and the call is tried again. Of UDP, only DNS passes.
The data of connections passes one rule and no connection tracking.

All Podiums of a machine share the table. What one of them leaves there in a crash ends by itself, but for the strangers.
Everything is done in single transactions, and no other table is touched. Does not decide who gets which port or user."""

import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from string import Template

log = logging.getLogger(__name__)
TABLE = "inet podium"
#: Until what nobody renews is forgotten. An app whose Podium has crashed may still call the gateway.
_LIFE = {"doors": "1d", "ports": "10m", "owners": "10m"}
_RENEWAL = 60.0  #: seconds; a firewall that is loaded anew may flush our table with all others
_SECONDS = 20.0  #: that nft may take
_PATH = f"{os.defpath}:/usr/local/sbin:/usr/sbin:/sbin"
_NOT_ROOT = "only root can give each Space a user of its own"
Given = Collection[tuple[int, int]]  #: (uid, port)


def _both(text: str) -> str:
    """Lines with a `$` twice, for IPv4 and for IPv6. `$call` and `$back` name one connection, in a call and in its answer."""
    families = [
        {
            "v": version,
            "call": f"{ip} saddr . tcp sport . {ip} daddr . tcp dport",
            "back": f"{ip} daddr . tcp dport . {ip} saddr . tcp sport",
            "type": f"{kind} . inet_service . {kind} . inet_service",
            "noted": "flags dynamic,timeout; timeout 1m; size 131072",  # longer than the pauses between tries of a call
        }
        for version, ip, kind in ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr"))
    ]
    lines = [
        [Template(line).substitute(one) for one in families] if "$" in line else [line] for line in text.split("\n")
    ]
    return "\n".join(line for group in lines for line in group)


#: `meta skuid != @strangers` holds only where the kernel tells the user; MPTCP, SMC and TCP Fast Open are the options 30, 254
#: and 34. The last would bring data before the answer is judged.
RULES = _both(
    f"""
add table {TABLE}
flush table {TABLE}
table {TABLE} {{
  set strangers {{ type uid; }}
  set doors {{ type inet_service; flags timeout; elements = {{ 53 }}; }}
  set ports {{ type inet_service; flags timeout; }}
  set owners {{ type inet_service . uid; flags timeout; }}
  set guests$v {{ type $type; $noted; }}
  set callers$v {{ type $type . uid; $noted; }}
  chain noted {{
    delete @guests$v {{ $call }}
  }}
  chain stranger {{
    tcp option 34 exists reject with tcp reset
    tcp dport @ports tcp dport . meta skuid != @owners reject with tcp reset
    $call @guests$v $call . meta skuid != @callers$v reject with tcp reset
    add @callers$v {{ $call . meta skuid }} add @guests$v {{ $call }} accept
    reject with tcp reset
  }}
  chain call {{
    tcp dport @doors accept
    meta skuid @strangers goto stranger
    meta skuid != @strangers goto noted
    tcp option 30 exists reject with tcp reset
    tcp option 254 exists reject with tcp reset
    goto noted
  }}
  chain refuse {{
    meta skuid @strangers tcp flags set rst|ack accept
    meta skuid != @strangers tcp flags set rst|ack accept
    drop
  }}
  chain owned {{
    tcp sport . meta skuid @owners return
    meta skuid != @strangers return
    goto refuse
  }}
  chain guest {{
    $back . meta skuid @callers$v delete @guests$v {{ $back }} delete @callers$v {{ $back . meta skuid }} accept
    goto refuse
  }}
  chain answer {{
    tcp sport @doors meta skuid @strangers goto refuse
    oif != lo meta skuid @strangers goto refuse
    oif != lo accept
    tcp sport @ports jump owned
    $back @guests$v goto guest
  }}
  chain other {{
    udp dport 53 accept
    reject
  }}
  chain output {{
    type filter hook output priority filter; policy accept;
    meta l4proto tcp tcp flags & (syn|rst) != syn accept
    meta l4proto tcp tcp flags & ack == ack goto answer
    oif != lo accept
    meta l4proto tcp goto call
    meta skuid @strangers goto other
  }}
}}
"""
)


class Fence:
    """`given` tells who has which port now. `doors`: ports that every stranger may call. `strangers`: uids that are known from
    the start. `trouble`: why nobody is kept apart here, in a few words; empty when all are. With trouble, nothing here does
    anything."""

    def __init__(
        self, given: Callable[[], Given], doors: Collection[int] = (), strangers: Collection[int] = ()
    ) -> None:
        self._given, self.doors, self._strangers = given, tuple(doors), tuple(strangers)
        self._lock = threading.Lock()  # what `given` told must be said before anything newer is
        self._told: set[tuple[int, int]] = set()
        self.trouble = _apply(RULES + self._all(())) if os.geteuid() == 0 else _NOT_ROOT

    def give(self, uid: int, port: int) -> "Callable[[], None]":
        """Make the uid a stranger and the port its own. It is under way at once; call what is returned to wait for it, before
        the app starts. That raises OSError when it failed."""
        if self.trouble:
            return lambda: None
        begun = _begin(_admitted([uid]) + _owned([(uid, port)], "add"))

        def wait() -> None:
            if _end(begun) and (why := _apply(RULES + self._all([(uid, port)]))):  # the table may be gone
                raise OSError(f"cannot close its ports to other apps: {why}")

        return wait

    def take(self, given: Given) -> None:
        """The ports are nobody's any more, unless somebody has got them meanwhile."""
        with self._lock:
            self._told.difference_update(given)
            still = set(self._given())
            if given and not self.trouble and (why := _apply(_owned(set(given) - still, "end", {p for _, p in still}))):
                log.warning("ports of an app that has ended are still kept for it: %s", why)

    def renew(self, new: Given | None = None) -> None:
        """Say all of it again: for apps that were there before us, and for a table that was flushed. With `new`, only when
        something of it was not said yet."""
        if self.trouble or (new is not None and self._told.issuperset(new)):
            return
        with self._lock:
            given = self._told = set(self._given())
            if why := _apply(RULES + self._all(given)):
                log.error("apps can reach each other's ports on this machine: %s", why)

    def keep(self, ended: threading.Event) -> None:
        """Renew it now and then, in a thread, until `ended`."""
        if self.trouble:
            log.warning("apps can reach each other's ports on this machine: %s", self.trouble)
            return

        def run() -> None:
            while not ended.wait(_RENEWAL):
                self.renew()

        threading.Thread(target=run, name="fence", daemon=True).start()

    def _all(self, given: Given) -> str:
        doors = _lasting("doors", self.doors, "renew")
        return _admitted([*self._strangers, *(uid for uid, _ in given)]) + doors + _owned(given, "renew")


def probe() -> str:
    """Empty when apps can be kept apart here, else why not, in a few words. Changes nothing."""
    return _apply(RULES, "--check") if os.geteuid() == 0 else _NOT_ROOT


def _admitted(uids: Iterable[int]) -> str:
    words = ", ".join(str(uid) for uid in sorted(set(uids)))
    return f"add element {TABLE} strangers {{ {words} }}\n" if words else ""


def _owned(given: Given, what: str, but: Collection[int] = ()) -> str:
    """`but`: ports that are others' too."""
    pairs = [f"{port} . {uid}" for uid, port in sorted(given)]
    return _lasting("owners", pairs, what) + _lasting("ports", sorted({port for _, port in given} - {*but}), what)


def _lasting(name: str, elements: Collection[object], what: str) -> str:
    """Lines that `add` elements for some time, `renew` them (what is there keeps its time otherwise), or `end` them. What is not
    there cannot be deleted, so it is added before."""
    if not elements:
        return ""
    added = f"element {TABLE} {name} {{ {', '.join(f'{one} timeout {_LIFE[name]}' for one in elements)} }}\n"
    deleted = f"element {TABLE} {name} {{ {', '.join(map(str, elements))} }}\n"
    steps = {"add": ("add",), "renew": ("add", "delete", "add"), "end": ("add", "delete")}[what]
    return "".join(f"{step} {deleted if step == 'delete' else added}" for step in steps)


def _apply(text: str, *options: str) -> str:
    """Do all of it or nothing. Empty when it is done, else why not."""
    try:
        return _end(_begin(text, *options))
    except OSError as problem:
        return str(problem.strerror or problem)


def _begin(text: str, *options: str) -> subprocess.Popen:
    """nft at work. Raises OSError when there is none."""
    program = shutil.which("nft", path=_PATH)
    if not program:
        raise FileNotFoundError(2, "nftables is not installed; install the package nftables")
    process = subprocess.Popen(
        [program, *options, "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        cwd="/", env={"PATH": _PATH, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    with suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(text.encode())
    process.stdin = None  # `communicate` has nothing more to say
    return process


def _end(process: subprocess.Popen) -> str:
    """Wait for it. Empty when all is done, else why not."""
    with process:
        try:
            words = process.communicate(timeout=_SECONDS)[1].decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            process.kill()
            return f"nft took more than {_SECONDS:g} seconds"
    return "" if process.returncode == 0 else words.partition("\n")[0] or f"nft ended with {process.returncode}"
