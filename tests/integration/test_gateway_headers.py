"""What a real Caddy passes on of headers by which somebody claims to be somebody, or to come from somewhere."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import docker
import pytest

from components.building.volume import DataVolume
from components.gateway.args import GatewayArgs
from components.gateway.caddyfile import ADMIN, caddyfile
from docker_access.client import docker_client
from docker_access.commands import run_inside
from tests.integration.deployment import remove_container
from tests.integration.hand_made import CADDY_IMAGE, STAND_IN, ensure_images
from tests.lease import free_subnet

pytestmark = pytest.mark.docker

ECHO = """\
import http.server, json

class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({name.lower(): text for name, text in self.headers.items()}).encode())

http.server.ThreadingHTTPServer(("", 8080), Echo).serve_forever()
"""
CLAIMS = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7", "x-forwarded-PROTO": "https", "X-FORWARDED-USER": "root",
    "x-real-ip": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-EMAIL": "admin@example.com",
}  # fmt: skip
# What arrives as it arrives: a server need not read of a request all that one behind it would.
RAW = """\
import socket, threading

def answer(connection):
    connection.settimeout(0.5)
    seen = b""
    try:
        while data := connection.recv(65536):
            seen += data
    except TimeoutError:
        pass
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(seen) + seen)
    connection.close()

listener = socket.create_server(("", 8081))
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],)).start()
"""
SEND = """\
import socket, sys
with socket.create_connection(("gateway", 8080), 10) as connection:
    connection.sendall(sys.argv[1].encode().decode("unicode_escape").encode())
    seen = b""
    while b"X-Forwarded-Proto" not in seen and (data := connection.recv(65536)):
        seen += data
    sys.stdout.write(seen.decode())
"""
GET = r"GET / HTTP/1.1\r\nHost: chat.example.com\r\n"
POST = GET.replace("GET", "POST") + r"Transfer-Encoding: chunked\r\n"
WEBSOCKET = r"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
SMUGGLED = {
    "twice": GET + r"X-Email: admin@example.com\r\nx-email:admin@example.com\r\n\r\n",
    "with a websocket": GET + WEBSOCKET + r"X-Email: admin@example.com\r\n\r\n",
    "with an underscore": GET + r"X_Email: admin@example.com\r\n\r\n",
    "after the body": POST + r"Trailer: X-Email\r\n\r\n1\r\na\r\n0\r\nX-Email: admin@example.com\r\n\r\n",
    "after the body, unannounced": POST + r"\r\n1\r\na\r\n0\r\nX-Email: admin@example.com\r\n\r\n",
    "as one of this connection": GET + r"Connection: x-forwarded-for, x-email\r\nX-Email: admin@example.com\r\n\r\n",
    "by HTTP/1.0": r"GET / HTTP/1.0\r\nHost: chat.example.com\r\nX-Email: admin@example.com\r\n\r\n",
}
ASK = "curl -s --retry 20 --retry-connrefused --retry-delay 1 --fail {} http://gateway:8080/"


@dataclass
class Edge:
    """A network with a gateway before something that tells which headers it was sent."""

    client: docker.DockerClient
    network: Any
    subnet: str
    prefix: str

    def address(self, number: int) -> str:
        return self.subnet.rpartition(".")[0] + f".{number}"

    def run(self, role: str, image: str, command: list[str], number: int, **more: Any) -> Any:
        joined = self.client.api.create_endpoint_config(ipv4_address=self.address(number), aliases=[role])
        return self.client.containers.run(
            image, command, name=f"{self.prefix}-{role}", entrypoint="", network=self.network.name, detach=True,
            networking_config={self.network.name: joined}, **more,
        )  # fmt: skip

    @contextmanager
    def gateway(self, **changes: Any) -> Iterator[None]:
        text = caddyfile(
            GatewayArgs(
                image=CADDY_IMAGE, container_name="gateway", data=DataVolume(name="data"), network=Mock(),
                **{"upstreams": ["echo"], "public_url": "http://chat.example.com", **changes},
            )
        )  # fmt: skip
        file = "/tmp/Caddyfile"
        command = f'echo "$TEXT" > {file} && exec caddy run --config {file} --adapter caddyfile'
        folder = ADMIN.removeprefix("unix/").rpartition("/")[0]
        try:
            self.run("gateway", CADDY_IMAGE, ["sh", "-c", command], 2, environment={"TEXT": text}, tmpfs={folder: ""})
            yield
        finally:
            remove_container(self.client, f"{self.prefix}-gateway")

    def ask(self, role: str) -> str:
        """What is answered to a container that claims all there is; waits for the gateway."""
        claims = " ".join(f"-H '{name}: {text}'" for name, text in CLAIMS.items())
        return run_inside(self.client.api, f"{self.prefix}-{role}", ["sh", "-c", ASK.format(claims)]).output

    def seen(self, role: str) -> dict[str, str]:
        """The headers that arrive of all those claims."""
        found: dict[str, str] = json.loads(self.ask(role))
        return found


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    ensure_images(CADDY_IMAGE, STAND_IN)
    client = docker_client()
    subnet, prefix = free_subnet(), f"headers-{secrets.token_hex(3)}"
    pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
    made = Edge(client, client.networks.create(f"{prefix}-edge", ipam=pool), subnet, prefix)
    try:
        made.run("echo", STAND_IN, ["python3", "-c", ECHO], 3)
        made.run("raw", STAND_IN, ["python3", "-c", RAW], 6)
        for number, role in enumerate(("proxy", "stranger"), start=4):
            made.run(role, STAND_IN, ["sleep", "infinity"], number, init=True)
        yield made
    finally:
        for role in ("echo", "raw", "proxy", "stranger"):
            remove_container(client, f"{prefix}-{role}")
        made.network.remove()
        client.close()


def identity(found: Mapping[str, str]) -> dict[str, str]:
    """What arrives of the claims, but address, host and scheme, which the gateway itself tells."""
    own = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
    return {name: text for name, text in found.items() if name in {one.lower() for one in CLAIMS} - own}


def test_nobody_is_believed_where_no_proxy_is_trusted(edge: Edge) -> None:
    with edge.gateway(identity_headers=["x-email"]):
        for role, number in (("proxy", 4), ("stranger", 5)):
            found = edge.seen(role)
            assert identity(found) == {}
            assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == (edge.address(number), "http")


def test_a_trusted_proxy_is_believed_and_nobody_else(edge: Edge) -> None:
    with edge.gateway(identity_headers=["x-email"], trusted_proxies=[edge.address(4)]):
        found = edge.seen("proxy")
        assert identity(found) == {
            "x-forwarded-user": "root", "x-real-ip": "203.0.113.9", "forwarded": "for=203.0.113.9",
            "x-email": "admin@example.com",
        }  # fmt: skip
        # The last of the list, which the proxy itself has seen; what stands before it, its client may have written.
        assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == ("198.51.100.7", "https")
        stranger = edge.seen("stranger")
        assert identity(stranger) == {}
        assert (stranger["x-forwarded-for"], stranger["x-forwarded-proto"]) == (edge.address(5), "http")


def test_nobody_says_who_they_are_by_whatever_way_of_writing_it(edge: Edge) -> None:
    with edge.gateway(
        identity_headers=["X-Email"], trusted_proxies=[edge.address(4)], upstreams=["raw"], upstream_port=8081
    ):
        edge.ask("stranger")  # it is up
        for how, request in SMUGGLED.items():
            told = run_inside(edge.client.api, f"{edge.prefix}-stranger", ["python3", "-c", SEND, request])
            assert "HTTP/1.1 200 OK" in told.output or "HTTP/1.0 200 OK" in told.output, (how, told)
            assert "admin@example.com" not in told.output, how
            assert f"X-Forwarded-For: {edge.address(5)}" in told.output, how


def test_behind_a_proxy_that_speaks_https_the_scheme_is_https_for_everybody(edge: Edge) -> None:
    with edge.gateway(public_url="https://chat.example.com"):
        assert edge.seen("stranger")["x-forwarded-proto"] == "https"
