"""A team's setup: replicas of Open WebUI behind a gateway; Postgres and a locked-down Valkey on their own network."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Final

import pulumi

from components import (
    ExternalValkey,
    Gateway,
    GatewayArgs,
    Lockdown,
    Network,
    NetworkArgs,
    OpenWebUI,
    OpenWebUIArgs,
    Postgres,
    PostgresArgs,
    Replication,
    Valkey,
    ValkeyArgs,
)
from components.limits import database_pools
from components.open_webui.containers import PORT
from settings import Settings
from topologies.deployed import Deployed, Secrets, data_volume, extra_environment
from verification.resource import VerificationArgs

BRIDGE_HOST_NUMBER: Final = 1
"""Docker's own place in a subnet: https://docs.docker.com/engine/network/drivers/bridge/"""

GATEWAY_HOST_NUMBER: Final = 2
"""The gateway's place in its subnet: after the bridge, before what Docker hands out."""


def deploy(settings: Settings, opts: pulumi.ResourceOptions, secrets: Secrets) -> Deployed:
    """Declare the components, each with these options; see :func:`topologies.deploy`."""
    names = settings.names
    edge = Network("edge", NetworkArgs(name=names.network, subnet=settings.edge_subnet, labels=settings.labels), opts)
    data = Network("data", NetworkArgs(name=names.data_network, internal=True, labels=settings.labels), opts)
    gateway_address = str(ipaddress.ip_network(settings.edge_subnet)[GATEWAY_HOST_NUMBER])
    valkey = _valkey(settings, data, opts, secrets)
    postgres = _postgres(settings, data, opts)
    open_webui = _open_webui(settings, edge, data, valkey, postgres, gateway_address, opts, secrets)
    gateway = _gateway(settings, edge, gateway_address, opts)
    reload = gateway.reload(after=open_webui.resources.containers)
    own = valkey if isinstance(valkey, Valkey) else None
    inner: dict[str, Postgres | Valkey] = {
        postgres.container_name: postgres,
        **({own.container_name: own} if own else {}),
    }
    verification = VerificationArgs(
        apps=list(open_webui.container_ids),
        migration=open_webui.migration_name,
        valkey=own.container_name if own else None,
        postgres=postgres.container_name,
        gateway=gateway.container_name,
        expected={
            gateway.container_name: gateway.expected,
            **open_webui.expected,
            **{name: component.expected for name, component in inner.items()},
        },
        triggers={
            "gateway": gateway.container_id,
            **open_webui.container_ids,
            **{name: component.container_id for name, component in inner.items()},
        },
        door={"address": settings.ui_bind_address, "port": settings.ui_port, "tls": settings.tls != "off"},
        ca=gateway.ca,
        valkey_login=own.login if own else None,
        isolation={"edge": edge.docker_name, "private": list(inner)},
        app_user=own.app_user if own else None,
        account=open_webui.account,
    )
    depends_on = [gateway, open_webui, reload, *inner.values()]
    return Deployed(verification=verification, depends_on=depends_on, admin_password=open_webui.admin_password)


def _valkey(
    settings: Settings, data: Network, opts: pulumi.ResourceOptions, secrets: Secrets
) -> Valkey | ExternalValkey:
    if settings.valkey_url:
        return ExternalValkey(secrets.get("valkeyUrl", settings.valkey_url))
    return Valkey(
        "valkey",
        ValkeyArgs(
            image=settings.valkey_image,
            container_name=settings.names.valkey,
            data=data_volume(settings, settings.names.valkey_volume),
            network=data,
            save=settings.valkey_save,
            lockdown=Lockdown(
                files_name=settings.names.valkey_files,
                limits=settings.limits["valkey"],
                replicas_max=settings.replicas_max,
                rights=settings.valkey_rights,
                max_clients=settings.valkey_max_clients,
                tls=settings.valkey_tls,
                generations=settings.rotated,
            ),
            labels=settings.labels,
        ),
        opts,
    )


def _postgres(settings: Settings, data: Network, opts: pulumi.ResourceOptions) -> Postgres:
    return Postgres(
        "postgres",
        PostgresArgs(
            image=settings.postgres_image,
            container_name=settings.names.postgres,
            setup_name=settings.names.postgres_setup,
            data=data_volume(settings, settings.names.postgres_volume),
            socket_volume_name=settings.names.postgres_socket,
            network=data,
            limits=settings.limits["postgres"],
            max_connections=settings.postgres_max_connections,
            generation=settings.rotated.get("postgres-password"),
            labels=settings.labels,
        ),
        opts,
    )


def _open_webui(
    settings: Settings,
    edge: Network,
    data: Network,
    valkey: Valkey | ExternalValkey,
    postgres: Postgres,
    gateway_address: str,
    opts: pulumi.ResourceOptions,
    secrets: Secrets,
) -> OpenWebUI:
    admin = settings.admin
    if admin and "adminPassword" in secrets:
        admin = replace(admin, password=secrets["adminPassword"])
    return OpenWebUI(
        "open-webui",
        OpenWebUIArgs(
            image=settings.open_webui_image,
            container_name=settings.names.open_webui,
            migration_name=settings.names.migration,
            data=data_volume(settings, settings.names.open_webui_volume),
            network=edge,
            valkey=valkey,
            log_level=settings.log_level,
            replication=Replication(
                names=settings.app_containers,
                files_name=settings.names.open_webui_files,
                data_network=data,
                postgres=postgres,
                pools=database_pools(settings.replicas_max, settings.postgres_max_connections),
                limits=settings.limits["open-webui"],
                trusted_gateway=gateway_address,
                public_url=settings.public_url,
                cors_allow_origin=settings.cors_allow_origin,
                enable_signup=settings.enable_signup,
                admin=admin,
                oidc=settings.oidc,
                oidc_client_secret=secrets.get("oidc.clientSecret", settings.oidc_client_secret),
            ),
            extra_environment=extra_environment(settings, secrets),
            panel_settings=settings.panel_settings,
            extra_hosts=settings.hosts,
            ca=settings.ca,
            generations=settings.rotated,
            labels=settings.labels,
        ),
        opts,
    )


def _gateway(settings: Settings, edge: Network, address: str, opts: pulumi.ResourceOptions) -> Gateway:
    return Gateway(
        "gateway",
        GatewayArgs(
            image=settings.gateway_image,
            container_name=settings.names.gateway,
            files_name=settings.names.gateway_files,
            data=data_volume(settings, settings.names.gateway_volume),
            network=edge,
            address=address,
            upstreams=settings.app_containers,
            upstream_port=PORT,
            public_url=settings.public_url,
            tls=settings.tls,
            acme_email=settings.acme_email,
            acme_directory=settings.acme_directory,
            acme_root=settings.acme_root,
            bind_address=settings.ui_bind_address,
            port=settings.ui_port,
            trusted_proxies=_proxies_seen_by_the_gateway(settings),
            identity_headers=sorted(set(settings.identity_headers.values())),
            http_port=settings.http_port,
            limits=settings.limits["gateway"],
            labels=settings.labels,
        ),
        opts,
    )


def _proxies_seen_by_the_gateway(settings: Settings) -> list[str]:
    """The trusted proxies by the addresses the gateway sees. Docker connects from the bridge for one on this host."""
    bridge = str(ipaddress.ip_network(settings.edge_subnet)[BRIDGE_HOST_NUMBER])
    found = map(ipaddress.ip_network, settings.trusted_proxies)
    return [bridge if network.is_loopback else network.with_prefixlen for network in found]
