"""Asks DNS, by dnspython. Owns whom it asks, for how long, and what its answers and its silence mean; what follows is
domain/own_domain.py."""

from collections.abc import Sequence

import dns.exception
import dns.resolver

from orchestrator.errors import Invalid, Unavailable

LIFETIME = 4.0  #: seconds that one question may take, with all that it leads to
_MOST = 50  #: values that are read of one answer


class Dns:
    """`servers`: IP addresses of those to ask; none: what the machine itself asks. Raises Invalid `SETTING`."""

    def __init__(self, servers: Sequence[str] = (), port: int = 53, lifetime: float = LIFETIME) -> None:
        self._lifetime = lifetime
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.port = port
        self._told = list(servers)
        if servers:
            try:
                self._resolver.nameservers = self._told
            except ValueError:
                raise Invalid(
                    "SETTING", f"PODIUM_DNS_SERVERS is {' '.join(servers)[:100]!r}; write IP addresses, by spaces"
                ) from None

    def texts(self, name: str) -> tuple[str, ...]:
        found = self._ask(name, "TXT")
        return tuple(b"".join(one.strings).decode("utf-8", "replace") for one in found)

    def addresses(self, name: str) -> tuple[str, ...]:
        return tuple(one.address for kind in ("A", "AAAA") for one in self._ask(name, kind))

    def _ask(self, name: str, kind: str) -> list:
        try:
            resolver = self._resolver if self._told else dns.resolver.Resolver()
            answer = resolver.resolve(name + ".", kind, raise_on_no_answer=False, lifetime=self._lifetime, search=False)
            return list(answer)[:_MOST]
        except dns.resolver.NXDOMAIN:
            return []
        except dns.resolver.LifetimeTimeout:
            raise Unavailable("DNS did not answer in time") from None
        except dns.resolver.NoNameservers:
            raise Unavailable("DNS answered with a failure (SERVFAIL or REFUSED)") from None
        except (dns.resolver.NoResolverConfiguration, OSError):
            raise Unavailable("this machine has no DNS server to ask; set PODIUM_DNS_SERVERS") from None
        except dns.exception.DNSException as error:
            raise Unavailable(f"DNS cannot be asked ({type(error).__name__})") from None
