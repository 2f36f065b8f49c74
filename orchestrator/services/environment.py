"""Secrets and variables of a Space, and the environment that its app is given."""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from orchestrator.domain.caller import Caller, require
from orchestrator.domain.events import of_config
from orchestrator.domain.hardware import Hardware
from orchestrator.domain.records import AuditRow, Setting, Space
from orchestrator.domain.space import Role
from orchestrator.errors import Conflict, Invalid
from orchestrator.ports import Bell, Store
from orchestrator.services.vault import Undecryptable, Vault

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_RESERVED = re.compile(
    r"PATH|LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT|HOME|PORT|HOSTNAME|SHELL|USER|LOGNAME|SYSTEM|SPACE_\w*|PODIUM_\w*|KUBERNETES_\w*|"
    r"NVIDIA_\w*|CUDA_VISIBLE_DEVICES|ACCELERATOR|CPU_CORES|MEMORY|VIRTUAL_ENV|OAUTH_\w*|OPENID_PROVIDER_URL",
    re.IGNORECASE,
)
_PUT = {True: "secret.put", False: "variable.put"}
VALUE_LIMIT = 32 * 1024
TOTAL_LIMIT = 512 * 1024
COUNT_LIMIT = 1000


class Environment:
    """`defaults`: what every app is given unless its Space has a variable of that name. `signs_in(space)`: what a Space that
    signs people in is told (services/oauth.py)."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        bell: Bell,
        clock=time.time,
        *,
        defaults: Mapping[str, str] | None = None,
        signs_in: Callable[[Space], Mapping[str, str]] = lambda space: {},
    ) -> None:
        self._store = store
        self._defaults = dict(defaults or {})
        self._signs_in = signs_in
        self._vault = vault
        self._bell = bell
        self._clock = clock

    def all(self, caller: Caller, space: Space, secret: bool) -> list[Setting]:
        """Secrets (their values stay locked) or variables. Both are for those who may change the Space."""
        require(caller, space, Role.WRITE)
        with self._store.read() as tx:
            return [s for s in tx.secrets.all(space.id) if s.secret == secret]

    def put(self, caller: Caller, space: Space, key: str, value: str, secret: bool, description: str = "") -> None:
        """Add or change one; the app restarts with it. Raises Invalid `SECRET_NAME`, `SECRET_VALUE`, `SECRET_QUOTA`;
        Conflict `SECRET_KIND` when a variable has the name of a secret or the other way round."""
        require(caller, space, Role.WRITE)
        self.put_in(space.id, {key: (value, secret, description)}, caller.name)

    def put_in(self, space_id: str, settings: Mapping[str, tuple[str, bool, str]], actor: str) -> None:
        """Several at once, in one restart: name -> (value, secret, description)."""
        with self._store.write() as tx:
            self.write(tx, space_id, settings, actor)
        self._bell.ring("spaces")

    def write(self, tx, space_id: str, settings: Mapping[str, tuple[str, bool, str]], actor: str) -> None:
        """The same within a transaction; all or nothing is the transaction's."""
        for key, (value, _, description) in settings.items():
            check_setting(key, value, description)
        now, space = self._clock(), tx.spaces.get(space_id)
        have = {s.key: s for s in tx.secrets.all(space_id)}
        for key, (value, secret, description) in settings.items():
            known = have.get(key)
            if known and known.secret != secret:
                kind, other = ("secret", "variable") if known.secret else ("variable", "secret")
                raise Conflict("SECRET_KIND", f"{key} is a {kind} already; delete it before you make it a {other}")
            stored = self._vault.lock(space_id, key, value) if secret else value
            have[key] = Setting(key, stored, secret, description, now)
            tx.secrets.put(space_id, have[key])
            tx.audit.add(AuditRow(now, actor, _PUT[secret], space.full_name if space else space_id, {"key": key}))
        size = sum(len(s.value) for s in have.values())
        if len(have) > COUNT_LIMIT or size > TOTAL_LIMIT:
            raise Invalid(
                "SECRET_QUOTA",
                f"a Space has at most {COUNT_LIMIT} secrets and variables of {TOTAL_LIMIT} bytes together, these would be "
                f"{len(have)} of {size} bytes; delete some or keep large values in files",
            )
        if settings:
            tx.spaces.bump(space_id, "env_version", look_at=now, last_activity=now)
            _note(tx, space_id, now, sorted(settings))

    def remove(self, caller: Caller, space: Space, key: str, secret: bool) -> None:
        """Absent: nothing."""
        require(caller, space, Role.WRITE)
        now = self._clock()
        with self._store.write() as tx:
            if any(s.key == key and s.secret == secret for s in tx.secrets.all(space.id)):
                tx.secrets.remove(space.id, key)
                action = "secret.delete" if secret else "variable.delete"
                tx.audit.add(AuditRow(now, caller.name, action, space.full_name, {"key": key}))
                tx.spaces.bump(space.id, "env_version", look_at=now, last_activity=now)
                _note(tx, space.id, now, [key])
        self._bell.ring("spaces")

    def of_build(self, space_id: str) -> tuple[dict[str, str], dict[str, str]]:
        """Variables and secrets, apart. A secret that cannot be decrypted any more is left out: the launch says so."""
        with self._store.read() as tx:
            settings = tx.secrets.all(space_id)
        secrets = {}
        for one in settings:
            if one.secret:
                with suppress(Undecryptable):
                    secrets[one.key] = self._vault.unlock(space_id, one.key, one.value)
        return {one.key: one.value for one in settings if not one.secret}, secrets

    def of_app(self, space: Space, hardware: Hardware, host: str, title: str) -> dict[str, str]:
        """What the author's contract promises (hub-docs, "Spaces environment variables"), variables and secrets, and
        the names of the platform on top. Raises vault.Undecryptable."""
        with self._store.read() as tx:
            settings = tx.secrets.all(space.id)
        env = {s.key: self._vault.unlock(space.id, s.key, s.value) if s.secret else s.value for s in settings}
        signs_in = self._signs_in(space)
        pages = {}
        if space.sdk in (None, "static"):
            # Pages have no environment: what everybody may see is written into them (runtime_images/static_server.py).
            public = {s.key: s.value for s in settings if not s.secret} | dict(signs_in)
            public |= {"SPACE_ID": space.full_name, "SPACE_HOST": host, "SPACE_CREATOR_USER_ID": space.creator_id}
            public.pop("OAUTH_CLIENT_SECRET", None)
            pages = {"SPACE_VARIABLES": json.dumps(public)}
        return (
            self._defaults
            | env
            | dict(signs_in)
            | pages
            | {
                "SYSTEM": "spaces",
                "SPACE_ID": space.full_name,
                "SPACE_AUTHOR_NAME": space.owner,
                "SPACE_REPO_NAME": space.name,
                "SPACE_TITLE": title,
                "SPACE_HOST": host,
                "SPACE_CREATOR_USER_ID": space.creator_id,
                "ACCELERATOR": hardware.accelerator,
                "CPU_CORES": f"{hardware.cpu:g}",
                "MEMORY": f"{hardware.memory / 1024**3:g}Gi",
            }
        )


def _note(tx, space_id: str, now: float, keys: list[str]) -> None:
    """Webhooks hear of which secrets and variables changed, never of a value."""
    space = tx.spaces.get(space_id)
    if space and space.sha:
        tx.webhooks.note(of_config(space, now, environment=keys))


def check_setting(key: str, value: str, description: str = "") -> None:
    if not _NAME.fullmatch(key):
        shown = ascii(key[:60])
        raise Invalid(
            "SECRET_NAME",
            f"{shown} cannot name a secret or variable; write letters, digits and '_', not starting with a digit",
        )
    if _RESERVED.fullmatch(key):
        raise Invalid("SECRET_NAME", f"{key} is reserved for the platform; choose another name")
    if "\0" in value:
        raise Invalid("SECRET_VALUE", f"the value of {key} holds a NUL character; leave it out")
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > VALUE_LIMIT:
        raise Invalid(
            "SECRET_VALUE", f"the value of {key} has {size} bytes, at most {VALUE_LIMIT}; keep large values in files"
        )
    if len(description) > 1000:
        raise Invalid(
            "SECRET_DESCRIPTION",
            f"the description of {key} has {len(description)} characters, at most 1000; shorten it",
        )
