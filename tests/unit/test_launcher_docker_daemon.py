"""What set-up does where Docker does not answer, is not there, or is another than people have."""

from __future__ import annotations

import gc
from pathlib import Path
from unittest.mock import Mock

import pytest

from docker_access import elsewhere
from docker_access.client import api_client
from docker_access.logins import LoginError
from docker_access.versions import TooNewError
from tooling.errors import ToolError
from tooling.launcher import docker_daemon
from tooling.machine.host import apt_install


# The SDK leaves its socket to the garbage collector when its constructor fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_docker_host_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ToolError, match=f"does not answer at DOCKER_HOST={host}"):
        docker_daemon.ensure_docker()
    gc.collect()


def test_a_docker_that_is_too_new_is_told_and_no_other_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tooling.launcher.docker_daemon.docker_client", Mock(side_effect=TooNewError("Docker 40 speaks another API."))
    )
    monkeypatch.setattr(docker_daemon, "_start", Mock(side_effect=AssertionError))
    with pytest.raises(ToolError, match=r"^Docker 40 speaks another API\.$"):
        docker_daemon.ensure_docker()


def test_a_file_of_logins_that_cannot_be_read_is_no_reason_to_start_a_docker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"auths": {"a.example": {"auth": "no base64"}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(docker_daemon, "_start", Mock(side_effect=AssertionError))
    monkeypatch.setattr(docker_daemon, "_install_if_missing", Mock(side_effect=AssertionError))
    with pytest.raises(ToolError, match=rf"^a login in {tmp_path}/config.json cannot be read \("):
        docker_daemon.ensure_docker()
    with pytest.raises(LoginError):
        api_client()


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """A machine without Docker, on which nothing may be started; what apt would be asked for."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(docker_daemon, "_connect", lambda: (None, "no such file"))
    monkeypatch.setattr(docker_daemon, "_SOCKET", Path("/no/such/socket"))
    monkeypatch.setattr(docker_daemon, "_dockerd", lambda: None)
    monkeypatch.setattr(docker_daemon, "_start", Mock(side_effect=AssertionError))
    apt = Mock(return_value="it was asked for")
    monkeypatch.setattr(docker_daemon, "apt_install", apt)
    return apt


@pytest.mark.parametrize("dockerd", ["/usr/sbin/dockerd", None])
@pytest.mark.parametrize("found", ["of_context", "of_a_user"])
def test_nothing_is_installed_or_started_beside_a_docker_that_nobody_named(
    found: str, dockerd: str | None, no_docker: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = elsewhere.Elsewhere("Colima", {"DOCKER_HOST": "unix:///home/me/.colima/docker.sock"})
    monkeypatch.setattr(docker_daemon, "_dockerd", lambda: dockerd)
    monkeypatch.setattr(elsewhere, found, lambda: other)
    message = (
        r"\(no such file\), and Colima is here at unix:///home/me/\.colima/docker\.sock\. Nothing is installed or st"
    )
    with pytest.raises(ToolError, match=message) as stopped:
        docker_daemon.ensure_docker()
    assert str(stopped.value).endswith("\n  export DOCKER_HOST=unix:///home/me/.colima/docker.sock")
    forget = "docker context use default" if found == "of_context" else "rm /home/me/.colima/docker.sock"
    assert f"gone for good: `{forget}`" in str(stopped.value)
    assert not no_docker.called
    if found == "of_context":
        monkeypatch.setenv("DOCKER_CONTEXT", "colima")
        with pytest.raises(ToolError, match=r"for good: `unset DOCKER_CONTEXT`\."):
            docker_daemon.ensure_docker()


@pytest.mark.parametrize(("accessible", "said"), [(True, "Podman is here"), (False, "may not talk to Docker")])
def test_a_socket_that_is_left_of_podman_is_no_docker(
    accessible: bool,  # noqa: FBT001 - a case
    said: str,
    no_docker: Mock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "docker.sock").touch()
    monkeypatch.setattr(docker_daemon, "_SOCKET", tmp_path / "docker.sock")
    monkeypatch.setattr("os.access", lambda *_: accessible)
    monkeypatch.setattr(elsewhere, "of_a_user", lambda: elsewhere.Elsewhere("Podman"))
    with pytest.raises(ToolError, match=said):
        docker_daemon.ensure_docker()
    assert not no_docker.called


def test_podman_that_answers_in_dockers_place_is_refused_by_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"Version": "5.4.2", "Components": [{"Name": "Podman Engine"}]}
    monkeypatch.setattr(docker_daemon, "_connect", lambda: (Mock(version=lambda: told), ""))
    with pytest.raises(ToolError, match=r"Podman Engine 5\.4\.2 answers in Docker's place\. .*\(DOCKER_HOST\)"):
        docker_daemon.ensure_docker()
    assert "docker: Podman Engine 5.4.2 answers" in capsys.readouterr().err


def test_no_docker_is_installed_beside_podman_and_one_that_is_installed_is_started(
    no_docker: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "of_a_user", lambda: elsewhere.Elsewhere("Podman"))
    with pytest.raises(ToolError, match=r"and Podman is here\. This project was not tried on Podman, and installs no"):
        docker_daemon.ensure_docker()
    assert not no_docker.called
    monkeypatch.setattr(docker_daemon, "_dockerd", lambda: "/usr/sbin/dockerd")
    with pytest.raises(AssertionError):
        docker_daemon.ensure_docker()


@pytest.mark.parametrize(
    ("terminal", "answer", "yes", "asks", "installs"),
    [
        (True, "y\n", "", True, True),
        (True, "\n", "", True, False),
        (True, "", "", True, False),
        (True, "no\n", "", True, False),
        (True, "no\n", "1", False, True),
        (False, "", "", False, True),
    ],
)
def test_installing_docker_says_what_it_does_and_asks_at_a_terminal(
    terminal: bool,  # noqa: FBT001 - a case
    answer: str,
    yes: str,
    asks: bool,  # noqa: FBT001 - a case
    installs: bool,  # noqa: FBT001 - a case
    no_docker: Mock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("YES", yes)
    monkeypatch.setattr(docker_daemon, "at_a_terminal", lambda: terminal)
    monkeypatch.setattr("sys.stdin", Mock(readline=lambda: answer))
    with pytest.raises(ToolError, match="it was asked for" if installs else "Docker was not installed"):
        docker_daemon.ensure_docker()
    said = capsys.readouterr().err
    assert "As root, `apt-get install docker.io` installs the distribution's Docker" in said
    assert ("Install it? [y/N]" in said) is asks
    assert no_docker.called is installs


def test_apt_removes_no_package_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str]) -> str:
        ran.append(command)
        return ""

    monkeypatch.setattr("tooling.machine.host.run", run)
    monkeypatch.setattr("tooling.machine.host.root_prefix", list)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert apt_install("docker.io") == ""
    assert "--no-remove" in ran[0]


def test_a_machine_where_docker_cannot_be_installed_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(docker_daemon, "_connect", lambda: (None, "no such file"))
    monkeypatch.setattr(docker_daemon, "_SOCKET", Path("/no/such/socket"))
    monkeypatch.setattr(docker_daemon, "_dockerd", lambda: None)
    monkeypatch.setattr(docker_daemon, "apt_install", lambda *_: "needs root")
    with pytest.raises(ToolError, match=r"could not be installed: needs root\nInstall Docker Engine"):
        docker_daemon.ensure_docker()


def test_a_dockerd_that_ends_shows_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dockerd = tmp_path / "dockerd"
    dockerd.write_text("#!/bin/sh\necho 'failed to start: overlay not supported'\nexit 1\n")
    dockerd.chmod(0o755)
    monkeypatch.setattr(docker_daemon, "_connect", lambda: (None, ""))
    monkeypatch.setattr(docker_daemon, "_dockerd", lambda: str(dockerd))
    monkeypatch.setattr(docker_daemon, "_SOCKET", Path("/no/such/socket"))
    monkeypatch.setattr(docker_daemon, "_services", list)
    monkeypatch.setattr(docker_daemon, "root_prefix", list)
    monkeypatch.setattr(docker_daemon, "_LOG", tmp_path / ".cache/dockerd.log")
    monkeypatch.setattr(docker_daemon, "CACHE", tmp_path / ".cache")
    with pytest.raises(ToolError, match=r"(?s)exit code 1.*overlay not supported.*--privileged"):
        docker_daemon._start()
