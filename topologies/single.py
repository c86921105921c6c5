"""The tutorial's setup: one Open WebUI with SQLite, published itself, and an open Valkey, on one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components import Network, NetworkArgs, OpenWebUI, OpenWebUIArgs, Valkey, ValkeyArgs
from topologies.deployed import Deployed
from topologies.volumes import data_volume

if TYPE_CHECKING:
    from settings import Settings


def deploy(settings: Settings) -> Deployed:
    """Declare the components."""
    names = settings.names
    network = Network(
        "network",
        NetworkArgs(name=names.network, external=settings.network_external, labels=settings.labels),
    )
    valkey = Valkey(
        "valkey",
        ValkeyArgs(
            image=settings.valkey_image,
            container_name=names.valkey,
            data=data_volume(settings, names.valkey_volume),
            network=network,
            save=settings.valkey_save,
            debug_port=settings.valkey_debug_port,
            limits=settings.limits["valkey"],
            labels=settings.labels,
        ),
    )
    open_webui = OpenWebUI(
        "open-webui",
        OpenWebUIArgs(
            image=settings.open_webui_image,
            container_name=names.open_webui,
            migration_name=names.migration,
            data=data_volume(settings, names.open_webui_volume),
            network=network,
            valkey=valkey,
            bind_address=settings.ui_bind_address,
            port=settings.ui_port,
            log_level=settings.log_level,
            extra_environment=settings.extra_environment,
            extra_hosts=settings.extra_hosts,
            ca=settings.ca,
            limits=settings.limits["open-webui"],
            labels=settings.labels,
        ),
    )
    return Deployed(
        apps=list(open_webui.container_ids),
        migration=open_webui.migration_name,
        valkey=valkey.container_name,
        expected={valkey.container_name: valkey.expected, **open_webui.expected},
        triggers={"valkey": valkey.container_id, "open_webui": open_webui.container_ids[names.open_webui]},
        depends_on=[valkey, open_webui],
    )
