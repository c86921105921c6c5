"""What Valkey answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from verification.evidence.container import Container

SOCKETIO_CHANNEL: Final = "socketio"
"""Channel python-socketio shares between all processes; neither key prefix nor database number changes it."""


@dataclass(frozen=True, kw_only=True)
class Denial:
    """An entry of Valkey's ACL LOG.

    Attributes:
        user: Who was denied.
        reason: ``command``, ``key``, ``channel`` or ``auth``.
        what: The command, key or channel; for ``auth`` the user again.
        count: How often.
        age_seconds: How long ago the last time was.
        address: Where the client was, as Valkey saw it; empty when not told.

    Source: https://valkey.io/commands/acl-log/
    """

    user: str
    reason: str
    what: str
    count: int
    age_seconds: float
    address: str = ""

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Denial:
        """Read an entry as the library or the command line gives it: its ``client-info`` is an object or a text.

        Raises:
            KeyError: It lacks something.
            ValueError: A number is none.
        """
        client = entry.get("client-info", "")
        address = client.get("addr", "") if isinstance(client, dict) else _word(client, "addr")
        return cls(
            user=entry["username"],
            reason=entry["reason"],
            what=entry["object"],
            count=int(entry["count"]),
            age_seconds=float(entry["age-seconds"]),
            address=address.rpartition(":")[0].strip("[]"),
        )


def _word(text: str, name: str) -> str:
    """One of the ``name=value`` words by which Valkey describes a client."""
    return dict(word.partition("=")[::2] for word in text.split()).get(name, "")


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """Valkey, asked with the command line client in its own container, or by a URL.

    Attributes:
        container: Its container; None where it is none of this Docker's containers.
        url: The URL it was asked by, with its password masked; empty where it was asked in its container.
        client: ``redis-cli`` or ``valkey-cli``, empty when there is neither; by URL, where it was asked from.
        login: Account it was asked with; empty for none.
        answer: What PING was answered.
        problem: Empty, or why it was not asked: ``not-running``, ``paused``, ``timeout``, ``no-client``, ``failed``;
            by URL as :attr:`Connection.problem`.
        version: Version of the server; empty when not told.
        info: Lines of INFO, by name; empty when refused.
        subscribers: ``PUBSUB NUMSUB socketio``; None when refused.
        subscriber_addresses: Addresses of the clients that subscribe to something; None when refused.
        listening: Addresses it listens on, for example ``127.0.0.1:6379``; None when they could not be read.
        denials: Entries of the ACL LOG; None when refused.
        nobody: What PING was answered to a client without an account; empty when not asked.
        found: Which of the keys that the apps left (:attr:`Connection.left`) are here; None when not asked or refused.
        seconds: How long PING took, exec included.
    """

    container: Container | None = None
    url: str = ""
    client: str = ""
    login: str = ""
    answer: str = ""
    problem: str = ""
    version: str = ""
    info: Mapping[str, str] = field(default_factory=dict)
    subscribers: int | None = None
    subscriber_addresses: tuple[str, ...] | None = None
    listening: tuple[str, ...] | None = None
    denials: tuple[Denial, ...] | None = None
    nobody: str = ""
    found: frozenset[str] | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Name of its container, or the URL it was asked by."""
        return self.container.name if self.container else self.url
