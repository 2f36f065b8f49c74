"""The seam to the OpenID Connect provider with which people sign in: providers/openid.py."""

from collections.abc import Mapping
from typing import Any, Protocol

from orchestrator.domain.identity import Journey
from orchestrator.errors import Unavailable


class ProviderAway(Unavailable):
    """The provider does not answer, or not as one; nothing was changed. The text is shown."""


class Provider(Protocol):
    """`issuer`: its URL, as it calls itself. `name`: as people call it."""

    issuer: str
    name: str

    def url(self, journey: Journey) -> str:
        """Where the browser goes. Raises ProviderAway, Forbidden `PROVIDER_SETUP`."""

    def claims(self, journey: Journey, code: str, wanted: tuple[str, ...] = ()) -> tuple[Mapping[str, Any], str]:
        """Who came back with `code`, proven, and the proof: at least `sub`, a text of 1 to 255 characters; `wanted` claims are
        asked for once more when the proof does not have them. Raises ProviderAway, and Forbidden `PROVIDER_SETUP`,
        `PROVIDER_CODE` (used, too old or another's), and for a proof that does not hold `PROVIDER_TOKEN`,
        `PROVIDER_SIGNATURE`, `PROVIDER_ISSUER`, `PROVIDER_AUDIENCE`, `PROVIDER_NONCE`, `PROVIDER_CLOCK`."""

    def farewell(self, proof: str) -> str:
        """Where a browser goes to sign out there, too, and comes back from (OpenID Connect RP-Initiated Logout 1.0); "" when the
        provider has no such place. `proof`: that of the sign-in, "" when it is not known any more. Raises as `url`."""

    def says_who(self) -> bool:
        """Whether the provider promises to name itself when it sends people back (RFC 9207). Raises as `url`."""
