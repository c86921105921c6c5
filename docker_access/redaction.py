"""Takes secrets out of texts by their values, whoever wrote the text: pure, and imported by all that prints."""

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
"""Characters of a value that is hidden; with shorter ones taken out, a text could not be read any more."""
SHORTEST_PART: Final = 8
"""Characters of a part of a value that is hidden, where nothing says that it is a password: most words are shorter."""

SECRET_NAME: Final = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|(^|_)(PASS|PWD?)$|TOKEN(?!I)|(?<!O)AUTH(?!_(TRUSTED|COOKIE))|CREDENTIAL"
    r"|.(?<!VAL)KEYS?$|^content$",
    re.IGNORECASE,
)
"""Names of variables and properties that hold secrets; ``content`` is that of a file.

Not ``valkey``, OAUTH_PROVIDER_NAME, WEBUI_AUTH_COOKIE_SAME_SITE or RAG_TOKENIZER_MODEL: nothing could be read without
their values.
"""

QUOTED: Final = frozenset({"containerLogs"})
"""Properties sealed for what may stand in them, and no secret themselves: an error quotes the log of a container."""

_ASSIGNMENT: Final = re.compile(r"(?:export\s+)?([A-Za-z_][\w.-]*)(?:\s*=\s*|:\s+)(.+)")
_SAYS_WHO: Final = re.compile(r"_(EMAIL|NAME)$")
_URL_PASSWORD: Final = re.compile(r"://[^/@\s]*?:([^@\s]+(?:@[^@/\s]+)*)@")
_PLAIN: Final = frozenset({"true", "false", "none", "null", "localhost", "open-webui", "open webui", "openwebui"})
"""What many a file with secrets says, and every report."""


def values(secret: str) -> set[str]:
    """A secret text, and all of it that another text may show.

    Args:
        secret: A password; or a list of some, JSON or a file with several, of which each is then one.
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
            # For a shell; what it makes of it is what others see.
            forms = {assigned[2], _unquoted(assigned[2])}
        else:
            # A sentence in a file with several is none, and it would hide what is everywhere.
            forms = {line} if len(lines) == 1 or " " not in line else set()
        for form in forms:
            yield form
            yield from (item.strip() for item in re.split(r"[;,]", form))


def _passwords(text: str) -> Iterator[str]:
    """Of URLs, and of variables that are named so."""
    found = _URL_PASSWORD.findall(text)
    for line in map(str.strip, text.splitlines()):
        if (assigned := _ASSIGNMENT.fullmatch(line)) and SECRET_NAME.search(assigned[1]):
            found.append(_unquoted(assigned[2]))
    for password in found:
        yield from (form for form in (password, unquote(password)) if len(form) >= SHORTEST)


def _leaves(document: Any) -> Iterator[str]:
    """Texts of a document that is secret as a whole."""
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
    """The secrets of a property of a resource that is secret; of one in :data:`QUOTED` none."""
    return set() if name in QUOTED else values_within(secret)


def values_within(secret: Any) -> set[str]:
    """The secrets of a value of which some is secret: of a list all, but of variables and objects those named so."""
    return set(_within(secret, whole=True))


def _within(value: Any, *, whole: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _within(item, whole=bool(SECRET_NAME.search(str(name))))
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
    # Taken at once: another thread may be adding to them.
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
    """What base64 makes of a value wherever it begins in what is encoded: three characters are of four others."""
    raw = value.encode("utf-8", "surrogateescape")
    for before, of_others in enumerate((0, 2, 3)):
        whole = (before + len(raw)) * 8 // 6
        text = b64encode(bytes(before) + raw).decode()[of_others:whole]
        if len(text) >= SHORTEST_PART:
            yield from (text, text.replace("+", "-").replace("/", "_"))


def redacted(value: Any, hidden: Iterable[str]) -> Any:
    """The same of everything in a document of JSON."""
    if isinstance(value, str):
        return redact(value, hidden)
    if isinstance(value, Mapping):
        return {key: redacted(item, hidden) for key, item in value.items()}
    return [redacted(item, hidden) for item in value] if isinstance(value, list) else value
