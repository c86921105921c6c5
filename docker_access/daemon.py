"""Which daemon ``DOCKER_HOST`` names, and how it is reached; it is not asked."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from docker_access.surroundings import home

WITHOUT_DOCKER: Final = "WITHOUT_DOCKER"
"""Environment variable: with any text in it, the program declares its resources without looking at Docker."""

Kind = Literal["local", "ssh", "tcp"]


class OutOfReach(OSError):  # noqa: N818 - it is an outcome, not a programming error
    """A port of the Docker host cannot be reached from here, so nothing is known of what listens on it."""


def address() -> str:
    """``DOCKER_HOST``, empty where it is not set; a password in it, which ssh would not take, is masked."""
    text = os.environ.get("DOCKER_HOST", "").strip()
    with suppress(ValueError):
        if password := urlsplit(text).password:
            return text.replace(f":{password}@", ":***@", 1)
    return text


def kind() -> Kind:
    """How the daemon is reached: by a socket of this machine, by ssh, or by TCP, which may lead anywhere."""
    scheme = os.environ.get("DOCKER_HOST", "").strip().partition("://")[0].lower()
    if scheme == "ssh":
        return "ssh"
    return "tcp" if scheme in {"tcp", "http", "https"} else "local"


def is_this_machine(info: Mapping[str, Any]) -> bool:
    """Whether the daemon's host is this machine, so that its folders and rights are seen from here.

    A socket may lead out of this machine: into a virtual machine (Docker Desktop, Colima), or from a container to its
    host. Those have another host name.

    Args:
        info: What the daemon answers to ``GET /info``.
    """
    return kind() == "local" and info.get("Name") == socket.gethostname()


def name() -> str:
    """Host name or address of the daemon's machine, as ``DOCKER_HOST`` has it; empty for this one."""
    if kind() == "local":
        return ""
    with suppress(ValueError):
        return urlsplit(address()).hostname or ""
    return ""


def context_in_use() -> str:
    """The context that the ``docker`` command follows and this project does not; empty without one.

    It is also empty where ``DOCKER_HOST`` is set, which comes before any context.

    Source: https://docs.docker.com/engine/manage-resources/contexts/
    """
    if address():
        return ""
    chosen = os.environ.get("DOCKER_CONTEXT", "")
    if not chosen:
        folder = Path(os.environ.get("DOCKER_CONFIG") or home() / ".docker")
        with suppress(OSError, ValueError, AttributeError):
            chosen = str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("currentContext") or "")
    return "" if chosen == "default" else chosen


def is_name(host: str) -> bool:
    """Whether a host is a name that means the same everywhere, not an IP address or ``localhost``."""
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return False
    return host != "localhost"


def is_loopback(host: str) -> bool:
    """Whether a host is the machine itself. The `docker` command does not go through a proxy for it either.

    Source: https://pkg.go.dev/net/http#ProxyFromEnvironment
    """
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
