"""What is deployed: one noun a file, each a ComponentResource.

Names are imported when they are asked for: the process of dynamic providers needs ``components.secret`` and its like,
and not the second that Docker's SDK for Pulumi takes to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from components.accounts import Admin, Oidc
    from components.certificate import Certificate
    from components.gateway import Gateway, GatewayArgs, GatewayResources
    from components.limits import Limits, Pools
    from components.network import Network, NetworkArgs, NetworkResources
    from components.open_webui import (
        ExternalValkey,
        OpenWebUI,
        OpenWebUIArgs,
        OpenWebUIResources,
        Replication,
    )
    from components.postgres import Postgres, PostgresArgs, PostgresResources
    from components.secret import Secret
    from components.valkey import Lockdown, Valkey, ValkeyArgs, ValkeyResources
    from components.volume import DataVolume

_MODULES: Final = {
    "certificate": ("Certificate",),
    "gateway": ("Gateway", "GatewayArgs", "GatewayResources"),
    "network": ("Network", "NetworkArgs", "NetworkResources"),
    "open_webui": (
        "Admin",
        "ExternalValkey",
        "Limits",
        "OpenWebUI",
        "OpenWebUIArgs",
        "OpenWebUIResources",
        "Pools",
        "Replication",
    ),
    "open_webui_environment": ("Oidc",),
    "postgres": ("Postgres", "PostgresArgs", "PostgresResources"),
    "secret": ("Secret",),
    "valkey": ("Lockdown", "Valkey", "ValkeyArgs", "ValkeyResources"),
    "volume": ("DataVolume",),
}

__all__ = [
    "Admin",
    "Certificate",
    "DataVolume",
    "ExternalValkey",
    "Gateway",
    "GatewayArgs",
    "GatewayResources",
    "Limits",
    "Lockdown",
    "Network",
    "NetworkArgs",
    "NetworkResources",
    "Oidc",
    "OpenWebUI",
    "OpenWebUIArgs",
    "OpenWebUIResources",
    "Pools",
    "Postgres",
    "PostgresArgs",
    "PostgresResources",
    "Replication",
    "Secret",
    "Valkey",
    "ValkeyArgs",
    "ValkeyResources",
]


def __getattr__(name: str) -> Any:
    """Import a name at its first use: https://peps.python.org/pep-0562/."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"components.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
