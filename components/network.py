"""A bridge network containers meet on: our own, or one that exists already."""

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
        network_id: With ``external``, its id where your own program makes it (``docker.Network(...).id``): containers
            wait for it, and are made anew when it is. None where it is there before.
        internal: No way out of it, and none in: only its own containers reach each other. Of no effect with
            ``external``.
        subnet: IPv4 subnet such as ``10.213.7.0/24``, and no IPv6, whatever the daemon's default is: who is on the
            network is known by these addresses. Docker hands out those of its upper half, the lower one is for fixed
            ones. None leaves all of it to Docker. Of no effect with ``external``.
        labels: Marks of ownership of a network that is created: Docker labels, key to value.

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
    """What a :class:`Network` made.

    Attributes:
        network: The network; None for one that existed.
    """

    network: docker.Network | None


IPV4_ONLY: Final = {"com.docker.network.enable_ipv6": "false"}
"""Driver option that keeps a daemon's own default, IPv6 on every network, away; before Docker 27 without effect.

Pulumi's plugin cannot send ``ipv6: false``.
Source: https://docs.docker.com/reference/cli/dockerd/#default-network-options
"""

CHOSEN_BY_DOCKER: Final = ("ipv6", "options")
"""Properties that ``default-network-opts`` of a daemon fill in, which is no change of what was asked for."""


def upper_half(subnet: str) -> str:
    """The half of a subnet that Docker hands addresses out of."""
    return str(list(ipaddress.IPv4Network(subnet).subnets())[1])


def _address_space(subnet: str) -> list[docker.NetworkIpamConfigArgs]:
    bridge = str(ipaddress.IPv4Network(subnet)[1])
    return [docker.NetworkIpamConfigArgs(subnet=subnet, gateway=bridge, ip_range=upper_half(subnet))]


class Network(pulumi.ComponentResource):
    """A user-defined bridge network, on which containers find each other by name.

    Creates a ``docker.Network``, or nothing where the network is external.

    Args:
        name: Name of the Pulumi resource.
        args: What it is asked to be.
        opts: Pulumi's options.

    Attributes:
        name: Name in Docker, known once the network exists.
        docker_name: The same, known at once.
        network_id: Its id in Docker; of a network that existed the id that was given, else its name.
        resources: What was made.

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
