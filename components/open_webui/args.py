"""The arguments of Open WebUI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import pulumi

from components.accounts import Admin, Oidc
from components.building.volume import DataVolume
from components.limits import DEFAULTS, DEFAULTS_OF_SINGLE, Limits, Pools, database_pools
from components.network import Network
from components.postgres import Postgres


class Addressed(Protocol):
    """A Valkey or Redis, wherever it runs.

    Attributes:
        ca: Certificate of its certification authority, PEM; None for a public authority, or without TLS.
    """

    ca: pulumi.Output[str] | None

    def url(self, database: int) -> pulumi.Input[str]:
        """Address of one of its databases."""


class ExternalValkey:
    """A Valkey or Redis that somebody else runs.

    No other Open WebUI may use it: events of the two would mix, whatever the database.

    Args:
        url: Its address, ``redis://`` or ``rediss://``, with user and password if need be, without a database.

    Attributes:
        ca: None: its certification authority is a public one, or one of :attr:`OpenWebUIArgs.ca`.
    """

    ca: pulumi.Output[str] | None = None

    def __init__(self, url: pulumi.Input[str]) -> None:
        self._url = url

    def url(self, database: int) -> pulumi.Input[str]:
        """Address of one of its databases, a secret.

        Args:
            database: Number of the database, 0 to 15.
        """
        return pulumi.Output.secret(self._url).apply(lambda url: f"{url.rstrip('/')}/{database}")


POOLS: Final = database_pools(8, 200)


@dataclass(frozen=True, kw_only=True)
class Replication:
    """Replicas behind a gateway, and what they share.

    Attributes:
        names: Names of the containers, one a replica.
        files_name: Name in Docker of the volume with their secrets, and of the container that puts them there. Empty
            for ``container_name`` and ``-files``.
        postgres: Their database.
        data_network: The network with Valkey and Postgres, where ``network`` is the gateway's alone; None for
            ``network``.
        pools: Connections each has to the database; see :func:`limits.database_pools`. The default is for 8 replicas
            and 200 connections of Postgres.
        limits: How much each container may use.
        trusted_gateway: IP address whose ``X-Forwarded-*`` headers are believed: the gateway's on ``network``. With
            the default nobody's are.
        public_url: The URL that people open, without a path: ``https://chat.example.com``. With https, cookies are
            marked secure.
        cors_allow_origin: Origins a browser may come from, separated by ``;``. Empty for ``public_url`` alone.
        enable_signup: Anybody may ask for an account.
        admin: The first account; None leaves it to whoever signs up first, if ``enable_signup`` lets them.
        oidc: Sign-in through a provider; None for e-mail and password alone.
        oidc_client_secret: Secret of the client that is registered at that provider.
    """

    names: Sequence[str]
    postgres: Postgres
    public_url: str
    data_network: Network | None = None
    files_name: str = ""
    pools: Pools = POOLS
    limits: Limits = DEFAULTS["open-webui"]
    trusted_gateway: str = "127.0.0.1"
    cors_allow_origin: str = ""
    enable_signup: bool = False
    admin: Admin | None = None
    oidc: Oidc | None = None
    oidc_client_secret: pulumi.Input[str] = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class OpenWebUIArgs:
    """Arguments of :class:`OpenWebUI`.

    Attributes:
        image: Image reference of Open WebUI, 0.12.0 or later.
        container_name: Name of the application's container. Replicas have names of their own.
        migration_name: Name of the one-shot container that migrates the database. Empty for ``container_name`` and
            ``-migration``.
        data: The volume with uploads, and with the database where that is SQLite.
        network: The network to join.
        valkey: The Valkey that carries its events and shared state: a :class:`components.valkey.Valkey`, which is
            waited for, or an :class:`ExternalValkey`.
        bind_address: IP address of the host to publish the UI on, where it is not replicated; ``0.0.0.0`` is every one.
        port: TCP port of the host to publish the UI on, 1 to 65535, where it is not replicated. None publishes nothing:
            containers on ``network`` reach it at port 8080.
        log_level: GLOBAL_LOG_LEVEL: ``DEBUG``, ``INFO``, ``WARNING``, ``ERROR`` or ``CRITICAL``.
        limits: How much the container may use where it is not replicated.
        replication: Replicas behind a gateway; None makes one container with SQLite.
        extra_environment: Further variables, name to value; none of those with which this component hands its own
            secrets over. All are treated as secrets: replicas read them from a file. Those of a single container
            ``docker inspect`` shows.
        panel_settings: What is saved in the admin panel is kept. What the arguments say is written to its settings at
            each update. False: what is saved in the panel is lost as the container restarts.
        extra_hosts: Further host names that the containers resolve, to IPv4 addresses or ``host-gateway``, this host.
        ca: Certificates of authorities that are trusted besides the public ones, PEM; empty for none.
        generations: By the name of a secret (``secret-key``, ``admin-password``): any text, another one makes a new
            secret. A new ``secret-key`` signs everybody out.
        depends_on: Resources that must exist before the application starts.
        labels: Docker labels of what is created, key to value.

    Source: https://docs.openwebui.com/getting-started/env-configuration
    """

    image: str
    container_name: str
    data: DataVolume
    network: Network
    valkey: Addressed
    migration_name: str = ""
    bind_address: str = "127.0.0.1"
    port: int | None = 3000
    log_level: str = "INFO"
    limits: Limits = DEFAULTS_OF_SINGLE["open-webui"]
    replication: Replication | None = None
    extra_environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict, repr=False)
    panel_settings: bool = True
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""
    generations: Mapping[str, str] = field(default_factory=dict)
    depends_on: Sequence[pulumi.Resource] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def said(self) -> list[str]:
        """Names of the variables that win over the admin panel; empty where it keeps nothing."""
        if not self.panel_settings:
            return []
        own = ["ENABLE_SIGNUP", "WEBUI_URL"] if self.replication else []
        return sorted({*own, *self.extra_environment})
