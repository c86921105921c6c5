"""A container, as ``docker inspect`` shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from docker_access import labels as keys


@dataclass(frozen=True, kw_only=True)
class Image:
    """The image a container was made from.

    Attributes:
        reference: The reference the container was asked for, for example ``docker.io/valkey/valkey:8.0.1-alpine``.
        id: Docker's image id.
        version: Version of the software in it; empty when the image does not say.
        origin: ``built locally from ...`` or ``not built here``.
    """

    reference: str
    id: str
    version: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container as ``docker inspect`` shows it.

    Attributes:
        name: Its name, as asked for.
        inspect: Docker's answer; empty when the container is gone. It holds secrets: never print it.
        log_tail: Its last log lines, read only when it does not run or is not healthy.
        image: Its image, if that could be read.
        unsteady: Docker started it again while the questions were asked.
        last_exit: Exit code of the run before the present one; read only when Docker has started it again.
    """

    name: str
    inspect: dict[str, Any] = field(default_factory=dict)
    log_tail: tuple[str, ...] = ()
    image: Image | None = None
    unsteady: bool = False
    last_exit: int | None = None

    @property
    def state(self) -> dict[str, Any]:
        """Docker's ``State``."""
        return self.inspect.get("State") or {}

    @property
    def status(self) -> str:
        """``running``, ``exited``, ``paused``, ``restarting``, ``created``, ``dead`` or ``missing``."""
        return str(self.state.get("Status", "missing"))

    @property
    def health(self) -> str:
        """``healthy``, ``starting``, ``unhealthy``, or ``none`` without a healthcheck."""
        return str((self.state.get("Health") or {}).get("Status", "none"))

    @property
    def healthcheck_seconds(self) -> float:
        """How long a stale verdict can stand: one interval and one timeout, 30 s each where the image says nothing.

        Source: https://docs.docker.com/reference/dockerfile/#healthcheck
        """
        healthcheck = self.config.get("Healthcheck") or {}
        return sum((healthcheck.get(key) or 30e9) / 1e9 for key in ("Interval", "Timeout"))

    @property
    def exit_code(self) -> int:
        """Exit code of the last run, 0 while it runs: Docker forgets the last one as soon as it starts it again."""
        return int(self.state.get("ExitCode", 0))

    @property
    def restarts(self) -> int:
        """How often Docker's restart policy has started it again."""
        return int(self.inspect.get("RestartCount", 0))

    @property
    def config(self) -> dict[str, Any]:
        """Docker's ``Config``."""
        return self.inspect.get("Config") or {}

    @property
    def host_config(self) -> dict[str, Any]:
        """Docker's ``HostConfig``."""
        return self.inspect.get("HostConfig") or {}

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return self.config.get("Labels") or {}

    @property
    def variables(self) -> dict[str, str]:
        """The environment that Docker was given; an entrypoint may change it."""
        return dict(pair.split("=", 1) for pair in self.config.get("Env") or [] if "=" in pair)

    @property
    def is_own(self) -> bool:
        """Whether a stack of this project's has made it."""
        return all(self.labels.get(key) for key in (keys.PROJECT, keys.STACK, keys.ROLE))

    @property
    def stack(self) -> str:
        """Pulumi stack that made it, by its label; empty where no stack did, or it is gone."""
        return self.labels.get(keys.STACK, "")

    @property
    def follows_a_migration(self) -> bool:
        """Whether a stack of this project starts it only after a migration that succeeded, by its label."""
        return keys.SCHEMA_ID in self.labels

    @property
    def networks(self) -> dict[str, dict[str, Any]]:
        """Its settings on each of its networks, by the network's name."""
        return (self.inspect.get("NetworkSettings") or {}).get("Networks") or {}

    @property
    def addresses(self) -> frozenset[str]:
        """Its addresses on all of its networks."""
        return self.addresses_on(self.networks)

    def addresses_on(self, networks: Iterable[str]) -> frozenset[str]:
        """Its addresses on some networks."""
        found = (
            self.networks.get(network, {}).get(key)
            for network in networks
            for key in ("IPAddress", "GlobalIPv6Address")
        )
        return frozenset(address for address in found if address)

    def listens_at(self, host: str, port: int) -> bool:
        """Whether that is where this host leads to it, or where it is itself."""
        itself = host in self.addresses or self.host_config.get("NetworkMode") == "host"
        return itself or any(address.endswith(f":{port}") for address in self.published)

    @property
    def ports(self) -> dict[str, list[dict[str, str]] | None]:
        """Where this host publishes it, by its own port and protocol, for example ``8080/tcp``."""
        return (self.inspect.get("NetworkSettings") or {}).get("Ports") or {}

    @property
    def published(self) -> list[str]:
        """Addresses of this host that lead to it, for example ``0.0.0.0:6379``."""
        places = (place for bindings in self.ports.values() for place in bindings or [])
        return sorted(f"{place['HostIp']}:{place['HostPort']}" for place in places)

    def port_behind(self, port: int) -> int | None:
        """Its own TCP port that a port of this host leads to; None where it leads to none of its."""
        found = (
            own for own, bindings in self.ports.items() if any(it["HostPort"] == str(port) for it in bindings or [])
        )
        return next((int(own.removesuffix("/tcp")) for own in found if own.endswith("/tcp")), None)
