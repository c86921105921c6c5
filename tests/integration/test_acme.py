"""``tls: acme`` with a private CA: Caddy's own ACME server, which looks for the stack at its name before it signs."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import docker
import pytest

from docker_access.client import docker_client
from docker_access.ports import connected
from tests.integration.deployment import Deployment, remove_container, sh
from tests.integration.hand_made import CADDY_IMAGE, STAND_IN, ensure_images
from tests.integration.test_replicas import like_prod
from tests.lease import free_port, free_subnet

pytestmark = pytest.mark.docker

HOST = "chat.lan"
CA_PORT = 9443
ROOT = "/data/caddy/pki/authorities/local/root.crt"
CADDYFILE = """\
{
    skip_install_trust
    default_sni HERE
}
https://HERE:9443 {
    tls internal
    acme_server
}
"""
# What a router does: it passes on, to a host, whatever comes to some ports of its own.
ROUTER = """\
import asyncio, sys

async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def forward(own, host, port):
    async def connected(reader, writer):
        print("asked at", own, flush=True)
        answer, ask = await asyncio.open_connection(host, port)
        await asyncio.gather(copy(reader, ask), copy(answer, writer), return_exceptions=True)
    await asyncio.start_server(connected, port=own)

async def main(host, *ports):
    for own, port in (map(int, pair.split(":")) for pair in ports):
        await forward(own, host, port)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Town:
    """A stack on a host, a CA, and a router that the stack's name leads the CA to."""

    stack: Deployment
    host: str
    root: str
    router: str


@pytest.fixture(scope="module", params=[True, False], ids=["https and http", "https alone"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The stack is deployed and proved."""
    ensure_images(STAND_IN, CADDY_IMAGE)
    subnet = free_subnet()
    here, port, http_port, ca_port = str(IPv4Network(subnet)[1]), free_port(), free_port(), free_port()
    stack = like_prod(
        tmp_path_factory.mktemp("project"), tls="acme", acmeEmail="admin@example.com", uiBindAddress=here, uiPort=port,
        publicUrl=f"https://{HOST}:{port}", httpPort=http_port if request.param else 0,
        acmeDirectory=f"https://{here}:{ca_port}/acme/local/directory",
    )  # fmt: skip
    network, ca, router = (f"open-webui-{stack.stack}-test-{role}" for role in ("town", "ca", "router"))
    with ExitStack() as ends, closing(docker_client()) as client:
        pool = docker.types.IPAMPool(subnet=subnet, gateway=here)
        made = client.networks.create(network, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
        ends.callback(made.remove)
        for name in (ca, router):
            ends.callback(remove_container, client, name)
        sh(
            "docker", "run", "--detach", "--name", ca, "--network", network, "--publish", f"{here}:{ca_port}:{CA_PORT}",
            "--env", "XDG_DATA_HOME=/data", CADDY_IMAGE, "sh", "-c",
            f"echo '{CADDYFILE.replace('HERE', here)}' | caddy run --config - --adapter caddyfile",
        )  # fmt: skip
        forwarded = [f"443:{port}", *([f"80:{http_port}"] if request.param else [])]
        sh(
            "docker", "run", "--detach", "--name", router, "--network", network, "--network-alias", HOST,
            "--entrypoint", "python3", STAND_IN, "-c", ROUTER, here, *forwarded,
        )  # fmt: skip
        root = sh("docker", "exec", ca, "sh", "-c", f"until cat {ROOT} 2> /dev/null; do sleep 0.1; done")
        stack.configure({"acmeRoot": root})
        yield Town(ends.enter_context(stack.deployed()), here, root, router)


def test_the_certificate_is_the_cas_for_the_name_at_which_it_found_the_stack(town: Town) -> None:
    with connected(town.host, town.stack.config["uiPort"], 10) as connection:
        trusted = ssl.create_default_context(cadata=town.root)
        with trusted.wrap_socket(connection, server_hostname=HOST) as encrypted:
            certificate: Any = encrypted.getpeercert()
    assert certificate["subjectAltName"] == (("DNS", HOST),)
    asked = set(sh("docker", "logs", town.router).splitlines())
    assert asked
    assert asked <= {"asked at 443", *(["asked at 80"] if town.stack.config["httpPort"] else [])}


def test_the_stack_is_proved_through_https_at_its_name_and_found_as_described(town: Town) -> None:
    said = town.stack.succeed("verify", "--no-idle")
    assert f"websocket opens at https://{HOST}:{town.stack.config['uiPort']}" in said
    assert town.stack.is_found_as_described()


def test_plain_http_leads_to_the_same_place_through_https_where_it_is_published(town: Town) -> None:
    port = town.stack.config["httpPort"]
    if not port:
        bindings = town.stack.inspect("gateway")["HostConfig"]["PortBindings"]
        assert list(bindings) == ["8443/tcp"]
        return
    asked = urllib.request.Request(f"http://{town.host}:{port}/c/1?a=b", headers={"Host": HOST})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(Stay).open(asked, timeout=10)
    with caught.value as answer:
        assert answer.code == 301
        assert answer.headers["Location"] == f"{town.stack.config['publicUrl']}/c/1?a=b"


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_: object) -> None:
        return None
