"""The stack that is measured: its public URL, and its containers, found by their labels."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from components.gateway import CA_FILE
from docker_access import labels
from docker_access.client import api_client
from docker_access.polling import poll

SERVICES: Final = ("open-webui", "valkey", "postgres", "gateway")
"""Roles of the containers that stay up."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account that may sign in.

    Attributes:
        email: Its e-mail address.
        password: Its password.
    """

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A deployed stack.

    Attributes:
        url: Its public URL, without a slash at the end.
        stack: Its name.
        account: An administrator of it.
        prove: Proves it, waiting for what still starts, or raises.
        project: Its Pulumi project.
    """

    url: str
    stack: str
    account: Account
    prove: Callable[[], object]
    project: str = "open-webui"

    def containers(self, role: str, *, every: bool = False) -> list[str]:
        """Names of its running containers of a role, sorted; with ``every`` also of those that ended."""
        return [name_of(one) for one in self._listed(role, every=every)]

    def unhealthy(self) -> list[str]:
        """Names of its services that are not running, or have a health check and are not healthy."""
        return [
            name_of(one)
            for role in SERVICES
            for one in self._listed(role, every=True)
            if one["State"] != "running" or ("(" in one["Status"] and "(healthy)" not in one["Status"])
        ]

    def wait_until_healthy(self, seconds: float) -> float:
        """Wait for every container to be healthy; how long it took.

        Raises:
            TimeoutError: it took longer.
        """
        began, sick = time.monotonic(), list[str]()
        for _ in poll(seconds, every_seconds=0.1):
            if not (sick := self.unhealthy()):
                return time.monotonic() - began
        raise TimeoutError(f"not healthy after {seconds:.0f} s: {', '.join(sick)}")

    def tls(self) -> ssl.SSLContext | bool:
        """What a client needs to trust the stack: its own authority, where it has one."""
        if not self.url.startswith("https:"):
            return True
        command = ["docker", "exec", self.containers("gateway")[0], "cat", CA_FILE]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=10, check=False)
        return True if done.returncode else ssl.create_default_context(cadata=done.stdout)

    def _listed(self, role: str, *, every: bool) -> list[dict[str, Any]]:
        own_labels = [f"{labels.PROJECT}={self.project}", f"{labels.STACK}={self.stack}"]
        client = api_client()
        try:
            found: list[dict[str, Any]] = client.containers(
                all=every, filters={"label": [*own_labels, f"{labels.ROLE}={role}"]}
            )
        finally:
            client.close()
        return sorted(found, key=name_of)


def name_of(listed: Mapping[str, Any]) -> str:
    """Name of a container as Docker lists it."""
    return str(listed["Names"][0]).removeprefix("/")
