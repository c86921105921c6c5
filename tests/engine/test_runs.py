"""Runs from the command line, in process on a real program of the SDK with a fake provider."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from tests.engine.fakes import FakeProvider
from tests.engine.two_things import PROGRAM, Run, state

pytestmark = pytest.mark.usefixtures("without_leftovers")


@pytest.mark.parametrize(("wrong", "words"), [("passphrase", "none is given"), ("stack file", "Pulumi.dev.yaml")])
def test_json_says_also_what_kept_it_from_beginning(
    wrong: str, words: str, run: Run, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    if wrong == "passphrase":
        monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    else:
        (project / "stacks/Pulumi.dev.yaml").write_text("config: [\n")
    capsys.readouterr()
    assert run("preview", "--json") == 1
    (said,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert words in said["message"]


def test_up_then_nothing_to_do_then_destroy(
    run: Run, provider: FakeProvider, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("preview") == 0
    assert "+ 4 to create" in capsys.readouterr().out
    assert not (project / ".pulumi-state").exists()
    assert run("up", "--yes") == 0
    said = capsys.readouterr().out
    assert "Updating (dev):" in said
    assert "+  fake:index:Thing a creating" in said
    assert "+ 4 created" in said
    assert 'address : "at a-1"' in said
    assert "password: [secret]" in said
    before = state(project)
    assert run("preview", "--expect-no-changes") == 0
    assert run("up") == 0
    assert "4 unchanged" in capsys.readouterr().out
    assert state(project) == before
    assert provider.world["b-2"]["of"] == "at a-1"
    assert "hush" not in before
    assert run("destroy", "--yes") == 0
    assert "- 4 deleted" in capsys.readouterr().out
    assert not provider.world


def test_unexpected_changes_fail_the_preview(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("up")
    run("config", "set", "size", "2")
    capsys.readouterr()
    assert run("preview", "--expect-no-changes") == 1
    said = capsys.readouterr()
    assert "~  fake:index:Thing a update\n      ~ size: 1 => 2" in said.out
    assert "1 change. 3 unchanged" in said.out
    assert "no changes were expected" in said.err


def test_an_unknown_value_stays_unknown_in_a_preview(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("preview")
    assert "+ address : [unknown]" in capsys.readouterr().out


def test_json_is_all_there_is_on_standard_output(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("up", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["changeSummary"] == {"create": 4}
    assert document["outputs"] == {"address": "at a-1", "password": "[secret]"}
    assert {step["op"] for step in document["steps"]} == {"create"}


def test_a_program_that_raises_shows_its_own_frames_and_keeps_what_was_done(
    run: Run, project: Path, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    (project / "__main__.py").write_text(
        PROGRAM.replace('b = Thing("b"', 'raise ValueError("no b today")\nb = Thing("b"')
    )
    capsys.readouterr()
    assert run("up") == 1
    said = capsys.readouterr().out
    assert "ValueError: no b today" in said
    assert "__main__.py" in said
    assert "asyncio" not in said
    assert provider.world.keys() == {"a-1", "b-2"}


def test_a_run_error_shows_its_message_only(run: Run, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "__main__.py").write_text('import pulumi\nraise pulumi.RunError("uiPort is 0; write 3000.")\n')
    assert run("up") == 1
    said = capsys.readouterr().out
    assert "error: uiPort is 0; write 3000." in said
    assert "Traceback" not in said + capsys.readouterr().err


def test_a_failed_program_shows_its_error_and_not_its_outputs_as_gone(
    run: Run, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    (project / "__main__.py").write_text('import pulumi\nraise pulumi.RunError("no such port")\n')
    capsys.readouterr()
    assert run("preview") == 1
    printed = capsys.readouterr()
    assert "no such port" in printed.out + printed.err
    assert "Outputs:" not in printed.out + printed.err


def test_a_resource_failure_shows_the_providers_message_once(
    run: Run, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    from tooling.engine.provider import ProviderError  # noqa: PLC0415

    def fail() -> None:
        raise ProviderError("port 3000 is taken by nginx; choose another.")

    provider.on["create a"] = fail
    assert run("up") == 1
    said = capsys.readouterr()
    assert (said.out + said.err).count("port 3000 is taken") == 1
    assert "Traceback" not in said.out + said.err
    assert "fake:index:Thing (a):" in said.out


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ('Thing("x", {}, pulumi.ResourceOptions(import_="id"))', "the option import_=id"),
        ('pulumi.ProviderResource("fake", "x", {})', "an explicit provider"),
        ('pulumi.CustomResource("aws:s3:Bucket", "x", {})', "the provider 'aws'"),
        (
            "pulumi.runtime.register_resource_transform(lambda a: None)",
            "The program asks for RegisterStackTransform: the embedded engine",
        ),
        ('Thing("x", {"f": pulumi.FileAsset("x")})', "an asset as a property"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    run: Run, project: Path, capsys: pytest.CaptureFixture[str], program: str, message: str
) -> None:
    (project / "__main__.py").write_text(PROGRAM + program + "\n")
    assert run("up") == 1
    said = capsys.readouterr()
    assert message in said.out + said.err


def test_a_wrong_passphrase_changes_nothing(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    before = state(project)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "other")
    assert run("up") == 1
    said = capsys.readouterr()
    assert (said.out + said.err).count("Wrong passphrase") == 1
    assert state(project) == before


def test_a_wrong_passphrase_makes_nothing_where_the_state_was_lost(
    run: Run, project: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    (project / ".pulumi-state/.pulumi/stacks/web/dev.json").unlink()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "other")
    provider.calls.clear()
    assert run("up") == 1
    assert "Wrong passphrase" in capsys.readouterr().err
    assert provider.calls == []


def test_a_truncated_state_file_changes_nothing(
    run: Run, project: Path, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    file = project / ".pulumi-state/.pulumi/stacks/web/dev.json"
    file.write_text(file.read_text()[:500])
    before = file.read_bytes()
    assert run("up") == 1
    assert "is not whole JSON" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b'{"version": 3}', b"\xff\xfe", b""])
def test_a_state_file_that_is_no_checkpoint_is_named_and_kept(
    run: Run, project: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    run("up")
    file = project / ".pulumi-state/.pulumi/stacks/web/dev.json"
    file.write_bytes(content)
    capsys.readouterr()
    for command in ("preview", "up", "destroy"):
        assert run(command) == 1
        assert f"error: The state file {file}" in capsys.readouterr().err
    assert file.read_bytes() == content


def test_a_program_that_fails_keeps_the_outputs_of_the_last_update(
    run: Run, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    before = state(project)
    (project / "__main__.py").write_text('import pulumi\nraise pulumi.RunError("not today")\n')
    assert run("up") == 1
    assert state(project) == before
    capsys.readouterr()
    run("stack", "output", "address")
    assert capsys.readouterr().out == "at a-1\n"


def test_refresh_counts_what_is_not_as_recorded(
    run: Run, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    run("up")
    del provider.world["b-2"]
    provider.world["a-1"]["size"] = 5
    capsys.readouterr()
    assert run("refresh") == 0
    said = capsys.readouterr().out
    assert "~ 1 updated" in said
    assert "- 1 deleted" in said
    assert run("up") == 0
    assert "+ 1 created" in capsys.readouterr().out


def test_a_run_is_remembered_in_the_history(run: Run, project: Path) -> None:
    run("config", "set", "--secret", "token", "hush hush")
    run("up")
    (entry,) = (project / ".pulumi-state/.pulumi/history/web/dev").glob("*.history.json")
    document = json.loads(entry.read_text())
    assert document["kind"] == "update"
    assert document["result"] == "succeeded"
    assert document["resourceChanges"] == {"create": 4}
    assert document["config"]["web:token"]["secure"].startswith("v1:")


def test_a_preview_needs_no_lock_and_an_up_does(run: Run, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locks = project / ".pulumi-state/.pulumi/locks/organization/web/dev"
    locks.mkdir(parents=True)
    (locks / "1.json").write_text(
        '{"pid": 1, "username": "ann", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}'
    )
    assert run("preview") == 0
    assert run("up") == 1
    assert "ann@elsewhere" in capsys.readouterr().err


def test_a_data_source_is_answered(run: Run, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asks = 'found = pulumi.runtime.invoke("fake:index:getThing", {"name": "x"}).value\npulumi.export("found", found)\n'
    (project / "__main__.py").write_text(PROGRAM + asks)
    assert run("up") == 0
    capsys.readouterr()
    run("stack", "output", "found", "--json")
    assert json.loads(capsys.readouterr().out) == {"token": "fake:index:getThing", "name": "x"}


def test_a_resource_that_is_kept_is_said_to_be(
    run: Run, project: Path, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "__main__.py").write_text(PROGRAM + 'Thing("kept", {}, pulumi.ResourceOptions(retain_on_delete=True))\n')
    run("up")
    assert run("destroy") == 0
    assert "fake:index:Thing kept forgotten (it is kept)" in capsys.readouterr().out
    assert [name.split("-")[0] for name in provider.world] == ["kept"]


def test_what_a_failed_program_left_unevaluated_is_not_complained_of(project: Path, run: Run) -> None:
    left = "import asyncio\nleft = [asyncio.sleep(0)]\nleft.append(left)\nraise RuntimeError('on purpose')\n"
    (project / "__main__.py").write_text(left)
    assert run("up") == 1
    assert gc.collect()
