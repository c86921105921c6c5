"""Takes secrets out of texts by their values, whoever wrote the text; pure. Everything that prints uses it."""

from __future__ import annotations

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

WORD: Final = "[secret]"
SHORTEST: Final = 4
"""Least characters of a value that is hidden. Without all shorter ones too, a text could not be read any more."""
SHORTEST_PART: Final = 8
"""Least characters of a part that is hidden where nothing says that it is a password: most words are shorter."""

_OF_A_SECRET: Final = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|(^|_)(PASS|PWD?)$|TOKEN|AUTH|CREDENTIAL|.KEYS?$|^content$", re.IGNORECASE
)
_OF_NO_SECRET: Final = re.compile(r"VALKEY|OAUTH|AUTH_(TRUSTED|COOKIE)|TOKENI", re.IGNORECASE)
"""Parts of names, as in OAUTH_PROVIDER_NAME or RAG_TOKENIZER_MODEL, that look like those of a secret."""

QUOTED: Final = frozenset({"containerLogs"})
"""Properties that are secret only because a secret may be in them. An error may quote such a container log."""

_ASSIGNMENT: Final = re.compile(r"(?:export\s+)?([A-Za-z_][\w.-]*)(?:\s*=\s*|:\s+)(.+)")
_SAYS_WHO: Final = re.compile(r"_(EMAIL|NAME)$")
_URL_PASSWORD: Final = re.compile(r"://[^/@\s]*?:([^@\s]+(?:@[^@/\s]+)*)@")
_PLAIN: Final = frozenset({"true", "false", "none", "null", "localhost", "open-webui", "open webui", "openwebui"})
"""Values that are in many a file with secrets, and in every report."""


def names_a_secret(name: str) -> bool:
    """Whether a variable or a property of that name holds a secret; ``content`` is the property of a file."""
    return bool(_OF_A_SECRET.search(_OF_NO_SECRET.sub("x", name)))


def values(secret: str) -> set[str]:
    """A secret text, and every part of it that must not be shown either.

    Args:
        secret: A password; or a list, JSON or a file with several, of which each counts.
    """
    return {text for text in _values(secret.strip()) if text.lower() not in _PLAIN}


def _values(text: str) -> Iterator[str]:
    if len(text) >= SHORTEST:
        yield text
    yield from _passwords(text)
    yield from (part for part in _parts(text) if len(part) >= SHORTEST_PART)


def _parts(text: str) -> Iterator[str]:
    with suppress(ValueError):
        if text[:1] in {"{", "["}:
            yield from _leaves(json.loads(text))
    lines = [line.strip() for line in text.splitlines()]
    for line in lines:
        assigned = _ASSIGNMENT.fullmatch(line)
        if assigned and not _SAYS_WHO.search(assigned[1]):
            # As it is written for a shell, and as the shell hands it on.
            forms = {assigned[2], _unquoted(assigned[2])}
        else:
            # In a file with several lines a sentence is no secret, and would hide words that are everywhere.
            forms = {line} if len(lines) == 1 or " " not in line else set()
        for form in forms:
            yield form
            yield from (item.strip() for item in re.split(r"[;,]", form))


def _passwords(text: str) -> Iterator[str]:
    """Passwords in URLs, and values of variables whose names say that they are secret."""
    found = _URL_PASSWORD.findall(text)
    for line in map(str.strip, text.splitlines()):
        if (assigned := _ASSIGNMENT.fullmatch(line)) and names_a_secret(assigned[1]):
            found.append(_unquoted(assigned[2]))
    for password in found:
        yield from (form for form in (password, unquote(password)) if len(form) >= SHORTEST)


def _leaves(document: Any) -> Iterator[str]:
    """The texts of a document that is secret as a whole."""
    if isinstance(document, str):
        yield from values(document)
    elif isinstance(document, Mapping | list):
        for item in document.values() if isinstance(document, Mapping) else document:
            yield from _leaves(item)


def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def values_of(name: str, secret: Any) -> set[str]:
    """The secrets in a secret property of a resource; none in one of :data:`QUOTED`."""
    return set() if name in QUOTED else values_within(secret)


def values_within(secret: Any) -> set[str]:
    """The secrets in a value that holds some.

    Of a list, that is each item; of variables and objects, those whose names say that they are secret.
    """
    return set(_within(secret, whole=True))


def _within(value: Any, *, whole: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _within(item, whole=names_a_secret(str(name)))
    elif isinstance(value, list | tuple):
        for item in value:
            variable = re.fullmatch(r"([A-Z_][A-Z0-9_]*)=(.*)", item, re.DOTALL) if isinstance(item, str) else None
            if variable:
                yield from _within({variable[1]: variable[2]}, whole=whole)
            else:
                yield from _within(item, whole=whole)
    elif isinstance(value, str):
        yield from values(value) if whole else _passwords(value)


def redact(text: str, hidden: Iterable[str], word: str = WORD) -> str:
    """The text with a word in place of each secret, however it is written there, the longest first."""
    # A copy, since another thread may be adding to them.
    found = {form for value in tuple(hidden) for form in _written(value) if form in text}
    for value in sorted(found, key=len, reverse=True):
        text = text.replace(value, word)
    return text


@lru_cache(maxsize=10_000)
def _written(value: str) -> frozenset[str]:
    """A value as it is, in JSON, as Python shows it, in a URL, and within anything that is base64."""
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    return frozenset({value, *escaped, quote(value), quote(value, safe=""), quote_plus(value), *_in_base64(value)})


def _in_base64(value: str) -> Iterator[str]:
    """A value in base64, wherever it begins in what is encoded: there, four characters stand for three bytes."""
    raw = value.encode("utf-8", "surrogateescape")
    for before, of_others in enumerate((0, 2, 3)):
        whole = (before + len(raw)) * 8 // 6
        text = b64encode(bytes(before) + raw).decode()[of_others:whole]
        if len(text) >= SHORTEST_PART:
            yield from (text, text.replace("+", "-").replace("/", "_"))


def redacted(value: Any, hidden: Iterable[str]) -> Any:
    """:func:`redact` for every text in a JSON document."""
    if isinstance(value, str):
        return redact(value, hidden)
    if isinstance(value, Mapping):
        return {key: redacted(item, hidden) for key, item in value.items()}
    return [redacted(item, hidden) for item in value] if isinstance(value, list) else value
