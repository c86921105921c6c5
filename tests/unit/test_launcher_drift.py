"""Where `make drift` gets the state from, and when it does not answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from tooling.drift.observed import Observed
from tooling.drift.recorded import Recorded
from tooling.errors import ToolError
from tooling.launcher import drift
from tooling.pulumi_files.project import Project
from tooling.pulumi_files.stack import Stack, find_stack
from tooling.pulumi_files.values import SECRET, SIGNATURE

KEY = "0123456789abcdef-secret"


class View:
    """A Docker that is never asked."""

    def close(self) -> None:
        pass


def shown(value: Any) -> dict[str, str]:
    """A secret as ``pulumi stack export --show-secrets`` has it."""
    return {SIGNATURE: SECRET, "plaintext": json.dumps(value)}


def export(*names: str) -> dict[str, Any]:
    resources = [
        {
            "urn": f"urn:pulumi:team::open-webui::docker:index/container:Container::{name}",
            "type": "docker:index/container:Container",
            "custom": True,
            "id": name,
            "inputs": {"name": name, "mustRun": True, "envs": shown([f"KEY={KEY}"])},
        }
        for name in names
    ]
    provider = {"type": "cloud", "state": {"url": "a-key-management-service://key"}}
    return {"version": 3, "deployment": {"secrets_providers": provider, "resources": resources}}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose state is in a backend that only the Pulumi CLI reads."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    monkeypatch.setattr(drift, "DockerView", View)
    (tmp_path / "Pulumi.team.yaml").touch()
    return find_stack(Project(directory=tmp_path, name="open-webui", stacks_directory=tmp_path), "team")


def test_secrets_of_an_export_are_open_whatever_sealed_them(
    elsewhere: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Recorded] = []

    def observe(_view: View, known: Recorded, *_names: str) -> Observed:
        asked.append(known)
        return Observed()

    monkeypatch.setattr(drift, "exported", lambda *_, **__: export("app"))
    monkeypatch.setattr(drift, "observe", observe)

    assert drift.drift(elsewhere, as_json=False) == drift.DRIFT
    assert asked[0].containers[0].environment == {"KEY": KEY}
    printed = capsys.readouterr().out
    assert "container app: gone" in printed
    assert KEY not in printed


def test_a_state_that_changes_meanwhile_gives_no_answer(elsewhere: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([export("app"), export("app", "valkey")])
    monkeypatch.setattr(drift, "exported", lambda *_, **__: next(answers))
    monkeypatch.setattr(drift, "observe", lambda *_: Observed())

    with pytest.raises(ToolError, match="stack team was changed while it was looked at"):
        drift.drift(elsewhere, as_json=False)


def test_a_stack_that_is_not_deployed_gives_no_answer(elsewhere: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "exported", lambda *_, **__: export())

    with pytest.raises(ToolError, match="stack team is not deployed"):
        drift.drift(elsewhere, as_json=True)


def test_without_the_pulumi_cli_such_a_state_cannot_be_read(
    elsewhere: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolError, match=r"only the Pulumi CLI can use.*no Pulumi CLI on PATH"):
        drift.drift(elsewhere, as_json=True)
