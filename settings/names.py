"""Names of the Docker objects of one stack."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from settings.models import Topology


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names of the Docker objects of one stack; empty for those its topology does not have.

    A name ending in ``_files`` is that of a volume, and of the container that fills it.
    """

    network: str
    valkey: str
    valkey_volume: str
    open_webui: str
    open_webui_volume: str
    migration: str
    data_network: str = ""
    valkey_files: str = ""
    postgres: str = ""
    postgres_volume: str = ""
    postgres_socket: str = ""
    postgres_setup: str = ""
    open_webui_files: str = ""
    gateway: str = ""
    gateway_volume: str = ""
    gateway_files: str = ""

    @classmethod
    def of_tutorial(cls) -> Names:
        """Names that the tutorial's compose file and ``docker run`` line give."""
        return cls(
            network="openwebui-network",
            valkey="redis-valkey",
            valkey_volume="redis-data",
            open_webui="open-webui",
            open_webui_volume="open-webui",
            migration="open-webui-migration",
        )

    @classmethod
    def of_stack(cls, project: str, stack: str, topology: Topology = "single") -> Names:
        """Names that carry project and stack, so that stacks share a host.

        In ``replicated``, ``network`` is the gateway's and the replicas', and replicas are ``open_webui`` with ``-1``,
        ``-2`` and so on behind it.
        """
        prefix = f"{project}-{stack}"
        names = cls(
            network=f"{prefix}-network",
            valkey=f"{prefix}-valkey",
            valkey_volume=f"{prefix}-valkey-data",
            open_webui=prefix,
            open_webui_volume=f"{prefix}-data",
            migration=f"{prefix}-migration",
        )
        if topology == "single":
            return names
        return replace(
            names,
            network=f"{prefix}-edge",
            data_network=f"{prefix}-data",
            valkey_files=f"{prefix}-valkey-files",
            postgres=f"{prefix}-postgres",
            postgres_volume=f"{prefix}-postgres-data",
            postgres_socket=f"{prefix}-postgres-socket",
            postgres_setup=f"{prefix}-postgres-setup",
            open_webui_files=f"{prefix}-files",
            gateway=f"{prefix}-gateway",
            gateway_volume=f"{prefix}-gateway-data",
            gateway_files=f"{prefix}-gateway-files",
        )


def edge_subnet(project: str, stack: str) -> str:
    """A network of the stack's own among 256, always the same: the gateway's address in it is known beforehand."""
    return f"10.213.{hashlib.sha256(f'{project}-{stack}'.encode()).digest()[0]}.0/24"
