"""git's pkt-line framing (gitprotocol-common(5)) and the two things we say in it: lines for the pusher and the report of a
push that we refuse ourselves. Pure."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from orchestrator.domain.push import RefUpdate, parse_updates
from orchestrator.errors import Invalid

FLUSH = b"0000"
COMMANDS_LIMIT = 1024**2  #: bytes of the list of updates in front of a pack
_LONGEST = 65520
_HEX = frozenset(b"0123456789abcdefABCDEF")


def packet(data: bytes) -> bytes:
    return b"%04x%s" % (len(data) + 4, data)


def band(number: int, data: bytes) -> Iterator[bytes]:
    """Data on a sideband (1 data, 2 messages, 3 fatal), cut to the size that a packet may have."""
    for start in range(0, len(data), 65515):
        yield packet(bytes([number]) + data[start : start + 65515])


def say(*lines: str) -> bytes:
    """Messages that git shows as `remote: …`."""
    return b"".join(band(2, "".join(f"podium: {line}\n" for line in lines).encode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Commands:
    """The head of a receive-pack request. `raw` is what was read, to be given on to git; it may include some of the pack."""

    updates: tuple[RefUpdate, ...]
    capabilities: frozenset[str]
    raw: bytes

    @property
    def sideband(self) -> bool:
        return "side-band-64k" in self.capabilities

    def refusal(self, why: str) -> bytes:
        """A whole response: the push failed, and why."""
        lines = [packet(f"unpack {why}\n".encode())]
        lines += [packet(f"ng {update.ref} {why}\n".encode()) for update in self.updates]
        report = b"".join(lines) + FLUSH
        return say(why) + b"".join(band(1, report)) + FLUSH if self.sideband else report


async def read_commands(body: AsyncIterator[bytes]) -> Commands:
    """The updates at the start of a receive-pack request. Raises Invalid `GIT_PROTOCOL`."""
    raw = b""
    lines: list[bytes] = []
    capabilities: frozenset[str] = frozenset()
    at = 0
    async for chunk in body:
        raw += chunk
        while len(raw) - at >= 4:
            length = length_of(raw[at : at + 4])
            if length == 0:
                return Commands(_updates(lines), capabilities, raw)
            if len(raw) - at < length:
                break
            line, _, words = raw[at + 4 : at + length].partition(b"\0")
            if words:
                capabilities = frozenset(words.decode("utf-8", "replace").split())
            lines.append(line.rstrip(b"\n"))
            at += length
        if len(raw) > COMMANDS_LIMIT:
            raise Invalid("GIT_PROTOCOL", "the list of refs to update is too long; push fewer at once")
    if raw:
        raise Invalid("GIT_PROTOCOL", "the list of refs to update ends early; is this a git client?")
    return Commands((), capabilities, raw)


def _updates(lines: list[bytes]) -> tuple[RefUpdate, ...]:
    lines = [line for line in lines if not line.startswith((b"shallow ", b"push-cert"))]
    return parse_updates("\n".join(line.decode("utf-8", "replace") for line in lines))


def length_of(head: bytes) -> int:
    """Length of a packet with its four digits, 0 for a flush. Raises Invalid `GIT_PROTOCOL`."""
    if not _HEX.issuperset(head):
        raise Invalid("GIT_PROTOCOL", "the request is not in git's packet format")
    length = int(head, 16)
    if 0 < length < 4 or length > _LONGEST:
        raise Invalid("GIT_PROTOCOL", f"a packet of length {length} is not valid here")
    return length


@dataclass(slots=True)
class Holder:
    """Splits the output of receive-pack: messages pass at once, the report is held until `held` is released, so that the
    client hears of success only when it is durable. Without a sideband everything is held; it is short."""

    sideband: bool
    held: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)  #: the end of what went by on band 2
    _rest: bytes = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may go out now."""
        if not self.sideband:
            self.held += chunk
            return b""
        data, passed, at = self._rest + chunk, [], 0
        while len(data) - at >= 4:
            length = length_of(data[at : at + 4]) or 4
            if len(data) - at < length:
                break
            one = data[at : at + length]
            if length > 4 and one[4:5] == b"\x02":
                passed.append(one)
                self.heard = (self.heard + one[5:])[-4096:]
            else:
                self.held += one
            at += length
        self._rest = data[at:]
        return b"".join(passed)

    @property
    def succeeded(self) -> bool:
        """Everything was stored and every ref moved."""
        return b"unpack ok" in self.held and b"ng refs/" not in self.held
