"""What is outside of a stack is reached and trusted: an Ollama and models on this host, under a private authority.

The real Open WebUI lists the models of both; and one that was made by hand, without sign-in, moves with all of it.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from components.authority import generate
from components.open_webui.containers import HEALTHCHECK
from tests.integration.deployment import Deployment, no_changes, sh
from tests.integration.hand_made import APP_IMAGE, ensure_images
from tests.integration.people import ask, titles, wait_until_it_answers, write_chat
from tests.lease import free_port

pytestmark = pytest.mark.docker

HOST = "models.lan"
ANSWERS = {
    "/v1/models": {"object": "list", "data": [{"id": "private-model", "object": "model"}]},
    "/api/tags": {"models": [{"name": "own:latest", "model": "own:latest", "details": {}}]},
    "/api/ps": {"models": []},
    "/api/version": {"version": "0.9.0"},
}
BUCKETS = b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = BUCKETS if path == "/" else json.dumps(ANSWERS.get(path, {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml" if path == "/" else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: tests read what they ask."""


@dataclass(frozen=True)
class Outside:
    """Services of this host that containers are to reach.

    Attributes:
        models: Address of what speaks OpenAI's protocol, by a certificate for :data:`HOST`.
        ollama: Port of what speaks Ollama's, without TLS.
        ca: File of the authority of that certificate.
    """

    models: str
    ollama: int
    ca: Path

    @property
    def ollama_url(self) -> str:
        return f"http://host.docker.internal:{self.ollama}"


@contextmanager
def _served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on every address of this host; its port."""
    server = ThreadingHTTPServer(("0.0.0.0", 0), _Answer)  # noqa: S104 - containers come from Docker's bridge
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder, made = tmp_path_factory.mktemp("outside"), generate(HOST)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert_pem", folder / "key_pem")
    with ExitStack() as stack:
        port, ollama = stack.enter_context(_served(context)), stack.enter_context(_served())
        yield Outside(f"https://{HOST}:{port}", ollama, folder / "ca_pem")


def settings(outside: Outside) -> dict[str, object]:
    return {
        "extraHosts": [f"{HOST}:host-gateway", "host.docker.internal:host-gateway"],
        "caFile": str(outside.ca),
    }


EVERY_LIBRARY = """
import asyncio, ssl, sys, urllib.request
import aiohttp, boto3, httpx, httpx2, requests

url = sys.argv[1]

async def asked_by_aiohttp():
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status

async def asked_by_httpx():
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).status_code

keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "c"}
print(
    asyncio.run(asked_by_aiohttp()),
    asyncio.run(asked_by_httpx()),
    httpx2.get(url).status_code,
    requests.get(url).status_code,
    urllib.request.urlopen(url).status,
    boto3.client("s3", endpoint_url=url, **keys).list_buckets()["ResponseMetadata"]["HTTPStatusCode"],
    ssl.create_default_context().cert_store_stats()["x509_ca"] > 50,
)
"""


@pytest.mark.nightly
def test_replicas_reach_this_host_and_every_library_trusts_its_authority_and_the_public_ones(
    outside: Outside, tmp_path: Path
) -> None:
    own = {"topology": "replicated", "replicas": 1, "enableSignup": True, "uiPort": free_port()}
    with Deployment(tmp_path, "embedded", config={**own, **settings(outside)}).deployed() as stack:
        assert stack.run_in("app-1", "getent", "hosts", "host.docker.internal")
        asked = stack.run_in("app-1", "python3", "-c", EVERY_LIBRARY, outside.models)
        assert asked == "200 200 200 200 200 200 True"
        assert "no drift" in stack.succeed("drift")
        assert no_changes(stack.succeed("preview"))


def models(url: str) -> set[str]:
    """Names of the models that whoever opens the page, and is not asked who they are, can choose."""
    token = signed_in_by_nobody(url)
    status, found = ask(f"{url}/api/models?refresh=true", "GET", token)
    assert status == 200
    return {str(model["id"]) for model in found["data"]} - {"arena-model"}


def signed_in_by_nobody(url: str) -> str:
    """A token such as the page gets where there is no sign-in."""
    status, account = ask(f"{url}/api/v1/auths/signin", "POST", "", {"email": "", "password": ""})
    assert status == 200
    return str(account["token"])


def test_an_open_webui_without_sign_in_moves_with_its_hosts_and_variables_and_finds_its_models(
    outside: Outside, tmp_path: Path
) -> None:
    ensure_images(APP_IMAGE)
    stack = Deployment(tmp_path, "embedded")
    old, port = f"{stack.stack}-old", free_port()
    url, moved = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{stack.config['uiPort']}"
    try:
        sh(
            "docker", "run", "-d", "--name", old, "-v", f"{old}:/app/backend/data", "-p", f"127.0.0.1:{port}:8080",
            "--add-host", "host.docker.internal:host-gateway", "-e", "WEBUI_AUTH=False",
            "-e", f"OLLAMA_BASE_URL={outside.ollama_url}", "-e", f"OPENAI_API_BASE_URL={outside.models}/v1",
            "-e", "OPENAI_API_KEY=k3y", "-e", "DEFAULT_LOCALE=de-DE", APP_IMAGE,
        )  # fmt: skip
        wait_until_it_answers(url)
        assert models(url) == {"own:latest"}, "and not what is under an authority that it does not know"
        write_chat(url, signed_in_by_nobody(url), "nobody's")
        sh("docker", "stop", old)

        stack.configure({"openWebuiVolume": old})
        said = " ".join(stack.succeed("preview").split())
        assert 'ExtraHosts: add open-webui:extraHosts: ["host.docker.internal:host-gateway"].' in said
        assert "WEBUI_AUTH=False: nobody signed in there, and here everybody does" in said
        assert "DEFAULT_LOCALE, OLLAMA_BASE_URL, OPENAI_API_BASE_URL, OPENAI_API_KEY: what the admin panel" in said
        assert "k3y" not in said

        # A proxy that is not there: neither health nor the proof nor what is named goes by it.
        proxy = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        variables = {
            "WEBUI_AUTH": "false", "DEFAULT_LOCALE": "de-DE", "OLLAMA_BASE_URL": outside.ollama_url,
            "OPENAI_API_BASE_URL": f"{outside.models}/v1", "OPENAI_API_KEY": "k3y",
            **proxy, "no_proxy": f"{HOST},host.docker.internal",
        }  # fmt: skip
        stack.configure({**settings(outside), "extraEnvironment": variables, "acknowledged": ["no-sign-in"]})
        printed = stack.succeed("up")
        assert "proved: " in printed
        assert "had the data of volume" not in printed
        stack.run_in("app", *HEALTHCHECK.test[1:])
        assert models(moved) == {"own:latest", "private-model"}
        assert titles(moved, signed_in_by_nobody(moved)) == {"nobody's"}
        assert ask(f"{moved}/api/config", "GET")[1]["default_locale"] == "de-DE"
        assert "no drift" in stack.succeed("drift")
        assert no_changes(stack.succeed("preview"))
    finally:
        stack.remove_everything()
        sh("sh", "-c", f"docker rm -f -v {old} || true")
        sh("sh", "-c", f"docker volume rm {old} || true")
