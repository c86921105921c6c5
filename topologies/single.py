"""The tutorial's setup: one Open WebUI with SQLite, published itself, and an open Valkey, on one network."""

from __future__ import annotations

import pulumi

from components import Network, NetworkArgs, OpenWebUI, OpenWebUIArgs, Valkey, ValkeyArgs
from settings import Settings
from topologies.deployed import Deployed, Secrets, data_volume, extra_environment
from verification.resource import VerificationArgs


def deploy(settings: Settings, opts: pulumi.ResourceOptions, secrets: Secrets) -> Deployed:
    """Declare the components, each with these options; see :func:`topologies.deploy`."""
    names = settings.names
    network = Network(
        "network", NetworkArgs(name=names.network, external=settings.network_external, labels=settings.labels), opts
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
        opts,
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
            extra_environment=extra_environment(settings, secrets),
            panel_settings=settings.panel_settings,
            extra_hosts=settings.hosts,
            ca=settings.ca,
            limits=settings.limits["open-webui"],
            labels=settings.labels,
        ),
        opts,
    )
    verification = VerificationArgs(
        apps=list(open_webui.container_ids),
        migration=open_webui.migration_name,
        valkey=valkey.container_name,
        expected={valkey.container_name: valkey.expected, **open_webui.expected},
        triggers={"valkey": valkey.container_id, "open_webui": open_webui.container_ids[names.open_webui]},
    )
    return Deployed(verification=verification, depends_on=[valkey, open_webui])
