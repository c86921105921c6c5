"""The gateway: the one door, which spreads people over the replicas and speaks TLS; Caddy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

import pulumi
import pulumi_docker as docker

from components.container import (
    ContainerSpec,
    Healthcheck,
    Join,
    PublishedPort,
    create_container,
    create_image,
    expected_inspect,
)
from components.files import Files, create_files, files_sha256
from components.limits import DEFAULTS, Limits
from components.network import Network
from components.reload import Reload
from components.volume import DataVolume, have_volume

TlsMode = Literal["off", "internal", "acme"]

HTTP_PORT: Final = 8080
HTTPS_PORT: Final = 8443
HEALTH_PORT: Final = 2020
"""Where the gateway tells its own health, inside its container only."""

CONFIGURATION_PATH: Final = "/etc/caddy"
CADDYFILE: Final = f"{CONFIGURATION_PATH}/Caddyfile"
ADMIN: Final = "unix//run/caddy/admin.sock"
"""Caddy's admin endpoint: no other container can reach a socket in memory."""

DATA_PATH: Final = "/var/tmp"  # noqa: S108 - a volume
"""Where certificates are kept. A fresh volume takes over owner and mode of the image's folder, and in every image this
one is everybody's to write: so Caddy needs no root."""

CA_FILE: Final = f"{DATA_PATH}/caddy/pki/authorities/local/root.crt"
"""Certificate of the gateway's own authority (``tls internal``)."""

ACME_ROOT_FILE: Final = f"{CONFIGURATION_PATH}/acme-root.pem"
"""Root certificate of a private ACME authority."""

USER: Final = "1000:1000"

RELOAD: Final = ["caddy", "reload", "--config", CADDYFILE, "--adapter", "caddyfile", "--address", ADMIN]

HEALTHCHECK: Final = Healthcheck(
    test=("CMD", "wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{HEALTH_PORT}/gateway-health"),
    interval="5s",
    timeout="3s",
    start_period="10s",
    retries=3,
)
HEALTHY_WITHIN_SECONDS: Final = 60


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
        address: Its fixed IPv4 address there, which the replicas are told to believe (``trusted_gateway``); None lets
            Docker choose.
        upstreams: Names of the containers it spreads people over.
        upstream_port: TCP port they listen on.
        public_url: Where people open it; its host is what the certificate is for.
        tls: ``off``, ``internal`` (an authority of its own) or ``acme`` (a public one).
        acme_email: Account with the public authority, an e-mail address; empty for none.
        acme_directory: The address of another authority, public or private; empty for Caddy's default.
        acme_root: PEM of the root certificate of a private authority; empty for one that machines trust anyway.
        bind_address: IP address of the host to publish on; ``0.0.0.0`` is every one.
        port: TCP port of the host to publish on, 1 to 65535.
        trusted_proxies: IP addresses and networks (CIDR) of proxies in front: they are believed about who connects, by
            which scheme, and about ``identity_headers``. Nobody else is.
        identity_headers: Names of headers by which a trusted proxy says who somebody is (Open WebUI's
            WEBUI_AUTH_TRUSTED_EMAIL_HEADER and the like): taken from whoever else sends them.
        http_port: With TLS, TCP port of the host on which plain HTTP is redirected; None for none.
        limits: What the container may use.
        labels: Marks of ownership of what is created: Docker labels, key to value.

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


@dataclass(frozen=True, kw_only=True)
class GatewayResources:
    """What a :class:`Gateway` made.

    Attributes:
        image: The image.
        volume: The volume with its certificates; None where it existed.
        files: Its configuration, in a volume.
        container: Its container.
    """

    image: docker.RemoteImage
    volume: docker.Volume | None
    files: Files
    container: docker.Container


_WORD: Final = re.compile(r"""(?!#|<<)[^\s"`{}\\]*""")
"""Text that is one token of a Caddyfile and means itself."""


def caddyfile(args: GatewayArgs) -> str:
    """The gateway's configuration.

    A replica is asked for ``/health`` and not ``/ready``: an outage of Valkey makes all of them unready, and a gateway
    without a replica serves nobody. Sockets outlive a change of the configuration by twelve hours at most; no timeout
    cuts them, so that Open WebUI's ping each 25 s keeps them.

    Of who connects, the replicas are told the address and the scheme. Caddy believes its trusted proxies about both,
    and takes from everybody else all headers that claim an address, a scheme or a person. Where people come by https
    and Caddy is not who speaks it, the scheme is that of the public URL.

    Raises:
        ValueError: An argument has characters that mean something else in a Caddyfile, or the URL names no host.

    Source: https://caddyserver.com/docs/caddyfile/directives/reverse_proxy,
    https://caddyserver.com/docs/caddyfile/options#trusted-proxies and
    https://caddyserver.com/docs/caddyfile/concepts#tokens-and-quotes
    """
    words = [args.public_url, args.acme_email, args.acme_directory, *args.upstreams]
    words += [*args.trusted_proxies, *args.identity_headers]
    if unfit := [word for word in words if not _WORD.fullmatch(word)]:
        raise ValueError(f"{unfit[0]!r} cannot stand in a Caddyfile: leave out spaces, quotes, braces and backslashes.")
    public = urlsplit(args.public_url)
    host = public.hostname or ""
    if not host:
        raise ValueError(
            f"public_url is {args.public_url!r} and names no host: write scheme://host or scheme://host:port."
        )
    options = [
        f"admin {ADMIN}",
        "persist_config off",
        "grace_period 5s",
        f"http_port {HTTP_PORT}",
        f"https_port {HTTPS_PORT}",
        # What listens here is written here.
        "auto_https off" if args.tls == "off" else "auto_https disable_redirects",
        "skip_install_trust",
        # Caddy cleans its storage as it starts, and takes the folder of the certificate that it is making for an empty
        # one: the certificate then comes a minute later. There is one site here, and nothing to clean.
        # https://github.com/caddyserver/certmagic/blob/v0.25.6/maintain.go#L805
        "storage_clean_interval off",
        *([f"default_sni {host}"] if args.tls == "internal" else []),
        *([f"email {args.acme_email}"] if args.tls == "acme" and args.acme_email else []),
        *([f"acme_ca {args.acme_directory}"] if args.tls == "acme" and args.acme_directory else []),
        *([f"acme_ca_root {ACME_ROOT_FILE}"] if args.tls == "acme" and args.acme_root else []),
        # HTTP/3 would need a UDP port published.
        "servers {\n        protocols h1 h2\n" + _trust(args.trusted_proxies) + "    }",
    ]
    upstreams = " ".join(f"{name}:{args.upstream_port}" for name in args.upstreams)
    site = f":{HTTP_PORT}" if args.tls == "off" else f"https://{_site_host(host)}:{HTTPS_PORT}"
    tls = "    tls internal\n" if args.tls == "internal" else ""
    if args.tls == "acme" and args.acme_directory and not args.http_port:
        # Nothing leads to where http-01 is answered. Caddy begins with any challenge, and a CA that waits for one, as
        # step-ca does, is not asked for another.
        tls = "    tls {\n        issuer acme {\n            disable_http_challenge\n        }\n    }\n"
    redirect = f"http://:{HTTP_PORT} {{\n    redir {args.public_url}{{uri}} permanent\n}}\n" if args.http_port else ""
    scheme = "\n        header_up X-Forwarded-Proto https" if args.tls == "off" and public.scheme == "https" else ""
    lines = "\n".join(f"    {option}" for option in options)
    return f"""{{
{lines}
}}
http://127.0.0.1:{HEALTH_PORT} {{
    bind 127.0.0.1
    respond /gateway-health 200
}}
{redirect}{site} {{
{tls}{_identity(args)}{_hsts(args.tls, public)}    reverse_proxy {upstreams} {{
        header_up X-Forwarded-For {{client_ip}}{scheme}
        lb_policy round_robin
        lb_try_duration 5s
        lb_try_interval 250ms
        fail_duration 10s
        max_fails 1
        health_uri /health
        health_interval 2s
        health_timeout 3s
        flush_interval -1
        stream_close_delay 12h
        transport http {{
            dial_timeout 2s
        }}
    }}
}}
"""


def _trust(proxies: Sequence[str]) -> str:
    if not proxies:
        return ""
    # Strict: from the right, the first address that is no proxy's. What stands left of it, anybody may have written.
    return f"        trusted_proxies static {' '.join(proxies)}\n        trusted_proxies_strict\n"


CLAIMS: Final = ("X-Forwarded-*", "X-Real-IP", "Forwarded")
"""Headers by which a proxy says for whom it asks."""


def _identity(args: GatewayArgs) -> str:
    """Take from strangers what only a trusted proxy may say; to Caddy names of headers are the same in any case."""
    of_whom = "@strangers " if args.trusted_proxies else ""
    matcher = f"    @strangers not remote_ip {' '.join(args.trusted_proxies)}\n" if args.trusted_proxies else ""
    return matcher + "".join(
        f"    request_header {of_whom}-{name}\n" for name in dict.fromkeys((*CLAIMS, *args.identity_headers))
    )


HSTS_SECONDS: Final = 31536000
"""A year, as https://hstspreload.org asks for."""


def _hsts(tls: TlsMode, public: SplitResult) -> str:
    """Tell browsers to come by https only, unless the replicas say something of it themselves.

    It counts for all ports of the host, so it is said only where the host is this site's own: not for ``localhost``,
    nor on a port beside others. For IP addresses browsers do not take it.

    Source: https://www.rfc-editor.org/rfc/rfc6797
    """
    host = public.hostname or ""
    own = public.port in {None, 443} and host != "localhost" and not host.endswith(".localhost")
    if tls == "off" or not own or ":" in host or host.replace(".", "").isdecimal():
        return ""
    return f"    header ?Strict-Transport-Security max-age={HSTS_SECONDS}\n"


def _site_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def published_ports(args: GatewayArgs) -> list[PublishedPort]:
    """What of the gateway is published on the host."""
    inside = HTTP_PORT if args.tls == "off" else HTTPS_PORT
    ports = [PublishedPort(address=args.bind_address, host_port=args.port, container_port=inside)]
    if args.http_port:
        ports.append(PublishedPort(address=args.bind_address, host_port=args.http_port, container_port=HTTP_PORT))
    return ports


class Gateway(pulumi.ComponentResource):
    """Caddy before the replicas.

    Creates a ``docker.RemoteImage``, two ``docker.Volume`` (certificates, configuration) and a ``docker.Container``. A
    changed configuration is written beside the running container, which takes it over when :meth:`reload` says so.
    An update fails where it is not healthy within 60 s.

    Args:
        name: Name of the Pulumi resource.
        args: What it is asked to be.
        opts: Pulumi's options.

    Attributes:
        container_id: Id of the container, once it is healthy.
        container_name: Name of the container.
        ca: Path in the container of the root certificate of its own or a private authority; None where it has neither.
        expected: What ``docker inspect`` must show of it.
        resources: What was made.
    """

    container_id: pulumi.Output[str]
    container_name: str
    ca: str | None
    expected: dict[str, Any]
    resources: GatewayResources

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("openwebui:components:Gateway", name, None, opts)
        args = replace(args, files_name=args.files_name or f"{args.container_name}-files")
        spec = ContainerSpec(
            name=args.container_name,
            role="gateway",
            image=args.image,
            networks=[Join(network=args.network, address=args.address)],
            labels=args.labels,
            command=("caddy", "run", "--config", CADDYFILE, "--adapter", "caddyfile"),
            environment={"XDG_DATA_HOME": DATA_PATH, "XDG_CONFIG_HOME": "/tmp"},  # noqa: S108 - in the container
            volumes={args.data.name: DATA_PATH, args.files_name: CONFIGURATION_PATH},
            ports=published_ports(args),
            user=USER,
            read_only=True,
            tmpfs={"/tmp": _OWNED, "/run/caddy": _OWNED_ALONE},  # noqa: S108 - in the container, in memory
            # The official image's binary carries it as a file capability, and does not start where it cannot have it.
            capabilities=("CAP_NET_BIND_SERVICE",),
            limits=args.limits,
            healthcheck=HEALTHCHECK,
        )
        image = create_image(f"{name}-image", args.image, parent=self)
        data, volume = have_volume(f"{name}-data", args.data, owner=args.labels, parent=self)
        private = args.tls == "acme" and args.acme_root
        self._configuration = {CADDYFILE: caddyfile(args), **({ACME_ROOT_FILE: args.acme_root} if private else {})}
        files = create_files(
            f"{name}-files",
            name=args.files_name,
            contents=self._configuration,
            image=image,
            image_reference=args.image,
            labels=args.labels,
            parent=self,
            path=CONFIGURATION_PATH,
        )
        container = create_container(
            f"{name}-container",
            spec,
            parent=self,
            image=image,
            volumes={args.data.name: data, args.files_name: files.volume},
            depends_on=[files.container],
            wait_seconds=HEALTHY_WITHIN_SECONDS,
        )
        self.container_id = container.id
        self.container_name = args.container_name
        self.ca = CA_FILE if args.tls == "internal" else ACME_ROOT_FILE if private else None
        self.expected = expected_inspect(spec)
        self.resources = GatewayResources(image=image, volume=volume, files=files, container=container)
        self._name = name
        self.register_outputs(
            {"container_id": self.container_id, "container_name": self.container_name, "ca": self.ca},
        )

    def reload(self, *, after: Sequence[pulumi.Resource]) -> Reload:
        """Take over a changed configuration, once new replicas run and before old ones are removed.

        Args:
            after: The replicas.
        """
        return Reload(
            f"{self._name}-reload",
            container=self.container_name,
            command=RELOAD,
            triggers={"configuration": files_sha256(self._configuration), "container": self.container_id},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.resources.files.container, *after]),
        )


_OWNED: Final = "uid=1000,gid=1000,mode=1777,size=64m"
_OWNED_ALONE: Final = "uid=1000,gid=1000,mode=0700,size=1m"
