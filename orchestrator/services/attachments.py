"""Pictures, films and sounds that people put into discussions: files by their SHA-256 below the directory of who brought them."""

import hashlib
import os
import re
import secrets
from pathlib import Path

from orchestrator.domain.caller import Caller
from orchestrator.errors import Invalid, NotFound, TooLarge
from orchestrator.services.ref_access import require_voice

LIMIT = 25 * 1024**2  #: bytes of one
TOTAL_LIMIT = 1024**3  #: bytes of all that one user brought
#: What the Hub's clients send, and with what a browser can do nothing but show it.
KINDS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
}
_NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{3,4}")
_OWNER = re.compile(r"[0-9a-f]{24}")


class Attachments:
    def __init__(self, root: Path) -> None:
        self._root = root

    def check(self, caller: Caller, media: str) -> str:
        """The ending of files of this type. Raises Unauthorized, Forbidden, Invalid `ATTACHMENT_TYPE`, TooLarge."""
        require_voice(caller)
        kind = KINDS.get(media.partition(";")[0].strip().lower())
        if kind is None:
            raise Invalid("ATTACHMENT_TYPE", f"Content-Type is {ascii(media[:60])}; send one of {', '.join(KINDS)}")
        folder = self._root / caller.user.id
        used = sum(one.stat().st_size for one in folder.iterdir()) if folder.is_dir() else 0
        if used >= TOTAL_LIMIT:
            raise TooLarge("ATTACHMENTS", f"your attachments fill the {TOTAL_LIMIT // 1024**3} GB that you may have")
        return kind

    def keep(self, caller: Caller, content: bytes, ending: str) -> str:
        """The path of the file below `/uploads/`, durable. The same content twice is kept once."""
        if not content:
            raise Invalid("ATTACHMENT_TYPE", "the file is empty; send its bytes as the body")
        folder = self._root / caller.user.id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / (hashlib.sha256(content).hexdigest() + ending)
        if not path.exists():
            fresh = folder / f".{secrets.token_hex(8)}"
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        return f"{caller.user.id}/{path.name}"

    def find(self, owner: str, name: str) -> tuple[Path, str]:
        """(file, media type). Its name is what lets one in: nobody guesses a SHA-256. Raises NotFound."""
        media = next((media for media, ending in KINDS.items() if name.endswith(ending)), "")
        path = self._root / owner / name
        if not _OWNER.fullmatch(owner) or not _NAME.fullmatch(name) or not media or not path.is_file():
            raise NotFound("EntryNotFound", "There is no such attachment.")
        return path, media
