"""The preflight: whose an object is, and who holds a port or an address, from what Docker lists."""

import json
import os
import socket
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pulumi
import pytest
from docker.errors import ImageNotFound, NotFound

from docker_access import labels
from docker_access.client import failure_text
from docker_access.versions import TRIED, TooNewError
from preflight import PreflightError, _host_problems, _problems, docker_does_not_answer, look
from preflight.data import data_left_behind, embedding_changes
from preflight.host import rights_are_seen, seccomp_advice, seccomp_problems
from preflight.images import image_problems, origin_changes
from preflight.limits import LIMITED_BY, limit_problems, memory_advice
from preflight.names import other_names
from preflight.objects import owner_of_another
from preflight.ports import Listener, low_ports, overlap, port_problems, process_holding, publisher
from preflight.subnets import Taken, pool_problems, subnet_problems, taken_subnets
from preflight.versions import downgrade_problems, postgres_problems, software_problems
from preflight.volumes import used_by_others
from settings import Settings
from settings.references import OPEN_WEBUI_TRIED
from tests.unit.test_settings import read

OURS = {labels.PROJECT: "open-webui", labels.STACK: "team", labels.ROLE: "valkey"}
REPLICATED = {"topology": "replicated", "replicas": "2", "adminEmail": "admin@example.org"}
HERE = {"Name": socket.gethostname()}
"""What ``docker info`` tells of a Docker on this machine."""
ROOTLESS = {**HERE, "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}
ELSEWHERE = pytest.mark.parametrize("info", [{"Name": "docker-desktop"}, {}], ids=["a virtual machine", "not told"])
APART = pytest.mark.parametrize("info", [ROOTLESS, {"Name": "docker-desktop"}], ids=["rootless", "a virtual machine"])


@pytest.fixture(autouse=True)
def _no_process_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs beside the tests, a stack on port 3000 among it, is none of theirs, wherever Docker is."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("preflight.ports.process_holding", lambda _: "")
    monkeypatch.setattr("preflight.subnets.ROUTES", Path("/no/such/table"))


def test_an_object_with_our_marks_is_ours() -> None:
    assert owner_of_another(OURS, read()) == ""


def test_an_object_of_another_stack_names_that_stack() -> None:
    assert "stack staging of project open-webui" in owner_of_another({**OURS, labels.STACK: "staging"}, read())


def test_an_object_of_a_compose_project_names_it() -> None:
    assert "compose project chat" in owner_of_another({"com.docker.compose.project": "chat"}, read())


def test_an_object_without_marks_is_not_ours() -> None:
    assert "no label" in owner_of_another({}, read())


@pytest.mark.parametrize(
    ("published", "wanted", "collides"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),  # noqa: S104 - compared
        ("127.0.0.1", "0.0.0.0", True),  # noqa: S104 - compared
        ("127.0.0.1", "192.0.2.1", False),
        ("::", "127.0.0.1", True),
    ],
)
def test_listening_addresses_collide_when_equal_or_any(published: str, wanted: str, collides: bool) -> None:  # noqa: FBT001
    assert overlap(published, wanted) is collides


def test_the_container_that_publishes_a_port_is_found() -> None:
    listed = [
        {"Names": ["/other"], "Ports": [{"PrivatePort": 80, "Type": "tcp"}]},
        {"Names": ["/web"], "Ports": [{"IP": "0.0.0.0", "PublicPort": 3000, "PrivatePort": 80}]},  # noqa: S104
    ]
    found = publisher(listed, Listener(key="uiPort", address="127.0.0.1", port=3000))
    assert found is not None
    assert found["Names"] == ["/web"]
    assert publisher(listed, Listener(key="uiPort", address="127.0.0.1", port=80)) is None


def test_the_process_that_listens_is_found_and_of_a_free_port_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(key="uiPort", address="127.0.0.1", port=server.getsockname()[1])
        assert process_holding(listener).startswith(f"process {os.getpid()} (")
    assert process_holding(listener) == ""


def test_a_port_that_a_process_holds_is_refused_with_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {3000: "process 1 (web)", 3001: "process 2 (api)"}
    monkeypatch.setattr("preflight.ports.process_holding", lambda listener: held.get(listener.port, ""))
    (problem,) = port_problems(read(), Mock(containers=lambda **_: []), HERE)
    assert "port 3000 on 127.0.0.1 is in use by process 1 (web)" in problem
    assert "open-webui:uiPort: 3002" in problem


def test_a_docker_that_does_not_answer_is_told_with_the_address_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    assert "DOCKER_HOST=tcp://192.0.2.1:2375" in docker_does_not_answer(OSError("refused"))
    monkeypatch.delenv("DOCKER_HOST")
    assert "systemctl start docker" in docker_does_not_answer(OSError("refused"))


def test_the_reason_is_the_operating_systems_however_deep_it_lies() -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    wrapped = RuntimeError("Max retries exceeded", RuntimeError("Connection aborted", refused))
    assert failure_text(RuntimeError("outermost", wrapped)) == "Connection refused"
    assert failure_text(ValueError("Invalid bind address format")) == "Invalid bind address format"


@pytest.mark.parametrize(
    ("version", "refused"), [("v0.11.3", True), ("0.6.0", True), ("0.12.0", False), ("main", False), ("", False)]
)
def test_a_floating_tag_is_judged_by_the_images_label(version: str, refused: bool) -> None:  # noqa: FBT001
    client = Mock()
    client.inspect_image.return_value = {"Config": {"Labels": {labels.IMAGE_VERSION: version}}}
    assert bool(list(image_problems(read(), client))) is refused


@pytest.mark.parametrize("found", [{"Config": {"Labels": None}}, {}, ImageNotFound("no such image")])
def test_an_image_that_tells_no_version_or_is_not_there_is_no_problem(found: Any) -> None:
    client = Mock()
    client.inspect_image.side_effect = [found] * 9
    assert not list(image_problems(read(), client))


PRODUCTION = {**REPLICATED, "production": "true", "tls": "internal", "openWebuiImage": OPEN_WEBUI_TRIED}
PRODUCTION |= {"valkeyImage": "docker.io/valkey/valkey:8.1.10-alpine"}
BUILT_HERE = {labels.LOCAL_BUILD: "PyPI open-webui 0.12.4", labels.IMAGE_VERSION: "0.12.4"}


def images(**image_labels: dict[str, str]) -> Mock:
    """A Docker that has images with these labels, by the word that their references have in them."""
    client = docker_with(network={}, volume={})

    def inspect(name: str) -> dict[str, Any]:
        found = [value for word, value in image_labels.items() if word in name]
        if not found:
            raise ImageNotFound(name)
        return {"Config": {"Labels": found[0]}}

    client.inspect_image.side_effect = inspect
    return client


def test_production_refuses_every_local_build_and_names_what_it_is_made_from() -> None:
    client = images(pgvector=BUILT_HERE, caddy=BUILT_HERE, valkey={})
    (problem,) = image_problems(read(PRODUCTION), client)
    assert problem.startswith(
        "built on this machine: docker.io/pgvector/pgvector:0.8.7-pg17 (from PyPI open-webui 0.12.4), "
        "docker.io/library/caddy:2.11.7-alpine (from PyPI open-webui 0.12.4). Production takes the official images: "
    )
    assert "(docker pull), or bring them (docker load); or, if that is meant, add local-build to open" in problem


@pytest.mark.parametrize("config", [REPLICATED, {**PRODUCTION, "acknowledged": '["local-build"]'}])
def test_a_local_build_is_taken_where_it_is_acknowledged_or_nothing_is_at_stake(config: dict[str, str]) -> None:
    assert not list(image_problems(read(config), images(pgvector=BUILT_HERE)))


@pytest.mark.parametrize(
    ("runs", "here", "said"),
    [
        (BUILT_HERE, {}, "the local build from PyPI open-webui 0.12.4 gives way to the official image."),
        ({}, BUILT_HERE, "a local build from PyPI open-webui 0.12.4 takes the place of the official image."),
    ],
)
def test_a_change_between_a_local_build_and_the_official_image_is_called_an_upgrade(
    runs: dict[str, str], here: dict[str, str], said: str
) -> None:
    client = images(sha256=runs, pgvector=here)
    client.containers.return_value = [{**POSTGRES, "ImageID": "sha256:1"}]
    (advice,) = origin_changes(read(REPLICATED), client)
    assert advice.startswith(f"docker.io/pgvector/pgvector:0.8.7-pg17: {said} That is an upgrade")
    assert "back up first" in advice


@pytest.mark.parametrize("image_labels", [{}, BUILT_HERE])
def test_another_image_of_the_same_making_is_not_called_one(image_labels: dict[str, str]) -> None:
    client = images(sha256=image_labels, pgvector=image_labels)
    client.containers.return_value = [{**POSTGRES, "ImageID": "sha256:1"}]
    assert not list(origin_changes(read(REPLICATED), client))
    client.containers.return_value = [POSTGRES, {**APP, "ImageID": "sha256:1"}]
    assert not list(origin_changes(read(REPLICATED), client))


def test_another_port_is_offered_that_there_is() -> None:
    client = Mock()
    ports = [{"IP": "127.0.0.1", "PublicPort": 65535, "PrivatePort": 80}]
    client.containers.return_value = [{"Names": ["/web"], "Labels": {}, "Ports": ports}]
    (problem,) = port_problems(read({"uiPort": "65535"}), client, HERE)
    assert "container web" in problem
    assert "open-webui:uiPort: 65534" in problem


def test_other_names_are_the_stacks_own_or_another_stacks() -> None:
    assert "tutorialNames: false" in other_names(read({"tutorialNames": "true", "networkName": "chat"}))
    assert "STACK=NAME" in other_names(read())


def test_the_port_that_is_offered_is_nobodys() -> None:
    client = Mock()
    ports = [{"IP": "0.0.0.0", "PublicPort": port, "PrivatePort": 80} for port in (3100, 3101, 3103)]  # noqa: S104
    client.containers.return_value = [{"Names": ["/web"], "Labels": {}, "Ports": ports}]
    (problem,) = port_problems(
        read({**REPLICATED, "uiPort": "3100", "httpPort": "3102", "tls": "internal"}), client, HERE
    )
    assert "open-webui:uiPort: 3104" in problem


def test_an_address_that_the_host_has_not_got_is_refused_with_those_it_has() -> None:
    client = Mock()
    client.containers.return_value = []
    # 203.0.113.0/24 is for documentation: https://www.rfc-editor.org/rfc/rfc5737
    (problem,) = port_problems(read({"uiBindAddress": "203.0.113.77"}), client, HERE)
    assert problem.startswith("address 203.0.113.77 is none of this host's, which has 127.0.0.1")
    assert not list(port_problems(read({"uiBindAddress": "203.0.113.77"}), client, {"Name": "docker-desktop"}))


def test_what_another_port_needs_beside_it_is_said_and_the_settings_take_it() -> None:
    client = Mock()
    ports = [{"IP": "127.0.0.1", "PublicPort": 443, "PrivatePort": 80}]
    client.containers.return_value = [{"Names": ["/web"], "Labels": {}, "Ports": ports}]
    acme = {"tls": "acme", "acmeEmail": "a@example.org", "publicUrl": "https://chat.example.org", "uiPort": "443"}
    acme |= {"acknowledged": '["ports-forwarded"]', "uiBindAddress": "127.0.0.1"}
    (problem,) = port_problems(read({**REPLICATED, **acme}), client, HERE)
    assert problem.endswith("Stop that, or publish elsewhere (open-webui:uiPort: 444).")
    acme["uiBindAddress"], acme["acknowledged"] = "0.0.0.0", "[]"  # noqa: S104 - a setting
    (problem,) = port_problems(read({**REPLICATED, **acme}), client, HERE)
    assert problem.endswith("(open-webui:uiPort: 444, with open-webui:acknowledged: [ports-forwarded]).")
    read({**REPLICATED, **acme, "uiPort": "444", "acknowledged": '["ports-forwarded"]'})


def test_the_public_url_is_named_where_it_has_the_port_that_is_taken() -> None:
    client = Mock()
    ports = [{"IP": "127.0.0.1", "PublicPort": 3443, "PrivatePort": 80}]
    client.containers.return_value = [{"Names": ["/web"], "Labels": {}, "Ports": ports}]
    settings = read({**REPLICATED, "tls": "internal", "publicUrl": "https://localhost:3443", "uiPort": "3443"})
    (problem,) = port_problems(settings, client, HERE)
    assert problem.endswith("(open-webui:uiPort: 3444, and the port in open-webui:publicUrl if it is set).")


def test_every_published_port_of_a_stack_is_looked_at() -> None:
    client = Mock()
    ports = [{"IP": "127.0.0.1", "PublicPort": port, "PrivatePort": 80} for port in (3100, 3180)]
    client.containers.return_value = [{"Names": ["/web"], "Labels": {}, "Ports": ports}]
    settings = read({**REPLICATED, "uiPort": "3100", "httpPort": "3180", "tls": "internal"})
    problems = list(port_problems(settings, client, HERE))
    assert "uiPort: 3101" in problems[0]
    assert "httpPort: 3181" in problems[1]


def docker_with(*, network: Any, volume: Any, containers: Any = ()) -> Mock:
    """A Docker without images and containers of the stack's names."""
    client = Mock()
    client.inspect_image.side_effect = ImageNotFound("no such image")
    client.inspect_container.side_effect = ImageNotFound("no such container")
    client.inspect_network.return_value = network
    client.inspect_volume.return_value = volume
    client.containers.return_value = containers
    client.networks.return_value = []
    client.info.return_value = {**HERE, "MemTotal": 64 << 30, "NCPU": 8}
    client.version.return_value = {"Version": TRIED[0]}
    return client


def test_what_the_stack_made_itself_is_not_external() -> None:
    theirs, ours = {"Labels": None}, {"Labels": OURS}
    settings = read({"networkExternal": "true", "volumesExternal": "true"})
    assert not list(_problems(settings, docker_with(network=theirs, volume=theirs), HERE))
    problems = list(_problems(settings, docker_with(network=ours, volume=ours), HERE))
    assert [problem.split(" is this stack's own")[0] for problem in problems] == [
        "network open-webui-team-network",
        "volume open-webui-team-valkey-data",
        "volume open-webui-team-data",
    ]
    assert not list(_problems(read(), docker_with(network=ours, volume=ours), HERE))


def test_a_volume_that_is_to_be_adopted_exists_and_belongs_to_somebody_else() -> None:
    settings = read({"openWebuiVolume": "chat_open-webui"})
    client = docker_with(network={"Labels": OURS}, volume={"Labels": OURS})
    assert [problem.partition(" is this stack's own. ")[2] for problem in _problems(settings, client, HERE)] == [
        "Leave out open-webui:openWebuiVolume."
    ]
    client.inspect_volume.side_effect = lambda name: (_ for _ in ()).throw(NotFound("no such volume"))
    (problem,) = _problems(settings, client, HERE)
    assert problem.startswith("volume chat_open-webui does not exist, and open-webui:openWebuiVolume names it.")


def test_a_volume_that_another_container_writes_to_is_not_adopted() -> None:
    def using(labels_of_it: dict[str, str], *, writes: bool) -> dict[str, Any]:
        mount = {"Type": "volume", "Name": "chat_open-webui", "RW": writes}
        return {"Names": ["/chat"], "Labels": labels_of_it, "Mounts": [mount]}

    settings = read({"openWebuiVolume": "chat_open-webui"})
    (problem,) = used_by_others(settings, "chat_open-webui", Mock(containers=lambda **_: [using({}, writes=True)]))
    assert "container chat runs and writes to it. Stop it (docker stop chat)." in problem
    for harmless in (using({}, writes=False), using(OURS, writes=True)):
        assert not list(used_by_others(settings, "chat_open-webui", Mock(containers=lambda **_: [harmless])))  # noqa: B023


def test_every_name_of_a_replicated_stack_is_looked_at() -> None:
    settings = read(REPLICATED)
    assert not list(_problems(settings, docker_with(network={"Labels": OURS}, volume={"Labels": OURS}), HERE))
    client = docker_with(network={"Labels": None}, volume={"Labels": None})
    client.inspect_container.side_effect = None
    client.inspect_container.return_value = {"Config": {"Labels": None, "Image": "web"}}
    problems = list(_problems(settings, client, HERE))
    assert [problem.split(" exists and")[0].replace("open-webui-team", "…") for problem in problems] == [
        "container …-valkey-files",
        "container …-valkey",
        "container …-postgres",
        "container …-postgres-setup",
        "container …-migration",
        "container …-files",
        "container …-1",
        "container …-2",
        "container …-gateway-files",
        "container …-gateway",
        "network …-edge",
        "network …-data",
        "volume …-valkey-data",
        "volume …-postgres-data",
        "volume …-data",
        "volume …-gateway-data",
        "volume …-valkey-files",
        "volume …-files",
        "volume …-gateway-files",
        "volume …-postgres-socket",
    ]
    # What a replicated stack cannot have is no way out of anything.
    assert not any("networkExternal" in problem or "networkName" in problem for problem in problems)
    assert "Remove it (docker volume rm open-webui-team-files)" in problems[-3]


def deployed(role: str, name: str, volume: str = "", path: str = "") -> dict[str, Any]:
    """A container of the stack as ``docker ps`` lists it, with its files mounted before its data."""
    files = {"Type": "volume", "Name": "open-webui-team-files", "Destination": "/run/secrets"}
    mount = {"Type": "volume", "Name": volume, "Destination": path}
    return {"Names": [f"/{name}"], "Labels": {**OURS, labels.ROLE: role}, "Mounts": [files, mount] if volume else []}


APP = deployed("open-webui", "open-webui-team", "open-webui-team-data", "/app/backend/data")
POSTGRES = deployed("postgres", "open-webui-team-postgres", "open-webui-team-postgres-data", "/var/lib/postgresql/data")


def left_behind(overrides: dict[str, str], *containers: dict[str, Any]) -> list[str]:
    return list(data_left_behind(read(overrides), list(containers)))


def test_other_names_on_a_deployed_stack_do_not_leave_its_data_behind() -> None:
    migration = {**APP, "Labels": {**OURS, labels.ROLE: "migration"}}
    assert not left_behind({}, APP, migration)
    (problem,) = left_behind({"tutorialNames": "true"}, APP, migration)
    assert "has its data in volume open-webui-team-data, and" in problem
    assert "make destroy STACK=team" in problem


def test_another_topology_on_a_deployed_stack_does_not_leave_its_data_behind() -> None:
    (problem,) = left_behind(REPLICATED, APP)
    assert "is deployed with topology single: its accounts and chats are in SQLite, volume open-webui-te" in problem
    assert "topology replicated would begin with an empty Postgres. Set open-webui:topology: single; " in problem
    assert "make destroy STACK=team; the volume stays" in problem
    (problem,) = left_behind({}, {**APP, "Names": ["/open-webui-team-1"]}, POSTGRES)
    assert "in Postgres, volume open-webui-team-postgres-data; topology single would begin" in problem
    assert "with an empty SQLite" in problem
    assert not left_behind(REPLICATED, {**APP, "Names": ["/open-webui-team-1"]}, POSTGRES)


def test_a_stack_whose_database_was_never_made_may_change_its_topology() -> None:
    assert not left_behind(REPLICATED, deployed("valkey", "open-webui-team-valkey"))


def test_a_subnet_that_another_network_has_is_refused_with_one_that_is_free() -> None:
    settings = read({**REPLICATED, "edgeSubnet": "10.213.7.0/24"})
    theirs = Taken(network=IPv4Network("10.213.0.0/21"), by="10.213.0.0/21 of Docker's network lab")
    (problem,) = subnet_problems(settings, [theirs])
    assert problem == (
        "subnet 10.213.7.0/24 of network open-webui-team-edge overlaps 10.213.0.0/21 of Docker's network lab. "
        "Choose another (open-webui:edgeSubnet: 10.213.8.0/24)."
    )
    assert not list(subnet_problems(read({**REPLICATED, "edgeSubnet": "10.213.8.0/24"}), [theirs]))


def test_where_every_subnet_is_taken_the_way_out_still_says_what_is_wanted() -> None:
    everything = Taken(network=IPv4Network("0.0.0.0/0"), by="everything")
    (problem,) = subnet_problems(read(REPLICATED), [everything])
    assert "edgeSubnet: a private /24 that nobody uses" in problem


def test_taken_are_the_subnets_of_other_networks_and_the_hosts_own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def address(text: str, family: int = socket.AF_INET) -> SimpleNamespace:
        return SimpleNamespace(family=family, address=text)

    interfaces = {
        "eth0": [address("192.0.2.2"), address("fe80::1", socket.AF_INET6)],
        "br-lab": [address("10.213.9.1")],
        "br-edge": [address("10.213.7.1")],
    }
    monkeypatch.setattr("psutil.net_if_addrs", lambda: interfaces)
    client = Mock()
    client.networks.return_value = [
        {"Name": "open-webui-team-edge", "Labels": OURS, "IPAM": {"Config": [{"Subnet": "10.213.7.0/24"}]}},
        {"Name": "lab", "Labels": {}, "IPAM": {"Config": [{"Subnet": "10.213.9.0/24"}, {"Subnet": "fd00::/64"}]}},
        {"Name": "open-webui-team-data", "Labels": OURS, "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}]}},
        {"Name": "host", "Labels": {}, "IPAM": {"Config": None}},
    ]
    assert [(str(one.network), one.by) for one in taken_subnets(read(REPLICATED), client, HERE)] == [
        ("10.213.9.0/24", "10.213.9.0/24 of Docker's network lab (it carries no label of a Pulumi stack)"),
        ("172.18.0.0/16", "172.18.0.0/16 of Docker's network open-webui-team-data (it is this stack's own)"),
        ("192.0.2.2/32", "address 192.0.2.2 of this host's interface eth0"),
    ]
    monkeypatch.setenv("DOCKER_HOST", "ssh://deploy@192.0.2.9")
    assert len(list(taken_subnets(read(REPLICATED), client, HERE))) == 2


def table(monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: tuple[str, str, str, str]) -> None:
    """Have this host's routing table hold destinations: interface, network, its mask, gateway."""

    def written(address: str) -> str:
        return f"{int.from_bytes(IPv4Address(address).packed, sys.byteorder):08X}"

    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    rows = [
        f"{one}\t{written(to)}\t{written(by)}\t0003\t0\t0\t0\t{written(mask)}\t0\t0\t0\n" for one, to, mask, by in lines
    ]
    (folder / "route").write_text(head + "".join(rows), encoding="ascii")
    monkeypatch.setattr("preflight.subnets.ROUTES", folder / "route")
    monkeypatch.setattr("psutil.net_if_addrs", dict)


VPN = ("d0", "10.213.0.0", "255.255.0.0", "0.0.0.0")  # noqa: S104 - none
DEFAULT = ("eth0", "0.0.0.0", "0.0.0.0", "192.0.2.1")  # noqa: S104 - anywhere
HALF = ("tun0", "128.0.0.0", "128.0.0.0", "10.8.0.1")


def test_a_subnet_inside_a_vpns_route_is_refused_with_one_that_no_route_leads_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table(monkeypatch, tmp_path, DEFAULT, HALF, VPN)
    client = docker_with(network={}, volume={})
    (problem,) = subnet_problems(read(REPLICATED), list(taken_subnets(read(REPLICATED), client, HERE)))
    assert "overlaps the route to 10.213.0.0/16 by this host's interface d0. Choose another" in problem
    assert "edgeSubnet: 172.28.0.0/24" in problem
    client.networks.return_value = [
        {"Name": "lab", "Labels": {}, "IPAM": {"Config": [{"Subnet": "172.28.0.0/16"}]}},
    ]
    (problem,) = subnet_problems(read(REPLICATED), list(taken_subnets(read(REPLICATED), client, HERE)))
    assert "edgeSubnet: 192.168.0.0/24" in problem
    read({**REPLICATED, "edgeSubnet": "192.168.0.0/24"})


def test_a_network_that_is_there_does_not_move_for_a_route_that_came_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table(monkeypatch, tmp_path, VPN)
    settings = read(REPLICATED)
    own = {"Name": settings.names.network, "Labels": OURS, "IPAM": {"Config": [{"Subnet": settings.edge_subnet}]}}
    client = Mock(networks=lambda: [own])
    assert not list(subnet_problems(settings, list(taken_subnets(settings, client, HERE))))


def test_a_route_of_dockers_own_bridge_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table(monkeypatch, tmp_path, ("br-1", "10.213.0.0", "255.255.0.0", "0.0.0.0"))  # noqa: S104 - none
    lab = {"Name": "lab", "Labels": {}, "IPAM": {"Config": [{"Subnet": "10.213.0.0/16"}]}}
    (taken,) = taken_subnets(read(REPLICATED), Mock(networks=lambda: [lab]), HERE)
    assert "Docker's network lab" in taken.by


POOL = [{"Base": "10.99.0.0/23", "Size": 24}]
ALL_OF_IT = [IPv4Network("10.99.0.0/24"), IPv4Network("10.99.1.0/24")]
BRIDGES = [IPv4Network(f"172.{number}.0.0/16") for number in range(17, 32)]
SMALL = [IPv4Network(f"192.168.{number}.0/20") for number in range(0, 256, 16)]


def pools(given: dict[str, str], subnets: list[IPv4Network], *names: str, **info: Any) -> list[str]:
    return list(pool_problems(read(given), {**HERE, **info}, names, subnets))


@pytest.mark.parametrize(
    ("subnets", "info"),
    [(ALL_OF_IT, {"DefaultAddressPools": POOL}), ([*BRIDGES, *SMALL], {})],
    ids=["of the daemon's own choice", "Docker's own"],
)
def test_exhausted_address_pools_are_told_before_docker_tells_them(
    subnets: list[IPv4Network], info: dict[str, Any]
) -> None:
    for given, name in (({}, "open-webui-team-network"), (REPLICATED, "open-webui-team-data")):
        (problem,) = pools(given, subnets, **info)
        assert problem.startswith(f"network {name} gets no subnet: Docker's address pools (")
        assert f"are taken by {len(subnets)} networks. Remove one that nobody needs (docker network ls;" in problem
        assert not pools(given, subnets[1:], **info)
        assert not pools(given, subnets, name, **info), "it is there already"


def test_a_network_that_is_only_joined_needs_no_pool() -> None:
    assert not pools({"networkExternal": "true"}, ALL_OF_IT, DefaultAddressPools=POOL)


def test_dockers_own_pools_are_not_those_of_whoever_chose_others() -> None:
    assert not pools({}, [], DefaultAddressPools=[{"Base": "172.16.0.0/16", "Size": 16}])


def test_a_link_that_covers_dockers_pools_is_named_and_a_route_by_a_gateway_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table(monkeypatch, tmp_path, DEFAULT, HALF)
    assert not pools({}, [])
    table(monkeypatch, tmp_path, DEFAULT, ("tun0", "128.0.0.0", "128.0.0.0", "0.0.0.0"))  # noqa: S104 - none
    (problem,) = pools({}, [])
    assert "are taken by 0 networks and the routes of tun0." in problem


@APART
def test_routes_of_this_machine_are_no_obstacle_to_a_docker_with_networks_of_its_own(
    info: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table(monkeypatch, tmp_path, VPN, ("tun0", "128.0.0.0", "128.0.0.0", "0.0.0.0"))  # noqa: S104 - none
    assert not pools({}, [], **info)
    assert not list(taken_subnets(read(REPLICATED), Mock(networks=list), info))


def test_a_network_whose_addresses_a_dhcp_server_gives_takes_no_subnet() -> None:
    lan = {"Name": "lan", "Labels": {}, "IPAM": {"Config": [{"Subnet": "0.0.0.0/0"}, {"Gateway": "192.0.2.1"}]}}
    client = docker_with(network={}, volume={})
    client.networks.return_value = [lan]
    assert not list(_host_problems(read(REPLICATED), client, client.info()))
    assert not list(taken_subnets(read(REPLICATED), client, {}))


LOW = {**REPLICATED, "tls": "internal", "uiPort": "443", "httpPort": "80"}


def test_a_rootless_docker_is_not_asked_for_ports_that_it_may_not_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    first.write_text("1024\n")
    monkeypatch.setattr("preflight.host.UNPRIVILEGED_PORTS", first)
    monkeypatch.setattr("preflight.host._may_bind_low_ports", lambda: False)
    client = Mock(containers=list)
    https, http = low_ports(read(LOW), client, ROOTLESS)
    assert https.startswith("port 443 (open-webui:uiPort) is one that a rootless Docker publishes only if its host all")
    assert "net.ipv4.ip_unprivileged_port_start=80), or publish elsewhere (open-webui:httpPort: 8080)" in http
    assert not list(low_ports(read(LOW), client, {"SecurityOptions": ["name=seccomp,profile=default"]}))
    ports = [{"IP": "0.0.0.0", "PublicPort": port, "PrivatePort": port} for port in (80, 443)]  # noqa: S104
    ours = Mock(containers=lambda: [{"Labels": OURS, "Ports": ports}])
    assert not list(low_ports(read(LOW), ours, ROOTLESS)), "it publishes them already"
    first.write_text("80\n")
    assert not list(low_ports(read(LOW), client, ROOTLESS))
    first.write_text("1024\n")
    monkeypatch.setattr("preflight.host._may_bind_low_ports", lambda: True)
    assert not list(low_ports(read(LOW), client, ROOTLESS))


def test_a_public_ca_is_asked_for_what_another_port_needs_beside_it() -> None:
    acme = {**LOW, "tls": "acme", "acmeEmail": "a@example.org", "publicUrl": "https://chat.example.org"}
    settings = read({**acme, "uiBindAddress": "0.0.0.0"})  # noqa: S104 - a setting
    https, _ = low_ports(settings, Mock(containers=list), {**ROOTLESS, "Name": "far"})
    assert https.endswith("(open-webui:uiPort: 8443, with open-webui:acknowledged: [ports-forwarded]).")


@pytest.mark.parametrize(
    ("host", "program", "refused"), [("", "/bin/rootlesskit", True), ("", None, False), ("far", "", False)]
)
def test_what_a_rootless_docker_may_do_is_advice_where_its_rights_are_not_seen(
    host: str,
    program: str | None,
    refused: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = docker_with(network={"Labels": OURS}, volume={"Labels": OURS})
    client.info.return_value |= {**ROOTLESS, "Name": host or HERE["Name"]}
    monkeypatch.setattr("preflight.api_client", lambda _: client)
    monkeypatch.setattr("preflight.port_problems", lambda *_: ())
    monkeypatch.setattr("shutil.which", lambda _: program)
    monkeypatch.setattr("preflight.host.UNPRIVILEGED_PORTS", Path("/no/such/file"))
    assert rights_are_seen(client.info()) is refused
    if refused:
        with pytest.raises(PreflightError, match="port 443"):
            look(read(LOW))
    else:
        assert "port 443" in look(read(LOW))[0]


FOR_A_PROCESSOR = {"names": ["clone3"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "arm64"]}}
DOCKERS_OWN: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone3"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
    ],
}


@pytest.mark.parametrize(
    ("profile", "refused"),
    [
        (DOCKERS_OWN, False),
        ({**DOCKERS_OWN, "syscalls": DOCKERS_OWN["syscalls"][:2]}, True),
        ({"defaultAction": "SCMP_ACT_ERRNO"}, True),
        ({**DOCKERS_OWN, "syscalls": [FOR_A_PROCESSOR]}, False),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38}, False),
        ({"defaultAction": "SCMP_ACT_ALLOW"}, False),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "clone3", "action": "SCMP_ACT_ERRNO"}]}, True),
        ({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["clone3"], "action": "SCMP_ACT_ALLOW"}]}, False),
    ],
)
def test_a_seccomp_profile_that_refuses_clone3_is_refused(
    profile: dict[str, Any],
    refused: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
) -> None:
    (tmp_path / "old.json").write_text(json.dumps(profile))
    problems = list(seccomp_problems({**HERE, "SecurityOptions": [f"name=seccomp,profile={tmp_path}/old.json"]}))
    assert bool(problems) is refused
    assert all(f"{tmp_path}/old.json refuses the system call clone3" in problem for problem in problems)


@pytest.mark.parametrize(
    "option", ["name=seccomp,profile=default", "name=seccomp,profile=/no/such.json", "name=cgroupns"]
)
def test_a_profile_that_is_not_seen_from_here_is_not_judged(option: str) -> None:
    assert not list(seccomp_problems({"SecurityOptions": [option]}))


@pytest.mark.parametrize(
    ("version", "profile", "said"),
    [
        ("20.10.7", "default", True),
        ("20.10.7", "unconfined", False),
        ("20.10.10", "default", False),
        ("29.7.2", "builtin", False),
        ("", "default", False),
    ],
)
def test_a_docker_whose_own_profile_is_too_old_is_advised_against(version: str, profile: str, said: bool) -> None:  # noqa: FBT001
    told = {"ServerVersion": version, "SecurityOptions": [f"name=seccomp,profile={profile}"]}
    assert bool(list(seccomp_advice(told))) is said


def migrated_by(*versions: str) -> list[dict[str, Any]]:
    """Containers of the stack whose images have these versions."""
    return [{"Id": "1", "Labels": {**OURS, labels.ROLE: "migration", labels.IMAGE_VERSION: one}} for one in versions]


@pytest.mark.parametrize(
    ("image", "label", "deployed", "refused"),
    [
        ("v0.12.0", None, "0.12.4", True),
        ("v0.12.4", None, "0.12.0", False),
        ("v0.12.4", "v0.12.4", "0.12.4", False),
        ("main", "0.12.0", "v0.12.4", True),
        ("main", None, "0.12.4", False),
        ("v0.12.0", "main", "0.12.4", True),
        ("v0.12.0", None, "main", False),
        (f"v0.12.0@sha256:{'0' * 64}", None, "0.12.4", True),
    ],
)
def test_an_image_older_than_the_databases_schema_is_refused(
    image: str,
    label: str | None,
    deployed: str,
    refused: bool,  # noqa: FBT001 - a case
) -> None:
    client = images(**({} if label is None else {"open-webui": {labels.IMAGE_VERSION: label}}))
    given = {"openWebuiImage": f"ghcr.io/open-webui/open-webui:{image}"}
    problems = list(downgrade_problems(read(given), client, migrated_by("0.11.9", deployed)))
    assert bool(problems) is refused
    begun = f"Open WebUI {deployed} migrated the database of stack team, or began to, and image"
    assert all(begun in one for one in problems)
    never_ran = [{**one, "State": "created"} for one in migrated_by(deployed)]
    assert not list(downgrade_problems(read(given), client, never_ran))
    assert not list(downgrade_problems(read({**given, "acknowledged": '["downgrade"]'}), client, migrated_by(deployed)))
    assert not list(downgrade_problems(read(given), client, []))


@pytest.mark.parametrize(
    ("tag", "variable", "file", "container", "refused"),
    [
        ("0.8.7-pg18", "", "17\n", "", "holds a database of Postgres 17, and image pgvector/pgvector:0.8.7-pg18 is"),
        ("0.8.7-pg18", "", "", "PG_MAJOR=17", "holds a database of Postgres 17"),
        ("mirrored", "PG_MAJOR=18", "17\n", "", "is Postgres 18, which does not read it"),
        ("0.8.7-pg17", "PG_MAJOR=17", "17\n", "PG_MAJOR=17", ""),
        ("mirrored", "", "17\n", "", ""),
        ("0.8.7-pg18", "", "", "", ""),
        ("0.8.7-pg18", "PG_MAJOR=18", "18\n", "PG_MAJOR=17", ""),
    ],
)
def test_another_major_version_of_postgres_than_the_volumes_is_refused(
    tag: str, variable: str, file: str, container: str, refused: str, tmp_path: Path
) -> None:
    if file:
        (tmp_path / "PG_VERSION").write_text(file)
    client = docker_with(network={}, volume={"Mountpoint": str(tmp_path)})
    client.inspect_image.side_effect = None
    client.inspect_image.return_value = {"Config": {"Env": [variable]}}
    client.inspect_container.side_effect = None
    client.inspect_container.return_value = {"Config": {"Env": [container]}}
    settings = read({**REPLICATED, "postgresImage": f"pgvector/pgvector:{tag}"})
    containers = [{**POSTGRES, "Id": "1"}]
    problems = list(postgres_problems(settings, client, containers, HERE))
    assert bool(problems) is bool(refused)
    assert refused in "".join(problems)
    if not file:
        failing = [{**one, "State": "restarting"} for one in containers]
        assert not list(postgres_problems(settings, client, failing, HERE)), "it may be the one that does not read it"
    client.inspect_volume.return_value = {}
    assert not list(postgres_problems(settings, client, containers, HERE)), "the volume was removed"


@ELSEWHERE
def test_a_folder_of_this_machine_is_not_taken_for_a_volume_of_another(info: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("18\n")
    client = docker_with(network={}, volume={"Mountpoint": str(tmp_path)})
    assert list(postgres_problems(read(REPLICATED), client, [], HERE))
    assert not list(postgres_problems(read(REPLICATED), client, [], info))


@pytest.mark.parametrize(
    ("word", "variable", "refused"),
    [
        (
            "valkey",
            "REDIS_VERSION=7.4.1",
            "is Redis 7.4.1, which has no valkey-server. Name Valkey's (open-webui:valkey",
        ),
        ("valkey", "VALKEY_VERSION=8.1.1", ""),
        ("valkey", "PATH=/bin", ""),
        (
            "pgvector",
            "PG_MAJOR=16",
            "is Postgres 16, and 17 or later is needed, for the locale provider `builtin` (open",
        ),
        ("pgvector", "PG_MAJOR=17", ""),
        (
            "caddy",
            "CADDY_VERSION=v2.8.4",
            "is Caddy v2.8.4, and 2.9 or later is needed, which knows all of the gateway",
        ),
        ("caddy", "CADDY_VERSION=v2.9.0", ""),
    ],
)
def test_other_or_older_software_under_a_name_that_does_not_tell_is_refused(
    word: str, variable: str, refused: str
) -> None:
    client = Mock(inspect_image=lambda name: {"Config": {"Env": [variable] if word in name else []}})
    problems = list(software_problems(read(REPLICATED), client))
    assert bool(problems) is bool(refused)
    assert all(refused in one and one.endswith(").") for one in problems)
    if word != "valkey":
        assert not list(software_problems(read(), client)), "single has neither"


def host(*, memory_mib: int, cpus: int) -> dict[str, int]:
    return {"MemTotal": memory_mib << 20, "NCPU": cpus}


def test_a_limit_the_host_has_not_got_is_refused() -> None:
    problems = list(limit_problems(read(REPLICATED), host(memory_mib=2000, cpus=1)))
    assert problems[0].startswith("limit memory of open-webui is 3072 MiB, and Docker's host has 2000 MiB. ")
    assert 'Set open-webui:limits: {"open-webui": {"memory": 2000}}' in problems[0]
    assert [problem.split(", and")[0] for problem in problems[1:]] == [
        "limit cpus of open-webui is 2.0",
        "limit cpus of postgres is 2.0",
    ]
    assert not list(limit_problems(read(REPLICATED), host(memory_mib=4096, cpus=2)))


def test_no_limit_is_proposed_that_the_settings_refuse() -> None:
    (problem, *_) = limit_problems(read(REPLICATED), host(memory_mib=1500, cpus=2))
    assert problem.endswith("and Docker's host has 1500 MiB. Deploy on a larger host.")
    slim = {**REPLICATED, "openWebuiImage": f"{OPEN_WEBUI_TRIED}-slim"}
    (problem, *_) = limit_problems(read(slim), host(memory_mib=1500, cpus=2))
    line = problem.partition("open-webui:limits: ")[2].partition(", or deploy on a larger host")[0]
    read({**slim, "limits": line})
    many = {**REPLICATED, "replicasMax": "32", "postgresMaxConnections": "300"}
    many |= {"limits": '{"valkey": {"memory": 2048}}'}
    problem = list(limit_problems(read(many), host(memory_mib=383, cpus=2)))[1]
    assert problem.startswith("limit memory of valkey is 2048 MiB")
    assert problem.endswith("Deploy on a larger host.")


@pytest.mark.parametrize(("given", "unlimited"), [({}, "memory"), (REPLICATED, "memory and cpus and pids")])
def test_a_host_that_cannot_limit_is_refused_before_docker_drops_the_limits(
    given: dict[str, str], unlimited: str
) -> None:
    raspberry = {**host(memory_mib=8192, cpus=4), "MemoryLimit": False, "CpuCfsQuota": False, "PidsLimit": False}
    (problem,) = limit_problems(read(given), raspberry)
    assert problem.startswith(f"Docker's host cannot limit {unlimited} (")
    assert "/boot/firmware/cmdline.txt" in problem
    (rootless,) = limit_problems(read(given), {**raspberry, **ROOTLESS, "CgroupVersion": "1"})
    assert "boot with cgroup v2" in rootless
    (rootless,) = limit_problems(read(given), {**raspberry, **ROOTLESS, "CgroupVersion": "2"})
    assert "needs the controllers delegated" in rootless
    assert not list(limit_problems(read(given), {**raspberry, **dict.fromkeys(LIMITED_BY.values(), True)}))


def test_a_host_that_cannot_limit_takes_a_single_stack_without_limits_as_the_refusal_says() -> None:
    unable = {**host(memory_mib=8192, cpus=4), **dict.fromkeys(LIMITED_BY.values(), False)}
    (problem,) = limit_problems(read(), unable)
    without = read({"limits": problem.partition("open-webui:limits: ")[2]})
    assert not list(limit_problems(without, unable))
    with pytest.raises(pulumi.RunError, match="replicasMax 8 needs 96 MiB"):
        read({**REPLICATED, "limits": '{"valkey": {"memory": 0}}'})


def test_limits_that_add_up_to_more_than_the_host_has_are_advice_only() -> None:
    (advice,) = memory_advice(read(REPLICATED), host(memory_mib=4096, cpus=2))
    assert "add up to 8704 MiB, and Docker's host has 4096 MiB" in advice
    assert not list(memory_advice(read(REPLICATED), host(memory_mib=8704, cpus=2)))


def test_a_small_laptop_is_advised_and_not_refused() -> None:
    small = host(memory_mib=2048, cpus=1)
    assert not list(limit_problems(read(), small))
    (advice,) = memory_advice(read(), small)
    assert "add up to 4096 MiB, and Docker's host has 2048 MiB" in advice


@pytest.mark.parametrize("config", [{}, REPLICATED], ids=["single", "replicated"])
def test_docker_is_asked_about_its_host_once(config: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    client = docker_with(network={"Labels": OURS}, volume={"Labels": OURS})
    client.info.return_value = host(memory_mib=65536, cpus=16)
    monkeypatch.setattr("preflight.api_client", lambda _: client)
    monkeypatch.setattr("preflight.port_problems", lambda *_: ())
    assert look(read(config)) == []
    assert client.info.call_count == 1


LOCAL_MODEL = "local sentence-transformers/all-MiniLM-L6-v2"
OPENAI = {"RAG_EMBEDDING_ENGINE": "openai", "RAG_EMBEDDING_MODEL": "text-embedding-3-small"}


def replica(its_labels: dict[str, str], *environment: str) -> Mock:
    """A Docker with one replica of the stack."""
    client = docker_with(network={}, volume={})
    client.containers.return_value = [{"Id": "1", "Names": ["/app"], "Labels": its_labels}]
    client.inspect_container.side_effect = None
    client.inspect_container.return_value = {"Config": {"Env": list(environment)}}
    return client


def with_extra(variables: dict[str, str], **changes: str) -> Settings:
    return read({**REPLICATED, "extraEnvironment": json.dumps(variables), **changes})


def test_the_same_embedding_under_another_image_is_no_change() -> None:
    settings = with_extra(OPENAI)
    assert not list(embedding_changes(settings, replica({labels.EMBEDDING: settings.embedding})))
    # Replicas of before this label: what the stack file says beside their environment, they were given too.
    assert not list(embedding_changes(settings, replica({}, "RAG_EMBEDDING_ENGINE=")))
    assert not list(embedding_changes(read(REPLICATED), replica({}, "WEBSOCKET_MANAGER=redis")))


def test_another_embedding_names_both_and_the_way_to_keep_what_there_was() -> None:
    (said,) = embedding_changes(with_extra(OPENAI), replica({labels.EMBEDDING: LOCAL_MODEL}))
    assert f"were embedded by {LOCAL_MODEL}, and its settings choose openai text-embedding-3-small" in said
    assert (
        'open-webui:extraEnvironment: {RAG_EMBEDDING_ENGINE: "", '
        'RAG_EMBEDDING_MODEL: "sentence-transformers/all-MiniLM-L6-v2"}'
    ) in said
    assert "add embedding-change to open-webui:acknowledged" in said


def test_an_image_that_chose_another_engine_is_seen_without_a_label() -> None:
    (said,) = embedding_changes(read(REPLICATED), replica({}, "RAG_EMBEDDING_ENGINE=openai"))
    assert "were embedded by openai sentence-transformers/all-MiniLM-L6-v2" in said


def test_in_single_the_database_remembers_what_embeds() -> None:
    assert not list(embedding_changes(read(), replica({labels.EMBEDDING: "openai a"})))


@pytest.mark.parametrize(
    ("config", "refused", "advised"),
    [
        ({"production": "true"}, 1, 0),
        ({"production": "true", "acknowledged": '["embedding-change"]'}, 0, 0),
        ({}, 0, 1),
    ],
    ids=["production", "acknowledged", "elsewhere"],
)
def test_production_refuses_another_embedding_and_others_are_told(
    config: dict[str, str], refused: int, advised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    production = {"tls": "internal", "openWebuiImage": OPEN_WEBUI_TRIED} if config else {}
    client = docker_with(network={"Labels": OURS}, volume={"Labels": OURS})
    client.containers.return_value = [{"Id": "1", "Names": ["/app"], "Labels": {**OURS, labels.EMBEDDING: "openai a"}}]
    client.info.return_value = host(memory_mib=65536, cpus=16)
    monkeypatch.setattr("preflight.api_client", lambda _: client)
    monkeypatch.setattr("preflight.port_problems", lambda *_: ())
    settings = with_extra({}, **production, **config)
    if refused:
        with pytest.raises(PreflightError, match="were embedded by openai a"):
            look(settings)
    else:
        assert len(look(settings)) == advised


def test_a_docker_that_is_not_among_those_tried_is_advice_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client = docker_with(network={"Labels": OURS}, volume={"Labels": OURS})
    client.version.return_value = {"Version": "19.03.15"}
    client.info.return_value = host(memory_mib=65536, cpus=16)
    monkeypatch.setattr("preflight.api_client", lambda _: client)
    monkeypatch.setattr("preflight.port_problems", lambda *_: ())
    (advice,) = look(read())
    assert advice.startswith(f"Docker 19.03.15 is here, and this project was tried on Docker {', '.join(TRIED)} only")


def test_a_docker_that_answers_and_is_too_new_is_not_told_as_one_that_does_not_answer() -> None:
    assert docker_does_not_answer(TooNewError("Docker 40 speaks another API.")) == "Docker 40 speaks another API."
