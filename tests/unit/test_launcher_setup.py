"""What the launcher knows of a stack, makes of the locked requirements, and says after an update."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

import verification.__main__
from docker_access import labels
from tests.unit.test_settings import read
from tooling.images.reference import parse
from tooling.launcher import __main__ as command_line
from tooling.launcher import deploy, python_env, stack
from tooling.launcher.verify import subject
from topologies.deployed import Deployed
from verification.resource import VerificationArgs
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
    monkeypatch.setattr(deploy, "ensure", lambda _, reference, **__: asked.append(reference))
    assert command_line.main(["setup", "--stack", name]) == 0
    assert {parse(reference).name for reference in asked} == software


def test_an_unknown_stack_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["up", "--stack", "nosuch"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "nosuch" in said
    assert "dev" in said


@pytest.mark.parametrize("tls", [True, False])
def test_the_verification_reads_what_the_outputs_say(monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:  # noqa: FBT001 - a case
    verified = VerificationArgs(
        apps=["web-1", "web-2"], migration="migration", valkey="valkey", postgres="postgres", gateway="gateway",
        door={"address": "127.0.0.1", "port": 3443.0, "tls": tls}, ca="/data/root.crt", app_user="openwebui",
        valkey_login={"user": "verify", "password_file": "/run/secrets/verify", "ca_file": "/run/secrets/ca.pem"},
        isolation={"edge": "web-edge", "private": ["valkey", "postgres"]},
        account={"container": "migration", "path": "/migration/account.env"},
    )  # fmt: skip
    described = Deployed(verification=verified, depends_on=[]).subject
    report = {"verdict": "proved", "asked_at": "2026-11-30T10:00:00Z", "seconds": 2.0}
    outputs = {
        "subject": described, "url": "https://chat.example.org", "expected": {"web-1": {"Config.Image": "1"}},
        "verification": report,
    }  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(subject(outputs))))

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
    monkeypatch.setattr(python_env, "uv", lambda: Path("/uv"))
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
    monkeypatch.setattr(python_env, "uv", lambda: Path("/uv"))
    monkeypatch.setattr(python_env, "_install", install)
    assert python_env.main() == 0
    assert installs == []
    assert python_env.main(["--this-python"]) == 0
    assert installs == ([True] if again else [])


def test_the_virtual_environment_is_made_again_after_the_system_got_another_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("bin", "lib/python3.11"):
        (tmp_path / folder).mkdir(parents=True)
    for version in ("python3.11", "python3.13"):
        (tmp_path / version).touch()
    (tmp_path / "bin/python").symlink_to(tmp_path / "python3.11")
    (tmp_path / "stamp").write_text(hashlib.sha256(python_env.LOCK.read_bytes()).hexdigest())
    monkeypatch.setattr(python_env, "VENV", tmp_path)
    monkeypatch.setattr(python_env, "_STAMP", tmp_path / "stamp")
    monkeypatch.setattr(python_env, "uv", lambda: Path("/uv"))
    monkeypatch.setattr(python_env, "_install", install := Mock(return_value=""))
    assert python_env.main() == 0
    install.assert_not_called()
    (tmp_path / "bin/python").unlink()
    (tmp_path / "bin/python").symlink_to(tmp_path / "python3.13")
    assert python_env.main() == 0
    install.assert_called_once_with(Path("/uv"), create=True)


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
    dev = stack.open_stack("dev")
    removed = stack.remove_failed_one_shots(client, dev)
    assert removed == ["web-migration (exit code 1)", "web-postgres-setup (exit code 2)"]
    assert [container.removed for container in [*failed, *others]] == [True, True, False, False]
    marks = [f"pulumi.project={dev.project.name}", "pulumi.stack=dev"]
    exited = {"label": marks, "status": "exited"}
    client.containers.list.assert_called_once_with(all=True, filters=exited, ignore_removed=True)


def test_an_update_closes_with_the_address_the_images_and_the_verdict() -> None:
    image = {"reference": "valkey:8", "version": "8.0.1", "origin": "pulled", "id": "sha256:1"}
    outputs = {
        "url": "http://127.0.0.1:3000",
        "images": {"redis-valkey": image},
        "verification": {"summary": "proved: x"},
    }
    assert deploy.summary(outputs).splitlines() == [
        "UI: http://127.0.0.1:3000",
        "redis-valkey: valkey:8, version 8.0.1, pulled",
        "proved: x",
    ]


def test_the_last_line_of_an_update_names_every_local_build() -> None:
    made = {"open-webui": {labels.LOCAL_BUILD: "PyPI open-webui 0.12.4"}, "caddy": {labels.LOCAL_BUILD: "Go caddy"}}
    client = Mock()
    client.images.get = lambda name: Mock(labels=made.get(parse(name).name))
    assert deploy.local_builds(client, read({"topology": "replicated", "adminEmail": "a@example.org"})) == (
        "built on this machine, not the official images: ghcr.io/open-webui/open-webui:main (from PyPI open-webui "
        "0.12.4), docker.io/library/caddy:2.11.7-alpine (from Go caddy)"
    )
    made.clear()
    assert deploy.local_builds(client, read()) == ""


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

    monkeypatch.setattr(deploy, "ensure", ensure)
    deploy.have_images(Mock(), read().model_copy(update={"production": production}))
    assert [bool(one) for one in told] == [production, production]
    assert capsys.readouterr().err.startswith("image: ghcr.io/open-webui")


def test_an_update_without_the_proof_says_that_it_is_off() -> None:
    assert "verification is off" in deploy.summary({"url": "http://127.0.0.1:3000", "verification": "off"})


def test_an_update_says_where_a_generated_password_is_and_nothing_of_one_that_was_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = read({"topology": "replicated", "adminEmail": "admin@example.org"})
    deploy._say_how_to_sign_in(settings)
    said = "admin: admin@example.org; the generated password is admin_password in: make -s outputs STACK=team SHOW_SECR"
    assert capsys.readouterr().err.startswith(said)
    deploy._say_how_to_sign_in(settings.model_copy(update={"admin_password": "hunter2hunter2"}))
    deploy._say_how_to_sign_in(settings.model_copy(update={"admin_email": ""}))
    assert capsys.readouterr().err == ""
