"""How much one visitor may ask for: request rates per address and Space, connections per address. Owns the counters, not the
answers."""

from orchestrator.domain.internet import subject

_SUBJECTS = 100_000


class Bucket:
    """Tokens refill at `rate` per second up to `burst`; a request takes one."""

    __slots__ = ("at", "burst", "rate", "tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate, self.burst, self.tokens, self.at = rate, burst, burst, now

    def take(self, now: float) -> bool:
        tokens = self.tokens + (now - self.at) * self.rate
        self.at = now
        if tokens > self.burst:
            tokens = self.burst
        if tokens < 1.0:
            self.tokens = tokens
            return False
        self.tokens = tokens - 1.0
        return True

    @property
    def wait(self) -> float:
        """Seconds until the next token."""
        return max(0.0, (1.0 - self.tokens) / self.rate)


class Rates:
    """A bucket per (address, label). Full buckets are forgotten."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.burst = rate * 4
        self._buckets: dict[tuple[str, bytes], Bucket] = {}

    def bucket(self, address: str, label: bytes, now: float) -> Bucket:
        key = (subject(address), label)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _SUBJECTS:
                self.sweep(now)
            bucket = self._buckets[key] = Bucket(self.rate, self.burst, now)
        return bucket

    def sweep(self, now: float) -> None:
        idle = now - self.burst / self.rate
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.at > idle}


class Crowd:
    """Open connections per address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        who = subject(address)
        count = self._open.get(who, 0)
        if count >= self._limit:
            return False
        self._open[who] = count + 1
        return True

    def leave(self, address: str) -> None:
        who = subject(address)
        count = self._open.get(who, 0) - 1
        if count > 0:
            self._open[who] = count
        else:
            self._open.pop(who, None)
