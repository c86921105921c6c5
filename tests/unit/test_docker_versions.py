"""Which version of Docker's API is asked in, what is said of a Docker that was not tried, and who makes clients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from docker.errors import DockerException

from docker_access.client import api_client
from docker_access.versions import NEWEST_API, TRIED, TooNewError, api_to_ask_in, engine_refusal, version_advice
from tests.integration.deployment import PROJECT
from tooling.engine.docker_provider import DockerProvider
from tooling.engine.provider import ProviderError
from verification.ask.docker_view import CouldNotAsk, DockerView


class Daemon(HTTPServer):
    """Answers every request with its version, and remembers their paths."""

    def __init__(self, newest: str, oldest: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.told = {"Version": "40.0.1", "ApiVersion": newest, "MinAPIVersion": oldest}
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    server: Daemon

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answer = json.dumps(self.server.told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def daemon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    server = Daemon(*request.param)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    monkeypatch.delenv("DOCKER_CERT_PATH", raising=False)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("newest", "oldest", "asked"),
    [
        ("1.41", "1.12", "1.41"),
        (NEWEST_API, "1.44", NEWEST_API),
        ("1.99", "1.44", NEWEST_API),
        ("1.100", NEWEST_API, NEWEST_API),  # a string would be less than 1.55
        ("1.9", "1.1", "1.9"),  # and this one more
        ("2.0", "1.44", NEWEST_API),
        ("1.41", None, "1.41"),
    ],
)
def test_a_daemon_is_asked_in_the_newest_version_it_speaks_that_was_tried(
    newest: str, oldest: str | None, asked: str
) -> None:
    assert api_to_ask_in({"ApiVersion": newest, "MinAPIVersion": oldest}) == asked


@pytest.mark.parametrize("daemon", [("1.99", "1.44")], indirect=True)
def test_a_client_of_a_newer_daemon_keeps_to_what_was_tried(daemon: Daemon) -> None:
    client = api_client()
    client.info()
    client.close()
    assert daemon.asked[-1] == f"/v{NEWEST_API}/info"


@pytest.mark.parametrize("daemon", [("1.41", "1.12")], indirect=True)
def test_a_daemon_of_this_machine_is_not_asked_through_a_proxy(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = api_client()
    client.close()
    assert daemon.asked
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example.org:2375")
    with pytest.raises(DockerException, match="port=9"):
        api_client()


@pytest.mark.parametrize("daemon", [("1.120", "1.100")], indirect=True)
def test_a_daemon_that_gave_up_all_that_was_tried_is_told_so_and_not_as_one_that_does_not_answer(
    daemon: Daemon,
) -> None:
    said = r"^Docker 40\.0\.1 speaks versions 1\.100 to 1\.120 of its API, and this project up to 1\.\d+\b"
    with pytest.raises(TooNewError, match=rf"{said}.*Way out: "):
        api_client()
    with pytest.raises(ProviderError, match=said):
        DockerProvider().read("urn:pulumi:dev::p::docker:index/volume:Volume::v", "v", {}, {})
    with pytest.raises(CouldNotAsk, match=said) as caught:
        DockerView()
    assert caught.value.fix.startswith("a release of this project")


@pytest.mark.parametrize("told", [{}, {"ApiVersion": "newest"}])
def test_what_is_no_version_is_not_taken_for_one(told: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        api_to_ask_in(told)


@pytest.mark.parametrize(
    "version", ["20.10.24+dfsg1", "23.0.6", "26.1.5+dfsg1", "28.5.2", "29.7.2", "29.99.0-dev", *TRIED]
)
def test_nothing_is_said_of_a_docker_between_those_tried(version: str) -> None:
    assert version_advice({"Version": version, "Components": [{"Name": "Engine"}]}) == ""


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"Version": "19.03.15"}, "Docker 19.03.15 is here"),
        ({"Version": "20.9.1"}, "Docker 20.9.1 is here"),
        ({"Version": "30.0.0-rc.1"}, "Docker 30.0.0-rc.1 is here"),
        ({"Version": "dev"}, "Docker dev is here"),
        ({"Version": "2"}, "Docker 2 is here"),
        ({}, "Docker of no known version is here"),
        ({"Version": "26.1.0", "Components": [{"Name": "Podman Engine"}]}, "Podman Engine 26.1.0 answers in Docker's"),
        ({"Version": "5.4.2", "Components": []}, "Docker 5.4.2 is here"),
        ({"Version": None, "Components": None}, "Docker of no known version is here"),
    ],
)
def test_a_docker_that_is_older_or_newer_and_another_engine_are_told_with_those_tried(
    told: dict[str, Any], said: str
) -> None:
    assert version_advice(told).startswith(said)
    assert ", ".join(TRIED) in version_advice(told)


@pytest.mark.parametrize(
    ("components", "is_refused"),
    [([{"Name": "Podman Engine"}, {"Name": "Conmon"}], True), ([{"Name": "Engine"}, {"Name": "containerd"}], False)],
)
def test_podman_is_named_and_refused(components: list[dict[str, str]], is_refused: bool) -> None:  # noqa: FBT001 - a case
    said = engine_refusal({"Version": "5.4.2", "Components": components})
    assert bool(said) is is_refused
    assert not said or said.startswith("Podman Engine 5.4.2 answers in Docker's place. ")


def test_the_page_on_versions_has_every_version_that_is_said_to_be_tried() -> None:
    page = (PROJECT / "docs/docker-versions.md").read_text()
    for version in TRIED:
        assert f"Docker {version}" in page
    assert f"API {NEWEST_API}" in page


def test_every_client_is_one_of_the_docker_that_docker_host_names() -> None:
    """The SDK's own take the newest API there is, or no DOCKER_HOST, and know ssh in another way."""
    own = re.compile(r"docker\.from_env|\bfrom_env\(|APIClient\((?!\*\*settings)|DockerClient\((?!\s*base_url)")
    folders = (path for path in PROJECT.iterdir() if path.is_dir() and not path.name.startswith("."))
    modules = [*PROJECT.glob("*.py"), *(module for folder in folders for module in folder.rglob("*.py"))]
    assert [str(module) for module in modules if own.search(module.read_text())] == []
