"""What an exception of the redis library means, and its text for a report."""

from __future__ import annotations

import re
import ssl
from typing import Final

SIGNS: Final = {
    "protected mode": "protected",
    "misconf": "persistence",
    "maxmemory": "oom",
    "read only replica": "readonly",
    "link with master is down": "readonly",
    "good replicas": "readonly",
    "noperm": "acl",
    "no permissions": "acl",
    "noauth": "auth",
    "wrongpass": "auth",
    "invalid username-password": "auth",
    "authentication required": "auth",
    "without any password": "auth",
    "loading": "loading",
    "max number of clients": "clients",
    "name or service not known": "resolve",
    "temporary failure in name": "resolve",
    "no address associated": "resolve",
    "refused": "refused",
    "connect call failed": "refused",
    "no route": "refused",
    "unreachable": "refused",
    "ssl": "tls",
    "certificate": "tls",
    "timed out": "timeout",
    "timeout": "timeout",
}
"""What the redis library or Valkey writes, and the problem it means; the first that occurs counts."""

TRANSIENT: Final = frozenset({"refused", "loading"})
"""Problems of a Valkey that is starting: worth asking again."""

PUBLISHING: Final = frozenset({"", "persistence"})
"""Problems of a connection over which events can be published all the same: a failing disk stops PING, not PUBLISH."""


def problem_of(error: BaseException) -> str:
    """Which kind of problem an exception of the redis library is."""
    from redis import exceptions  # noqa: PLC0415 - a library of the app's, imported inside the probe's time limit

    if isinstance(error, exceptions.NoPermissionError):
        return "acl"
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthorizationError)):
        return "auth"
    if isinstance(error, (ssl.SSLError, ssl.CertificateError)):
        return "tls"
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return "timeout"
    text = f"{error} {error.__cause__ or ''}".lower()
    return next((problem for sign, problem in SIGNS.items() if sign in text), "other")


def one_line(error: BaseException) -> str:
    """An exception in one line, without URLs' passwords."""
    text = " ".join(str(error).split()) or type(error).__name__
    if text.startswith("HELLO must be called"):  # how Valkey words NOAUTH to a client that greets with HELLO
        text = "NOAUTH Authentication required."
    return re.sub(r"://[^\s/@]*@", "://***@", text)[:300]
