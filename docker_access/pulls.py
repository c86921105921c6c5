"""Docker's messages during a pull, and why one failed: the only place that knows their wording."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_UNREACHABLE: Final = re.compile(
    r"dial tcp|no such host|connection refused|i/o timeout|server misbehaving|TLS handshake|: EOF"
    r"|request canceled|network is unreachable|no route to host|Client\.Timeout|context deadline|connection reset"
    # A proxy answered, and the registry behind it did not. Go tells of a proxy that refuses without the number.
    r"|50[234] (?:Bad Gateway|Service Unavailable|Gateway Time)"
    r'|": (?:Forbidden|Proxy Authentication Required|Bad Gateway|Service Unavailable|Gateway Time)',
    re.IGNORECASE,
)
_DONE: Final = frozenset({"Pull complete", "Already exists"})
_ON_DISK: Final = _DONE | {"Download complete", "Verifying Checksum", "Extracting"}


def is_unreachable(message: str) -> bool:
    """Whether a pull failed because its registry could not be reached, or did not answer as one.

    Ask this before anything else of Docker's message. That of the containerd store has the address in it, and with it
    ``manifests``, or ``not found`` where the name service does not know the host.
    """
    return bool(_UNREACHABLE.search(message))


def way_out(message: str, name: str, registry: str) -> str:
    """The way out where a registry was reached and a pull failed, from Docker's message."""
    if re.search(r"toomanyrequests|rate limit|\b429\b", message, re.IGNORECASE):
        return f"{registry} limits how often it is asked: wait, or log in (`docker login`), which raises the limit."
    if "x509" in message:
        return f"Docker does not trust its certificate: put its CA into /etc/docker/certs.d/{registry}/ca.crt there."
    if re.search(r"denied|unauthorized|authentication required|\b40[13]\b", message, re.IGNORECASE):
        return f"There is no such image, or it needs a login: correct the name, or `docker login {registry}`."
    if re.search(r"not found|manifest unknown|does not exist|no matching manifest", message, re.IGNORECASE):
        return "There is no such image at its registry, or none for this kind of machine: correct the name or the tag."
    return f"`docker pull {name}` tries it again."


def error_of(message: Mapping[str, Any]) -> str:
    """The error in a message of a stream such as a pull's or an import's; empty where there is none.

    ``error`` beside it is deprecated since API 1.48.
    Source: https://docs.docker.com/reference/api/engine/version-history/
    """
    return str((message.get("errorDetail") or {}).get("message") or message.get("error") or "")


class Layers:
    """How far the layers of an image have been pulled."""

    def __init__(self) -> None:
        self._status: dict[str, str] = {}

    def take(self, message: Mapping[str, Any]) -> None:
        """Read one message of the stream."""
        status = str(message.get("status") or "")
        # A message about the image itself has its tag for an id.
        if message.get("id") and not status.startswith("Pulling from"):
            self._status[message["id"]] = status

    @property
    def complete(self) -> int:
        """Number of layers that are ready."""
        return sum(status in _DONE for status in self._status.values())

    @property
    def total(self) -> int:
        """Number of layers."""
        return len(self._status)

    @property
    def wanted(self) -> bool:
        """Whether anything has to come over the network."""
        return any(status != "Already exists" for status in self._status.values())

    @property
    def unpacking(self) -> bool:
        """Whether this host is at work and not the network, as far as Docker says.

        Docker may send nothing for minutes while it writes a large layer to a slow disk. With the containerd store some
        versions never tell of unpacking.
        """
        here = set(self._status.values())
        return bool(here) and (bool(here & {"Extracting", "Verifying Checksum"}) or here <= _ON_DISK)
