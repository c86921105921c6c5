"""What Docker answers, and that it does not answer, are told apart."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import docker.errors
import pytest
import requests

from verification.ask.docker_view import CouldNotAsk, DockerView, _origin
from verification.evidence.container import Container


def view_of(error: Exception) -> DockerView:
    """A view of a daemon that answers everything with an error."""

    def fail(*_arguments: Any, **_options: Any) -> NoReturn:
        raise error

    view: Any = DockerView.__new__(DockerView)
    names = ("inspect_container", "inspect_image", "inspect_network", "logs", "get_archive", "containers", "events")
    view._api = SimpleNamespace(**dict.fromkeys(names, fail))
    return cast("DockerView", view)


def refusal(status: int) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    kind = docker.errors.NotFound if status == 404 else docker.errors.APIError
    return kind("refused", response=response)


def test_a_container_that_was_removed_meanwhile_is_missing() -> None:
    assert view_of(refusal(404)).container("gone").status == "missing"


def test_a_log_that_the_driver_does_not_keep_is_empty() -> None:
    assert view_of(refusal(501)).log_tail("app") == ()


def test_an_exit_that_the_daemon_does_not_remember_is_none() -> None:
    restarted = Container(name="app", inspect={"Id": "1", "State": {"StartedAt": "2026-11-23T04:00:00.123456789Z"}})

    assert view_of(refusal(500)).last_exit(restarted) is None


def test_what_is_not_there_is_nothing() -> None:
    view = view_of(refusal(404))

    assert view.read_file("gateway", "/no/such/file") is None
    assert not view.internal("no-such-network")


def test_a_file_that_is_too_long_for_a_secret_is_not_read() -> None:
    read = []

    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            read.append(1)
            yield bytes(1 << 18)

    view: Any = DockerView.__new__(DockerView)
    view._api = SimpleNamespace(get_archive=lambda *_: (chunks(), {}))
    assert view.read_files("app", "/var/log/huge") == []
    assert len(read) == 5


@pytest.mark.parametrize("error", [requests.ConnectionError("gone"), refusal(500)], ids=["no answer", "500"])
def test_a_daemon_that_does_not_work_is_unreachable(error: Exception) -> None:
    for ask in (lambda view: view.container("app"), DockerView.names):
        with pytest.raises(CouldNotAsk) as raised:
            ask(view_of(error))
        assert raised.value.cause == "docker-unreachable"


@pytest.mark.parametrize("digests", [[], ["chat@sha256:1"]], ids=["graph driver", "containerd store"])
def test_an_image_that_was_loaded_is_not_said_to_be_pulled(digests: list[str]) -> None:
    """Docker's containerd store gives what was loaded or imported a digest too."""
    view = view_of(refusal(404))
    found = {"Id": "sha256:1", "RepoDigests": digests, "Config": {"Labels": None}}
    view._api = SimpleNamespace(inspect_image=lambda _: found)  # type: ignore[assignment]

    image = view.image(Container(name="app", inspect={"Image": "sha256:1", "Config": {"Image": "chat:1"}}))

    assert image is not None
    assert image.origin == "not built here"


def test_the_report_says_in_what_a_local_build_is_not_as_the_official_image() -> None:
    assert _origin("Debian", "") == "built locally from Debian"
    differs = ", not as the official image in local-models, python (docs/images.md)"
    assert _origin("PyPI", "local-models, python") == f"built locally from PyPI{differs}"
