"""A preview by the program and its stack file alone: no Docker, no state, no secret."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documents import PROJECT
from tooling.preview_report import declared
from tooling.preview_report.declared import Sealed, main
from tooling.preview_report.markdown import markdown
from tooling.preview_report.steps import Preview, read
from tooling.pulumi_files.secrets import Secrets

pytestmark = pytest.mark.processes


@pytest.fixture
def checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The program as it was and as it is, without a Docker, a passphrase or a state to be had."""
    for name in ("base", "head"):
        made = tmp_path / name
        (made / "stacks").mkdir(parents=True)
        for part in PROJECT.iterdir():
            if part.suffix == ".py" or part.name == "Pulumi.yaml" or (part / "__init__.py").exists():
                (made / part.name).symlink_to(part)
        for file in (PROJECT / "stacks").glob("*.yaml"):
            shutil.copy(file, made / "stacks")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", f"{tmp_path}/nowhere")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setenv("WITHOUT_DOCKER", "")
    monkeypatch.chdir(tmp_path / "head")
    return tmp_path / "base", tmp_path / "head"


def configure(checkout: Path, stack: str, *, salt: str = "", **settings: Any) -> None:
    file = checkout / f"stacks/Pulumi.{stack}.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    document = (document or {}) | ({"encryptionsalt": salt} if salt else {})
    document["config"] = (document.get("config") or {}) | {
        f"open-webui:{key}": value for key, value in settings.items()
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")


def previewed(base: Path, stack: str, capsys: pytest.CaptureFixture[str]) -> Preview:
    assert main(["--base", str(base), "--stack", stack]) == 0, capsys.readouterr().err
    return read(capsys.readouterr().out)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_nothing_changes_where_the_program_is_the_same(
    checkouts: tuple[Path, Path], stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preview = previewed(checkouts[0], stack, capsys)
    assert preview.changes == ()
    assert len(preview.steps) > 5
    assert "By the program and its stack file alone" in markdown(preview)
    assert not (tmp_path / "state").exists()


def test_a_changed_setting_changes_what_depends_on_it(
    checkouts: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, head = checkouts
    configure(head, "dev", valkeyImage="docker.io/valkey/valkey:8.1.0-alpine")
    changed = {step.name: step.op for step in previewed(base, "dev", capsys).changes}
    assert changed == {"valkey-image": "replace", "valkey-container": "replace", "verification": "update"}


def test_a_stack_that_the_base_has_not_is_all_new(
    checkouts: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, head = checkouts
    configure(head, "mine", uiPort=3333)
    preview = previewed(base, "mine", capsys)
    assert {step.op for step in preview.changes} == {"create"}
    assert len(preview.changes) == len(preview.steps)


def test_what_is_encrypted_stays_so_and_counts_as_changed_where_its_ciphertext_is(
    checkouts: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, head = checkouts
    secrets = Secrets.new("nobody here knows it")
    first, second = (secrets.encrypt("rediss://openwebui:5ecret@valkey.example.com:6379") for _ in range(2))
    for checkout in checkouts:
        configure(checkout, "staging", salt=secrets.salt, valkeyUrl={"secure": first})
    assert previewed(base, "staging", capsys).changes == ()
    configure(head, "staging", valkeyUrl={"secure": second})
    assert previewed(base, "staging", capsys).changes != ()


def test_by_what_a_stack_is_sealed_does_not_matter(
    checkouts: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"pulumi:disable-default-providers": ["aws"], "open-webui:uiPort": 3333}
    document = {"secretsprovider": "gcpkms://key", "encryptedkey": "QUJD", "config": config}
    for checkout in checkouts:
        (checkout / "stacks/Pulumi.mine.yaml").write_text(yaml.safe_dump(document))
    base, head = checkouts
    configure(head, "mine", uiPort=3334)
    assert {step.name for step in previewed(base, "mine", capsys).changes} == {"open-webui-container", "verification"}


def test_one_ciphertext_stands_for_one_text() -> None:
    sealed = Sealed()
    assert sealed.decrypt("v1:a:b") == sealed.decrypt("v1:a:b") != sealed.decrypt("v1:a:c")


def test_a_program_that_fails_is_a_preview_that_failed(
    checkouts: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    base, head = checkouts
    configure(head, "dev", uiPort=99999)
    main(["--base", str(base), "--stack", "dev"])
    out = capsys.readouterr().out
    assert "uiPort" in markdown(read(out))
    assert json.loads(out)["declared"] is True


def test_a_base_that_fails_is_named(checkouts: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    base, _ = checkouts
    configure(base, "dev", uiPort=99999)
    assert main(["--base", str(base), "--stack", "dev"]) == 1
    assert f"the program in {base} does not say what it declares" in capsys.readouterr().err


def test_the_made_up_outputs_are_of_resources_there_are() -> None:
    tokens = (PROJECT / "docs/components.md").read_text(encoding="utf-8") + "".join(
        path.read_text(encoding="utf-8") for path in (PROJECT / "components").rglob("*.py")
    )
    assert all(f'name="{name}"' in tokens for name in declared.MADE)
