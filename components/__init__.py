"""Everything that is deployed.

The components: ``network``, ``valkey``, ``open_webui``, ``postgres``, ``gateway``. Each is one file, or a folder with
its arguments and the texts that it writes.

Dynamic resources: ``secret``, ``certificate`` (made by ``authority``), ``pids_limit``, ``reload``, ``schema``,
``docker_host``. The state of a deployed stack names these modules, so they never move.

What all of them use: ``building`` (containers, files, volumes, labels), ``accounts``, ``limits`` and ``embedding``.

Names are imported at their first use. The process of dynamic providers needs ``components.secret`` and its like, and
does not wait for Docker's SDK for Pulumi, which takes a second to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from components.accounts import Admin, Oidc
    from components.building.volume import DataVolume
    from components.certificate import Certificate
    from components.gateway import Gateway, GatewayResources
    from components.gateway.args import GatewayArgs
    from components.limits import Limits, Pools
    from components.network import Network, NetworkArgs, NetworkResources
    from components.open_webui import OpenWebUI, OpenWebUIResources
    from components.open_webui.args import ExternalValkey, OpenWebUIArgs, Replication
    from components.postgres import Postgres, PostgresArgs, PostgresResources
    from components.secret import Secret
    from components.valkey import Valkey, ValkeyResources
    from components.valkey.args import Lockdown, ValkeyArgs

_MODULES: Final = {
    "accounts": ("Admin", "Oidc"),
    "building.volume": ("DataVolume",),
    "certificate": ("Certificate",),
    "gateway": ("Gateway", "GatewayResources"),
    "gateway.args": ("GatewayArgs",),
    "limits": ("Limits", "Pools"),
    "network": ("Network", "NetworkArgs", "NetworkResources"),
    "open_webui": ("OpenWebUI", "OpenWebUIResources"),
    "open_webui.args": ("ExternalValkey", "OpenWebUIArgs", "Replication"),
    "postgres": ("Postgres", "PostgresArgs", "PostgresResources"),
    "secret": ("Secret",),
    "valkey": ("Valkey", "ValkeyResources"),
    "valkey.args": ("Lockdown", "ValkeyArgs"),
}

__all__ = [
    "Admin", "Certificate", "DataVolume", "ExternalValkey", "Gateway", "GatewayArgs", "GatewayResources", "Limits",
    "Lockdown", "Network", "NetworkArgs", "NetworkResources", "Oidc", "OpenWebUI", "OpenWebUIArgs",
    "OpenWebUIResources", "Pools", "Postgres", "PostgresArgs", "PostgresResources", "Replication", "Secret", "Valkey",
    "ValkeyArgs", "ValkeyResources",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a name at its first use: https://peps.python.org/pep-0562/."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"components.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
