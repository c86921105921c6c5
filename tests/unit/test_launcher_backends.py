"""Shared backends: what is refused before the CLI runs, and what is said on top of it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from docker_access import labels
from docker_access.deployments import Owner
from tooling.errors import ToolError
from tooling.launcher import __main__ as command_line
from tooling.launcher import engines, recovery
from tooling.launcher.engines import foreground
from tooling.pulumi_cli import backends, stacks
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.stack import find_stack

HERE = Path(__file__).resolve().parents[2]
URL = "postgres://ann:p%40ss@db.example.com:5432/pulumi?sslmode=disable"
LOCKED = """\
error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock \
file with `pulumi cancel`.
  postgres://****:****@db.example.com:5432/pulumi/.pulumi/locks/organization/open-webui/team/d1.json?sslmode=disable: \
created by {who} (pid {pid}) at 2026-11-23T18:19:03Z
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This project's settings, with a stack of its own, in a database."""
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_BACKEND_URL", URL)
    monkeypatch.setattr("tooling.pulumi_files.secrets._ROUNDS", 10)
    (tmp_path / "Pulumi.yaml").write_text((HERE / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("pulumi-docker==5.2.0\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.team.yaml").touch()
    return load_project(tmp_path)


def salt_in_the_stack_file(project: Project, salt: str) -> None:
    (project.stacks_directory / "Pulumi.team.yaml").write_text(f"encryptionsalt: {salt}\n")


@pytest.mark.parametrize("url", [URL, "s3://bucket?region=x", "https://api.pulumi.com", "file:///srv?no_tmp_dir=1"])
def test_what_is_not_a_plain_directory_is_shared(project: Project, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    assert find_stack(project, "team").shared
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///srv/pulumi")
    assert not find_stack(project, "team").shared


def test_a_backend_is_named_without_its_password_and_with_the_place_that_names_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        backends.described(find_stack(project, "team"))
        == "postgres://ann@db.example.com:5432/pulumi (PULUMI_BACKEND_URL)"
    )
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    file = project.directory / "Pulumi.yaml"
    file.write_text(f"{file.read_text()}backend: {{url: 's3://bucket/folder?endpoint=x'}}\n")
    assert (
        backends.described(find_stack(load_project(project.directory), "team"))
        == "s3://bucket/folder (backend.url in Pulumi.yaml)"
    )


@pytest.mark.parametrize("printed", ["p%40ss", "p@ss"])
def test_a_password_of_the_url_is_masked_as_it_is_written_and_as_it_is_meant(printed: str) -> None:
    assert backends.without_password(f"cannot open postgres://ann:{printed}@db", URL) == (
        "cannot open postgres://ann:****@db"
    )
    assert backends.without_password("cannot open s3://bucket", "s3://bucket") == "cannot open s3://bucket"


def test_the_embedded_engine_is_refused_with_the_way_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project.directory))
    with pytest.raises(ToolError, match=r"postgres://ann@db.*it would not be used: no Pulumi CLI on PATH") as error:
        engines.choose("auto", find_stack(project, "team"))
    assert "p%40ss" not in str(error.value)
    with pytest.raises(ToolError, match="it would not be used: ENGINE=embedded"):
        engines.choose("embedded", find_stack(project, "team"))
    with pytest.raises(ToolError, match="no Pulumi CLI on PATH"):
        engines.cancel(find_stack(project, "team"), force=True)


def test_no_passphrase_is_made_up_for_what_others_use_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match=r"no passphrase is given.*PULUMI_CONFIG_PASSPHRASE"):
        backends.environment(find_stack(project, "team"))
    assert not (project.directory / ".pulumi-state").exists()
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://api.pulumi.com")
    assert backends.environment(find_stack(project, "team")) == {"PULUMI_BACKEND_URL": "https://api.pulumi.com"}
    monkeypatch.setenv("PULUMI_BACKEND_URL", URL)
    kept = project.directory / ".pulumi-state/passphrase"
    kept.parent.mkdir()
    kept.touch()
    assert backends.environment(find_stack(project, "team"))["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(kept)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "given")
    assert backends.environment(find_stack(project, "team")) == {"PULUMI_BACKEND_URL": URL}


def test_a_wrong_passphrase_is_found_by_the_stack_file_or_else_by_the_state(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    salt = Secrets.new("right").salt
    state = {"deployment": {"secrets_providers": {"type": "passphrase", "state": {"salt": salt}}}}
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    with pytest.raises(ToolError, match="Wrong passphrase"):
        backends.refuse_wrong_passphrase(find_stack(project, "team"), lambda: state)
    backends.refuse_wrong_passphrase(find_stack(project, "team"), dict)
    salt_in_the_stack_file(project, salt)
    with pytest.raises(ToolError, match="Wrong passphrase"):
        backends.refuse_wrong_passphrase(find_stack(project, "team"), dict)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "right")
    backends.refuse_wrong_passphrase(find_stack(project, "team"), dict)


def test_whose_lock_it_is_is_said_with_the_way_past_it() -> None:
    elsewhere = backends.way_past_a_lock(LOCKED.format(who="ann@laptop", pid=1), "team")
    assert elsewhere.startswith("locked: ann on laptop has been changing stack team since 2026-11-23T18:19:03Z")
    assert elsewhere.endswith("make cancel STACK=team YES=1")
    here = socket.gethostname()
    assert "has been changing" in backends.way_past_a_lock(LOCKED.format(who=f"ann@{here}", pid=os.getpid()), "team")
    gone = backends.way_past_a_lock(LOCKED.format(who=f"ann@{here}", pid=2**22 + 1), "team")
    assert "left its lock behind" in gone
    assert "make cancel STACK=team YES=1" in gone
    assert backends.way_past_a_lock("error: no stack named 'team' found", "team") == ""


def test_a_lock_that_cannot_be_looked_at_is_not_removed_without_a_yes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = tmp_path / "bin/pulumi"
    cli.parent.mkdir()
    cli.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(cli.parent))
    with pytest.raises(ToolError, match="make cancel STACK=team YES=1"):
        engines.cancel(find_stack(project, "team"), force=False)


def test_what_the_cli_prints_passes_through_what_listens(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = "import sys; print('out'); print('hush', file=sys.stderr); sys.exit(3)"
    code = foreground([sys.executable, "-c", program], tmp_path, dict(os.environ), lambda line: line.upper())
    assert code == 3
    assert capfd.readouterr() == ("out\n", "HUSH\n")


def test_only_what_a_killed_run_was_making_is_removed_with_its_lock(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers = {"1": "open-webui-team", "2": "open-webui-team-valkey", "3": "open-webui-team-by-hand"}
    more = {"Labels": {}, "Created": 1, "State": "running"}
    listed = [{"Id": number, "Names": [f"/{name}"], **more} for number, name in containers.items()]
    removed: list[str] = []
    client: Any = SimpleNamespace(
        api=SimpleNamespace(
            containers=lambda **_: listed,
            networks=lambda **_: [{"Id": "4", "Name": "open-webui-team-network", "Labels": None, "Created": ""}],
            volumes=lambda **_: {"Volumes": None},
            inspect_network=lambda _: {"Containers": {}},
            remove_network=removed.append,
        )
    )
    monkeypatch.setattr(recovery, "_remove_container", lambda _, name: removed.append(name))
    deployment = {
        "resources": [{"id": "2"}],
        "pending_operations": [
            {"type": "creating", "resource": {"inputs": {"name": "open-webui-team"}}},
            {"type": "creating", "resource": {"inputs": {"name": "open-webui-team-network"}}},
            {"type": "updating", "resource": {"inputs": {"name": "open-webui-team-by-hand"}}},
        ],
    }
    owner = Owner(identity="", origin="")
    said = recovery.remove_unfinished(client, find_stack(project, "team"), owner, deployment)
    assert said == ["container open-webui-team", "network open-webui-team-network"]
    assert removed == ["open-webui-team", "4"]


OURS = Owner(identity="0urs", origin="postgres://db.example.com:5432/pulumi")
BEGUN = {"resources": [{"id": "docker-host"}]}


@pytest.mark.parametrize(
    ("owner", "deployment", "marks", "take_over", "goes"),
    [
        (OURS, BEGUN, {labels.STATE: "7heirs"}, "", False),
        (OURS, BEGUN, {labels.STATE: "7heirs"}, "1", True),
        (OURS, BEGUN, {labels.STATE: "0urs"}, "1", False),
        (OURS, BEGUN, {}, "1", True),
        (Owner(identity="", origin=""), BEGUN, {}, "1", False),
        # The state was lost of a stack from before there were identities.
        (Owner(identity="", origin=""), {}, {}, "1", True),
    ],
)
def test_on_a_shared_backend_only_what_is_taken_over_is_removed(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    owner: Owner,
    deployment: dict[str, Any],
    marks: dict[str, str],
    take_over: str,
    goes: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setenv("TAKE_OVER", take_over)
    monkeypatch.setattr(recovery, "deployment", lambda *_: deployment)
    found = {"Id": "1", "Names": ["/open-webui-team"], "Labels": marks, "Created": 1, "State": "running"}
    api: Any = SimpleNamespace(
        containers=lambda **_: [found], networks=lambda **_: [], volumes=lambda **_: {"Volumes": None}
    )
    assert bool(recovery.strays(api, find_stack(project, "team"), owner)) is goes


@pytest.mark.parametrize("pending", [[], [{"type": "creating", "resource": {}}]])
def test_a_lock_is_removed_without_a_docker_where_nothing_was_being_made(
    project: Project, monkeypatch: pytest.MonkeyPatch, pending: list[Any]
) -> None:
    monkeypatch.setattr(command_line, "open_stack", lambda _: find_stack(project, "team"))
    monkeypatch.setattr(engines, "cancel", lambda *_, **__: 0)
    monkeypatch.setattr(stacks, "deployment", lambda *_: {"pending_operations": pending})
    asked = Mock()
    monkeypatch.setattr(command_line, "ensure_docker", asked)
    monkeypatch.setattr(command_line, "checked_owner", Mock())
    monkeypatch.setattr(command_line, "remove_unfinished", Mock(return_value=[]))
    assert command_line.main(["cancel", "--stack", "team", "--yes"]) == 0
    assert asked.called is bool(pending)
