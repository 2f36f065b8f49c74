"""Text that strangers wrote, made fit to be shown: names in messages, lines in logs. Pure; knows no file format.

`runtime_images/launcher` cleans an app's lines itself: it is copied into images alone, so it can import nothing of ours."""

import re

LINE_LIMIT = 16 * 1024  #: bytes of one log line

#: Characters that change how the text around them looks: direction marks and overrides, invisible separators.
BIDI = "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
UNPRINTABLE = re.compile(f"[\x00-\x1f\x7f-\x9f{BIDI}\ud800-\udfff\ufeff]")

_BIDI = re.compile(f"[{BIDI}]")
#: One terminal sequence or stray control character. The first group is what may stay: colours (SGR) and tabs.
_CONTROL = re.compile(
    r"(\x1b\[[0-9;:]{0,64}m|\t)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff]"
)
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+@")
_MARK = " ... (line cut)"


def shown(text: str, limit: int = 120) -> str:
    """`text` for use inside a message: unprintable characters escaped, cut to `limit` characters."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return UNPRINTABLE.sub(lambda m: m[0].encode("unicode_escape", "surrogatepass").decode(), cut)


def masked(text: str) -> str:
    """`text` without the user names and passwords of URLs."""
    return _CREDENTIALS.sub("***@", text)


def clean_line(raw: bytes | str) -> str:
    """One line fit for a log: at most LINE_LIMIT bytes of valid UTF-8, nothing that moves a cursor or sets a title, colours
    kept, direction marks visible, only what a terminal would show after carriage returns, credentials in URLs masked."""
    data = raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")
    line = data[: 4 * LINE_LIMIT].decode("utf-8", "replace").rstrip("\r\n")
    line = line.replace("\n", " ").rpartition("\r")[2]
    line = _CONTROL.sub(lambda m: m[1] or "", line)
    line = masked(_BIDI.sub(lambda m: f"\\u{ord(m[0]):04x}", line))
    if len(data) <= 4 * LINE_LIMIT and len(line.encode()) <= LINE_LIMIT:
        return line
    kept = line.encode()[: LINE_LIMIT - len(_MARK)].decode("utf-8", "ignore")
    return re.sub(r"\x1b[^m]*$", "", kept) + _MARK


class LogLimit:
    """Passes lines until `limit` bytes, then says once that the rest is missing."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def admit(self, line: str) -> str | None:
        """The line to keep, None to drop it."""
        if self.left <= 0:
            return None
        self.left -= len(line.encode("utf-8", "replace")) + 1
        return line if self.left > 0 else "... the log is longer than its limit; the rest is not kept"
