"""What some machines lack: a home, a name for the user, an encoding with every character.

It uses the standard library alone and nothing of the project, since it also runs before there is a virtual environment.
"""

from __future__ import annotations

import codecs
import getpass
import io
import os
import socket
import sys
from pathlib import Path
from typing import Final

NOWHERE: Final = Path("/nonexistent")
"""Home of a user without one, as in Debian: https://www.debian.org/doc/debian-policy/ch-opersys.html#non-existent-home-directories"""

_PLAIN: Final = {
    "✓": "+", "✗": "x", "✅": "+", "❌": "x", "❔": "?", "⚠": "!", "⚪": "-", "\ufe0f": "",
    "…": "...", "─": "-", "├": "|", "└": "`", "│": "|", "µ": "u",
}  # fmt: skip
"""Plain characters for those that this project, or a library it prints with, writes by itself."""

_HANDLER: Final = "open-webui.plain"
_BYTES_OF_NO_ENCODING: Final = range(0xDC80, 0xDD00)
"""What Python makes of bytes in the name of a file that are no text: https://peps.python.org/pep-0383/"""


def home() -> Path:
    """The user's home; :data:`NOWHERE` without ``HOME`` and without an entry in passwd, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return NOWHERE


def user_name() -> str:
    """The user's name; the user's number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # before Python 3.13 the former
        return str(os.geteuid())


def user_at_host() -> str:
    """Who this is on which machine, such as ``ann@laptop``."""
    return f"{user_name()}@{socket.gethostname()}"


def print_in_any_encoding() -> None:
    r"""Have standard output and error accept every character, whatever the locale.

    A symbol becomes a plain character. Any other is written as in JSON (``\u00fc``), so that what is printed as JSON
    stays the same document.
    """
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def print_in_utf8() -> None:
    """Have standard output be UTF-8, whatever the locale, for a program that reads it and expects that."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character, after = error.object[error.start], error.start + 1
    if ord(character) in _BYTES_OF_NO_ENCODING:
        return bytes([ord(character) - _BYTES_OF_NO_ENCODING.start + 0x80]), after
    units = character.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    return _PLAIN.get(character, escaped), after
