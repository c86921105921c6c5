"""What Open WebUI knows of the world outside of its stack: names of hosts, and authorities to trust."""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path
from typing import Final

from settings.values import Invalid, authorities_or_empty, json_words

CHECKOUT: Final = Path(__file__).parent.parent
"""The project's directory, where a path in a stack file begins that is not absolute."""

HOST_GATEWAY: Final = "host-gateway"
"""Docker's word for its host: https://docs.docker.com/reference/cli/docker/container/run/#add-host"""


def ca_file(value: str) -> str:
    """The certificates in a PEM file of certification authorities; empty where no file is named."""
    if not value:
        return ""
    path = CHECKOUT / value
    try:
        if not path.is_file():
            raise Invalid(f"there is no file {path}; a path is absolute, or begins in the project's directory", "")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", "") from None
    except UnicodeDecodeError:
        rule = f"{path} is no text; a PEM file is wanted (openssl x509 -inform der -in FILE -out FILE.pem makes one)"
        raise Invalid(rule, "") from None
    if "PRIVATE KEY-----" in text:
        raise Invalid(f"{path} holds a private key, which no container needs; name a file of certificates alone", "")
    if not text.strip():
        raise Invalid(f"{path} is empty", "")
    return authorities_or_empty(text)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)


def extra_hosts(value: str) -> dict[str, str]:
    """Addresses of hosts by their names, written as for ``docker run --add-host``.

    No IPv6: what Docker's plugin for Pulumi reads back of such an address is another one, a change at each update.
    """
    example = json.dumps([f"host.docker.internal:{HOST_GATEWAY}"])
    found: dict[str, str] = {}
    for word in sorted(json_words(value)):
        name, _, address = word.lower().partition(":")
        if not (_HOST.fullmatch(name) and (address == HOST_GATEWAY or _is_ipv4(address))):
            rule = f"{word!r} is not NAME:ADDRESS, with an IPv4 address or {HOST_GATEWAY}, which is this host"
            raise Invalid(rule, example)
        if address != HOST_GATEWAY and ipaddress.IPv4Address(address).is_loopback:
            rule = f"{word!r} leads from a container to itself; this host is {HOST_GATEWAY}"
            raise Invalid(rule, json.dumps([f"{name}:{HOST_GATEWAY}"]))
        if found.setdefault(name, address) != address:
            raise Invalid(f"{name} has two addresses", json.dumps([f"{name}:{address}"]))
    return found
