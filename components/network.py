"""A bridge network on which containers find each other: a new one, or one that exists already."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_docker as docker


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Arguments of :class:`Network`.

    Attributes:
        name: Name in Docker.
        external: Join the network of that name instead of creating one; it is never removed.
        network_id: With ``external``, the id of a network that your own program makes (``docker.Network(...).id``).
            Containers wait for it, and are re-created when it is. None where the network exists before.
        internal: Its containers reach each other and nothing else, and nothing else reaches them. Of no effect with
            ``external``.
        subnet: IPv4 subnet such as ``10.213.7.0/24``. There is then no IPv6, whatever the daemon's default is, so that
            a container is known by its address. Docker hands out the addresses of the upper half; the lower half is for
            fixed ones. None leaves all of it to Docker. Of no effect with ``external``.
        labels: Docker labels of a network that is created, key to value.

    Source: https://docs.docker.com/engine/network/drivers/bridge/
    """

    name: str
    external: bool = False
    network_id: pulumi.Input[str] | None = None
    internal: bool = False
    subnet: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NetworkResources:
    """The resources that a :class:`Network` makes.

    Attributes:
        network: The network; None for one that existed.
    """

    network: docker.Network | None


IPV4_ONLY: Final = {"com.docker.network.enable_ipv6": "false"}
"""Driver option against a daemon whose default is IPv6 on every network. It has no effect before Docker 27.

Pulumi's plugin cannot send ``ipv6: false``.
Source: https://docs.docker.com/reference/cli/dockerd/#default-network-options
"""

CHOSEN_BY_DOCKER: Final = ("ipv6", "options")
"""Properties that a daemon's ``default-network-opts`` fill in. A difference in them is no change that anybody made."""


def upper_half(subnet: str) -> str:
    """The half of a subnet from which Docker hands out addresses."""
    return str(list(ipaddress.IPv4Network(subnet).subnets())[1])


def _address_space(subnet: str) -> list[docker.NetworkIpamConfigArgs]:
    bridge = str(ipaddress.IPv4Network(subnet)[1])
    return [docker.NetworkIpamConfigArgs(subnet=subnet, gateway=bridge, ip_range=upper_half(subnet))]


class Network(pulumi.ComponentResource):
    """A user-defined bridge network, on which containers find each other by name.

    Creates a ``docker.Network``, or nothing where the network is external.

    Args:
        name: Name of the Pulumi resource.
        args: Name and address space of the network.
        opts: Pulumi's options.

    Attributes:
        name: Name in Docker, known once the network exists.
        docker_name: Name in Docker, known at once.
        network_id: Its id in Docker. Of an external network: the id that was given, else its name.
        resources: The resources that it makes.

    Raises:
        ValueError: ``subnet`` is no IPv4 network with its host part zero.
    """

    docker_name: str
    name: pulumi.Output[str]
    network_id: pulumi.Output[str]
    resources: NetworkResources

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("openwebui:components:Network", name, None, opts)
        self.docker_name = args.name
        network = None
        if args.external:
            self.network_id = pulumi.Output.from_input(args.name if args.network_id is None else args.network_id)
            self.name = self.network_id.apply(lambda _: args.name)
        else:
            network = docker.Network(
                f"{name}-bridge",
                name=args.name,
                driver="bridge",
                internal=args.internal or None,
                ipam_configs=_address_space(args.subnet) if args.subnet else None,
                options=IPV4_ONLY if args.subnet else None,
                labels=[docker.NetworkLabelArgs(label=key, value=value) for key, value in sorted(args.labels.items())],
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # Docker allows two networks of one name, and then every lookup by name is ambiguous.
                    delete_before_replace=True,
                    ignore_changes=list(CHOSEN_BY_DOCKER),
                ),
            )
            self.name = network.name
            self.network_id = network.id
        self.resources = NetworkResources(network=network)
        self.register_outputs({"name": self.name, "network_id": self.network_id})
