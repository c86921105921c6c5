"""The arguments of the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from components.building.volume import DataVolume
from components.limits import DEFAULTS, Limits
from components.network import Network

TlsMode = Literal["off", "internal", "acme"]


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """Arguments of :class:`Gateway`.

    Attributes:
        image: Image reference of Caddy, 2.9 or later.
        container_name: Name of the container.
        files_name: Name in Docker of the volume with its configuration, and of the container that puts it there. Empty
            for the container's name and ``-files``.
        data: The volume with its certificates.
        network: The network to join.
        address: Its fixed IPv4 address on ``network``, which the replicas are told to believe
            (:attr:`Replication.trusted_gateway`); None lets Docker choose.
        upstreams: Names of the replicas' containers, over which it spreads people.
        upstream_port: TCP port that the replicas listen on.
        public_url: The URL that people open; the certificate is for its host.
        tls: ``off``, ``internal`` (an authority of its own) or ``acme`` (a public one).
        acme_email: Account with the public authority, an e-mail address; empty for none.
        acme_directory: The address of another authority, public or private; empty for Caddy's default.
        acme_root: Root certificate of a private authority, PEM; empty for an authority that machines trust anyway.
        bind_address: IP address of the host to publish on; ``0.0.0.0`` is every one.
        port: TCP port of the host to publish on, 1 to 65535.
        trusted_proxies: IP addresses and networks (CIDR) of proxies in front. They alone are believed about the address
            and scheme of whoever connects, and about ``identity_headers``.
        identity_headers: Names of headers by which a trusted proxy says who somebody is (Open WebUI's
            WEBUI_AUTH_TRUSTED_EMAIL_HEADER and the like). They are removed from all other requests.
        http_port: With TLS, TCP port of the host on which plain HTTP is redirected; None for none.
        limits: What the container may use.
        labels: Docker labels of what is created, key to value.

    Source: https://caddyserver.com/docs/automatic-https
    """

    image: str
    container_name: str
    data: DataVolume
    network: Network
    upstreams: Sequence[str]
    public_url: str
    files_name: str = ""
    address: str | None = None
    upstream_port: int = 8080
    limits: Limits = DEFAULTS["gateway"]
    labels: Mapping[str, str] = field(default_factory=dict)
    tls: TlsMode = "off"
    acme_email: str = ""
    acme_directory: str = ""
    acme_root: str = ""
    bind_address: str = "127.0.0.1"
    port: int = 3001
    trusted_proxies: Sequence[str] = ()
    identity_headers: Sequence[str] = ()
    http_port: int | None = None
