"""What the launcher knows of a stack, says of Docker, and makes of the requirement files."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

import verification.__main__
from docker_access import elsewhere, labels
from docker_access.client import api_client
from docker_access.logins import LoginError
from docker_access.versions import TooNewError
from settings import Admin
from tests.unit.test_settings import read
from tooling.errors import ToolError
from tooling.images.reference import parse
from tooling.launcher import __main__ as command_line
from tooling.launcher import docker_daemon, python_env, stack
from tooling.machine.host import apt_install
from topologies.deployed import Deployed
from verification.subject import subject_of


@pytest.mark.parametrize(
    ("name", "software"),
    [("dev", {"open-webui", "valkey"}), ("staging", {"open-webui", "valkey", "pgvector", "caddy"})],
)
def test_setup_has_every_image_that_the_stack_needs(
    monkeypatch: pytest.MonkeyPatch, name: str, software: set[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(command_line, "ensure_docker", Mock())
    monkeypatch.setattr(command_line, "ensure", lambda _, reference, **__: asked.append(reference))
    assert command_line.main(["setup", "--stack", name]) == 0
    assert {parse(reference).name for reference in asked} == software


def test_an_unknown_stack_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["up", "--stack", "nosuch"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "nosuch" in said
    assert "dev" in said


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


@pytest.mark.parametrize("tls", [True, False])
def test_the_verification_reads_what_the_outputs_say(monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:  # noqa: FBT001 - a case
    described = Deployed(
        apps=["web-1", "web-2"], migration="migration", valkey="valkey", postgres="postgres", gateway="gateway",
        door={"address": "127.0.0.1", "port": 3443.0, "tls": tls}, ca="/data/root.crt", app_user="openwebui",
        valkey_login={"user": "verify", "password_file": "/run/secrets/verify", "ca_file": "/run/secrets/ca.pem"},
        isolation={"edge": "web-edge", "private": ["valkey", "postgres"]},
        account={"container": "migration", "path": "/migration/account.env"}, expected={}, triggers={}, depends_on=[],
    ).subject  # fmt: skip
    report = {"verdict": "proved", "asked_at": "2026-11-30T10:00:00Z", "seconds": 2.0}
    outputs = {
        "subject": described, "url": "https://chat.example.org", "expected": {"web-1": {"Config.Image": "1"}},
        "verification": report,
    }  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(command_line.subject(outputs))))

    read = verification.__main__.read_subject("-")

    assert read == subject_of({**described, "url": outputs["url"], "expected": outputs["expected"], "report": report})
    assert read.proved_at is not None
    assert read.door
    assert (read.door.port, read.door.tls) == (3443, tls)


def test_the_virtual_environment_is_left_alone_while_the_requirements_stay_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "requirements-dev.txt"
    lock.write_text("")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    installs: list[Path] = []

    def install(uv: Path, *, create: bool) -> str:
        installs.append(uv)
        assert not create
        return ""

    monkeypatch.setattr(python_env, "LOCK", lock)
    monkeypatch.setattr(python_env, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(python_env, "_STAMP", tmp_path / ".venv/stamp")
    monkeypatch.setattr(python_env, "uv", lambda _say: Path("/uv"))
    monkeypatch.setattr(python_env, "_install", install)
    assert [python_env.main(), python_env.main()] == [0, 0]
    assert len(installs) == 1
    lock.write_text("pulumi==3.272.0\n")
    assert python_env.main() == 0
    assert len(installs) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("python: installed the requirements") for line in said] == [True, True]


@pytest.mark.parametrize(("version", "again"), [("{0}.{1}.9", False), ("{0}.1.9", True), ("", True)])
def test_the_virtual_environment_is_made_again_for_another_python_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    version: str,
    again: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    (tmp_path / "stamp").write_text(hashlib.sha256(python_env.LOCK.read_bytes()).hexdigest())
    (tmp_path / "pyvenv.cfg").write_text(f"uv = 0.9.1\nversion_info = {version.format(*sys.version_info)}\n")
    installs: list[bool] = []

    def install(_uv: Path, *, create: bool) -> str:
        installs.append(create)
        return ""

    monkeypatch.setattr(python_env, "VENV", tmp_path)
    monkeypatch.setattr(python_env, "_STAMP", tmp_path / "stamp")
    monkeypatch.setattr(python_env, "uv", lambda _say: Path("/uv"))
    monkeypatch.setattr(python_env, "_install", install)
    assert python_env.main() == 0
    assert installs == []
    assert python_env.main(["--this-python"]) == 0
    assert installs == ([True] if again else [])


class Container:
    def __init__(self, name: str, role: str, code: int) -> None:
        self.name = name
        self.labels = {"pulumi.role": role}
        self.attrs = {"State": {"ExitCode": code}}
        self.removed = False

    def remove(self, *, v: bool) -> None:
        # Without it, what the image declares a volume would stay behind.
        self.removed = v


def test_only_one_shot_containers_that_failed_are_removed() -> None:
    failed = [Container("web-migration", "migration", 1), Container("web-postgres-setup", "postgres-setup", 2)]
    others = [Container("done", "migration", 0), Container("web-postgres", "postgres", 1)]
    client = Mock()
    client.containers.list.return_value = [*failed, *others]
    project = stack.open_project("dev")
    removed = stack.remove_failed_one_shots(client, project, "dev")
    assert removed == ["web-migration (exit code 1)", "web-postgres-setup (exit code 2)"]
    assert [container.removed for container in [*failed, *others]] == [True, True, False, False]
    marks = [f"pulumi.project={project.name}", "pulumi.stack=dev"]
    exited = {"label": marks, "status": "exited"}
    client.containers.list.assert_called_once_with(all=True, filters=exited, ignore_removed=True)


def test_an_update_closes_with_the_address_the_images_and_the_verdict() -> None:
    image = {"reference": "valkey:8", "version": "8.0.1", "origin": "pulled", "id": "sha256:1"}
    outputs = {
        "url": "http://127.0.0.1:3000",
        "images": {"redis-valkey": image},
        "verification": {"summary": "proved: x"},
    }
    assert command_line.closing(outputs).splitlines() == [
        "UI: http://127.0.0.1:3000",
        "redis-valkey: valkey:8, version 8.0.1, pulled",
        "proved: x",
    ]


def test_the_last_line_of_an_update_names_every_local_build() -> None:
    made = {"open-webui": {labels.LOCAL_BUILD: "PyPI open-webui 0.12.4"}, "caddy": {labels.LOCAL_BUILD: "Go caddy"}}
    client = Mock()
    client.images.get = lambda name: Mock(labels=made.get(parse(name).name))
    assert command_line.local_builds(client, read({"topology": "replicated", "adminEmail": "a@example.org"})) == (
        "built on this machine, not the official images: ghcr.io/open-webui/open-webui:main (from PyPI open-webui "
        "0.12.4), docker.io/library/caddy:2.11.7-alpine (from Go caddy)"
    )
    made.clear()
    assert command_line.local_builds(client, read()) == ""


@pytest.mark.parametrize("production", [True, False])
def test_images_are_built_for_a_stack_that_takes_local_builds(
    monkeypatch: pytest.MonkeyPatch,
    production: bool,  # noqa: FBT001 - a case
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: list[str] = []

    def ensure(_: object, reference: str, *, refuse_build: str) -> str:
        told.append(refuse_build)
        return reference

    monkeypatch.setattr(command_line, "ensure", ensure)
    command_line._have_images(Mock(), replace(read(), production=production))
    assert [bool(one) for one in told] == [production, production]
    assert capsys.readouterr().err.startswith("image: ghcr.io/open-webui")


def test_an_update_without_the_proof_says_that_it_is_off() -> None:
    assert "verification is off" in command_line.closing({"url": "http://127.0.0.1:3000", "verification": "off"})


def test_an_update_says_where_a_generated_password_is_and_nothing_of_one_that_was_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = read({"topology": "replicated", "adminEmail": "admin@example.org"})
    command_line._say_how_to_sign_in(settings)
    said = "admin: admin@example.org; the generated password is admin_password in: make -s outputs STACK=team SHOW_SECR"
    assert capsys.readouterr().err.startswith(said)
    given = Admin(email="admin@example.org", name="Admin", password="hunter2hunter2")
    command_line._say_how_to_sign_in(replace(settings, admin=given))
    command_line._say_how_to_sign_in(replace(settings, admin=None))
    assert capsys.readouterr().err == ""
