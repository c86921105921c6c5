"""The gateway: the one public endpoint, which spreads people over the replicas and speaks TLS. It is Caddy.

``args`` has its arguments, and ``caddyfile`` writes its configuration from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi
import pulumi_docker as docker

from components.building.container import create_container, create_image
from components.building.files import Files, create_files
from components.building.spec import ContainerSpec, Healthcheck, Join, PublishedPort, expected_inspect, texts_sha256
from components.building.volume import have_volume
from components.gateway.args import GatewayArgs
from components.gateway.caddyfile import (
    ACME_ROOT_FILE,
    ADMIN,
    CONFIGURATION_PATH,
    HEALTH_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    caddyfile,
)
from components.reload import Reload

CADDYFILE: Final = f"{CONFIGURATION_PATH}/Caddyfile"

DATA_PATH: Final = "/var/tmp"  # noqa: S108 - a volume
"""Where certificates are kept. A fresh volume takes over owner and mode of the image's folder. Everybody may write to
this one in every image, so Caddy needs no root."""

CA_FILE: Final = f"{DATA_PATH}/caddy/pki/authorities/local/root.crt"
"""Certificate of the gateway's own authority (``tls internal``)."""

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

TMPFS: Final = {
    "/tmp": "uid=1000,gid=1000,mode=1777,size=64m",  # noqa: S108 - in the container, in memory
    "/run/caddy": "uid=1000,gid=1000,mode=0700,size=1m",
}
"""Folders in memory, of :data:`USER`. The admin endpoint's is closed to everybody else."""


@dataclass(frozen=True, kw_only=True)
class GatewayResources:
    """The resources that a :class:`Gateway` makes.

    Attributes:
        image: The image.
        volume: The volume with its certificates; None where it existed.
        files: Caddy's configuration, in a volume.
        container: Caddy's container.
    """

    image: docker.RemoteImage
    volume: docker.Volume | None
    files: Files
    container: docker.Container


def published_ports(args: GatewayArgs) -> list[PublishedPort]:
    """The gateway's ports on the host: the public endpoint, and with TLS the one that redirects plain HTTP to it."""
    inside = HTTP_PORT if args.tls == "off" else HTTPS_PORT
    ports = [PublishedPort(address=args.bind_address, host_port=args.port, container_port=inside)]
    if args.http_port:
        ports.append(PublishedPort(address=args.bind_address, host_port=args.http_port, container_port=HTTP_PORT))
    return ports


class Gateway(pulumi.ComponentResource):
    """Caddy in front of the replicas.

    Creates a ``docker.RemoteImage``, two ``docker.Volume`` (certificates, configuration) and a ``docker.Container``. A
    changed configuration is written beside the running container, which takes it over when :meth:`reload` says so.
    An update fails where the container is not healthy within 60 s.

    Args:
        name: Name of the Pulumi resource.
        args: Image, names, replicas, public URL and TLS of the gateway.
        opts: Pulumi's options.

    Attributes:
        container_id: Id of the container, once it is healthy.
        container_name: Name of the container.
        ca: Path in the container of the root certificate of its own or a private authority; None where it has neither.
        expected: What ``docker inspect`` must show of the container, by dotted path.
        resources: The resources that it makes.
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
            tmpfs=TMPFS,
            # A file capability of the official image's binary, which does not start without it.
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
        self.register_outputs({"container_id": self.container_id, "container_name": self.container_name, "ca": self.ca})

    def reload(self, *, after: Sequence[pulumi.Resource]) -> Reload:
        """Have Caddy take over a changed configuration, once new replicas run and before old ones are removed.

        Args:
            after: The containers of the replicas.
        """
        return Reload(
            f"{self._name}-reload",
            container=self.container_name,
            command=RELOAD,
            triggers={"configuration": texts_sha256(self._configuration), "container": self.container_id},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.resources.files.container, *after]),
        )
