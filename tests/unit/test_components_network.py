"""Addresses: those Docker hands out, and the gateway's own."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from components.network import upper_half
from tests.unit.recorder import run_program, variant
from topologies.replicated import GATEWAY_HOST_NUMBER


@pytest.mark.parametrize(
    ("subnet", "half"),
    [
        ("10.213.7.0/24", "10.213.7.128/25"),
        ("192.168.4.16/28", "192.168.4.24/29"),
        ("172.20.0.128/25", "172.20.0.192/26"),
    ],
)
def test_docker_hands_out_the_upper_half(subnet: str, half: str) -> None:
    assert upper_half(subnet) == half


@pytest.mark.parametrize("prefix", range(24, 29))
def test_the_gateways_address_is_nobody_elses_in_every_subnet_that_may_be_set(prefix: int) -> None:
    """A replica that had it would be believed about where people come from."""
    network = IPv4Network(f"10.213.7.0/{prefix}")
    address, bridge = network[GATEWAY_HOST_NUMBER], network[1]
    assert address != bridge
    assert address not in IPv4Network(upper_half(str(network)))


def test_the_networks_of_a_stack_say_which_addresses_they_have() -> None:
    recorder = run_program("staging", {"edgeSubnet": "10.99.5.0/26"})
    (space,) = recorder.inputs("edge-bridge")["ipamConfigs"]
    assert space == {"subnet": "10.99.5.0/26", "gateway": "10.99.5.1", "ipRange": "10.99.5.32/27"}
    (joined,) = recorder.inputs("gateway-container")["networksAdvanced"]
    assert joined["ipv4Address"] == "10.99.5.2"


def test_the_data_networks_addresses_are_dockers_business() -> None:
    assert "ipamConfigs" not in variant("staging").inputs("data-bridge")


def test_two_stacks_have_subnets_of_their_own() -> None:
    addresses = {
        IPv4Address(variant(stack).inputs("gateway-container")["networksAdvanced"][0]["ipv4Address"])
        for stack in ("staging", "prod")
    }
    assert len(addresses) == 2


def test_a_network_of_stated_addresses_has_no_ipv6_whatever_the_daemons_default() -> None:
    """On IPv6 a gateway would come to a replica from an address that is not the one it is believed by."""
    recorder = variant("staging")
    assert recorder.inputs("edge-bridge")["options"] == {"com.docker.network.enable_ipv6": "false"}
    assert "options" not in recorder.inputs("data-bridge")


@pytest.mark.parametrize("name", ["edge-bridge", "data-bridge"])
def test_what_a_daemons_defaults_add_to_a_network_is_no_change_and_its_subnet_is_one(name: str) -> None:
    ignored = variant("staging").requests[name].ignoreChanges
    assert {"ipv6", "options"} <= set(ignored)
