"""Encrypts secrets at rest. The key lives beside the database, not in it. What is encrypted names its own place (Space and
key), so that a row copied to another place does not decrypt."""

import json
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Undecryptable(Exception):
    """The key that encrypted this value is lost."""


class Vault:
    def __init__(self, *keys: bytes) -> None:
        """The first key encrypts, any of them decrypts."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def at(cls, path: Path) -> "Vault":
        """The vault of a key file (one key a line, newest first), made on first use."""
        return cls(*key_file(path, Fernet.generate_key).split())

    def lock(self, space_id: str, key: str, value: str) -> str:
        return self._fernet.encrypt(json.dumps([space_id, key, value]).encode()).decode()

    def unlock(self, space_id: str, key: str, locked: str) -> str:
        """Raises Undecryptable."""
        try:
            owner, name, value = json.loads(self._fernet.decrypt(locked.encode()))
        except (InvalidToken, ValueError) as error:
            raise Undecryptable(key) from error
        if (owner, name) != (space_id, key):
            raise Undecryptable(key)
        return value


def key_file(path: Path, make) -> bytes:
    """The bytes of a key file, readable by us alone; made by `make()` if absent. Two processes at once agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        temporary = _beside(path, make())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
    return path.read_bytes()


def replace_key(path: Path, content: bytes) -> None:
    """Put another content into a key file, all at once."""
    os.replace(_beside(path, content), path)


def _beside(path: Path, content: bytes) -> Path:
    """A file of ours alone, durable, beside the one that it is to become."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    return temporary
