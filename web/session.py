"""The browser's side of who somebody is: the session cookie, the proof in each form that our own page sent it, and where to
go after signing in. What a session means is `services/accounts.py`."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import parse_qsl

from fastapi import Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from orchestrator.api.identity import base_url, parts_of
from orchestrator.domain.caller import Caller
from orchestrator.errors import Forbidden, Invalid, TooLarge

#: What was typed, by the name of its field; the last of several.
Form = dict[str, str]
FORM_LIMIT = 256 * 1024  #: bytes of one form
_KEPT = 365 * 86400  #: seconds a browser keeps the cookie; the session itself ends earlier, on the server
_NEXT = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_HIDDEN = re.compile(r"/%(?:2f|5c|[01][0-9a-f])", re.I)  #: a slash, backslash or control character in disguise


@dataclass(frozen=True, slots=True)
class Visit:
    """One request by a browser. `key`: what the form proofs are bound to: the session, or a random cookie before it."""

    caller: Caller
    session: str
    key: str
    new_key: bool

    @property
    def proof(self) -> str:
        return proof(self.key)


def proof(key: str) -> str:
    """What each form carries. Not derivable by who cannot read the cookie."""
    return hmac.new(key.encode(), b"podium form", hashlib.sha256).hexdigest()[:40]


class Cookies:
    """The console's cookies. With https they carry `__Host-`: no sibling host can overwrite them; but for the farewell, which is
    signed, and sent to `/logout` alone."""

    def __init__(self, session_name: str) -> None:
        self._secure = session_name.startswith("__Host-")
        self.session_name = session_name
        prefix = "__Host-" if self._secure else ""
        self.form_name, self.journey_name = f"{prefix}podium-form", f"{prefix}podium-journey"
        self.farewell_name = f"{'__Secure-' if self._secure else ''}podium-farewell"

    def session_of(self, request: Request) -> str:
        return request.cookies.get(self.session_name, "")

    def key_of(self, request: Request) -> tuple[str, bool]:
        """(what form proofs are bound to, whether it was made just now)."""
        known = self.session_of(request) or request.cookies.get(self.form_name, "")
        return (known, False) if known else (secrets.token_urlsafe(24), True)

    def sign_in(self, response: Response, secret: str) -> None:
        self._set(response, self.session_name, secret, _KEPT)
        self._set(response, self.form_name, "", 0)

    def sign_out(self, response: Response) -> None:
        self._set(response, self.session_name, "", 0)
        self.keep_farewell(response, "", 0)

    def farewell_of(self, request: Request) -> str:
        """What the browser keeps for signing out at the provider, "" for nothing."""
        return request.cookies.get(self.farewell_name, "")

    def keep_farewell(self, response: Response, kept: str, age: int) -> None:
        self._set(response, self.farewell_name, kept, age, "/logout")

    def journey_of(self, request: Request) -> str:
        """What the browser keeps while it is at the provider, "" for nothing."""
        return request.cookies.get(self.journey_name, "")

    def keep_journey(self, response: Response, kept: str, age: int) -> None:
        """`age` in seconds; 0: it is over."""
        self._set(response, self.journey_name, kept, age)

    def remember_key(self, response: Response, key: str) -> None:
        self._set(response, self.form_name, key, None)

    def _set(self, response: Response, name: str, value: str, age: int | None, path: str = "/") -> None:
        response.set_cookie(name, value, max_age=age, path=path, secure=self._secure, httponly=True, samesite="lax")


def check_origin(request: Request) -> None:
    """Nothing, or Forbidden `CSRF`: the request was made by a page that is not the console's (apps are on sibling hosts)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise Forbidden("CSRF", "This form was sent from another site, so nothing was changed.")
    origin = request.headers.get("origin")
    if origin is not None and origin not in (base_url(request), parts_of(request).public_url):
        raise Forbidden("CSRF", "This form was sent from another site, so nothing was changed.")


async def read_form(request: Request, key: str) -> dict[str, str]:
    """The fields of a form that one of our own pages sent. Raises Forbidden `CSRF`, Invalid `FORM`, TooLarge `FORM_SIZE`."""
    check_origin(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Invalid("FORM", "Forms are sent as application/x-www-form-urlencoded.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            raise TooLarge("FORM_SIZE", f"A form has at most {FORM_LIMIT // 1024} kB.")
    try:
        pairs = parse_qsl(bytes(body).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise Invalid("FORM", "This form has too many fields.") from None
    return _proved(dict(pairs), key)


async def read_upload(
    request: Request, key: str, limit: int, *, count: int = 1, field_limit: int = FORM_LIMIT
) -> tuple[dict[str, str], list[tuple[str, BinaryIO]]]:
    """As `read_form`, of a form that may bring files: (fields, [(name, file)]). All of it at most `limit` bytes, on disk when it
    is large; one field at most `field_limit`. Raises also TooLarge `UPLOAD_SIZE`. Whoever calls closes the files."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return await read_form(request, key), []
    check_origin(request)
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or len(length) > 15 or int(length) > limit + FORM_LIMIT:
        raise TooLarge("UPLOAD_SIZE", f"What is sent here has at most {limit // 1024**2} MB; push more with git.")
    try:
        form = await request.form(max_files=count, max_fields=50, max_part_size=field_limit)
    except HTTPException:
        raise Invalid("FORM", "This form cannot be read, or brings too many files; send fewer.") from None
    files = [(f.filename, f.file) for _, f in form.multi_items() if isinstance(f, UploadFile) and f.filename]
    try:
        return _proved({name: value for name, value in form.items() if isinstance(value, str)}, key), files
    except Forbidden:
        await form.close()
        raise


def _proved(fields: dict[str, str], key: str) -> dict[str, str]:
    if not hmac.compare_digest(fields.pop("proof", "").encode(), proof(key).encode()):
        raise Forbidden("CSRF", "This page was open for too long or in another session; reload it and try again.")
    return fields


def safe_next(value: str | None) -> str:
    """Where to go after signing in: a path of our own, else `/`. Looked at as it is, without decoding anything."""
    fits = bool(value) and len(value) <= 2000 and _NEXT.fullmatch(value) and not _HIDDEN.match(value)
    return value if fits else "/"
