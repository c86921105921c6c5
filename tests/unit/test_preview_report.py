"""A preview as Markdown: real previews of both engines give the same text, and no value comes through.

The previews in ``previews/`` were printed by the Pulumi CLI 3.260 and the embedded engine over deployed stacks, then
trimmed: of each state only its type and ``retainOnDelete`` are left, and the stacks have other names. Of a change that
reads the same in both, the CLI's is kept.
"""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tooling.preview_report.__main__ import main
from tooling.preview_report.markdown import markdown
from tooling.preview_report.meaning import meanings
from tooling.preview_report.steps import Preview, PreviewError, Step, read

PREVIEWS = Path(__file__).parent / "previews"
RECORDED = sorted(path.name for path in PREVIEWS.glob("*.json"))
SECRET = "5ecret-that-must-not-come-through"
CONTAINER = "docker:index/container:Container"
SECRET_TYPE = "pulumi-python:dynamic/openwebui:Secret"


def recorded(name: str) -> str:
    return (PREVIEWS / name).read_text(encoding="utf-8")


def warned(name: str, hits: str) -> str:
    return " ".join(meaning.text for meaning in meanings(read(recorded(name))) if meaning.hits == hits)


def urn(type_: str, name: str, component: str = "OpenWebUI") -> str:
    return f"urn:pulumi:dev::open-webui::openwebui:components:{component}${type_}::{name}"


def preview_of(*steps: tuple[str, str, str, str]) -> Preview:
    """Of (op, component, type, name) each."""
    return Preview(
        stack="dev", steps=tuple(Step(op=op, component=one, type=type_, name=name) for op, one, type_, name in steps)
    )


@pytest.mark.parametrize("name", RECORDED)
def test_the_previews_of_both_engines_give_the_same_report(name: str) -> None:
    assert markdown(read(recorded(name))) + "\n" == recorded(f"{name.partition('.')[0]}.md")


def test_every_report_belongs_to_a_preview() -> None:
    assert {path.stem for path in PREVIEWS.glob("*.md")} == {name.partition(".")[0] for name in RECORDED}


def test_a_preview_without_changes_is_one_line() -> None:
    _, title, empty, line = markdown(read(recorded("no-change.pulumi.json"))).splitlines()
    assert (title, empty, line) == ("### Preview of stack `dev`", "", "Nothing changes.")


def test_the_first_line_is_the_mark_by_which_the_comment_is_found_again() -> None:
    assert recorded("port.md").startswith("<!-- preview_report: dev -->\n")


def with_secrets_everywhere(value: Any) -> Any:
    """The document with a secret wherever a value may stand."""
    document = json.loads(json.dumps(value))
    document["config"] = {"open-webui:adminPassword": SECRET}
    document["outputs"] = {"admin_password": SECRET}
    for step in document["steps"]:
        state = {"inputs": {"envs": [f"KEY={SECRET}"], "name": SECRET}, "outputs": {"value": SECRET, "id": SECRET}}
        step["oldState"] = {**state, **step.get("oldState", {})}
        step["newState"] = {**state, **step.get("newState", {})}
        step["value"] = SECRET
        for change in step.get("changes", []):
            change["old"] = change["new"] = SECRET
        step["detailedDiff"] = {f"envs[{SECRET}]": {"kind": "update"}, **(step.get("detailedDiff") or {})}
    return document


@pytest.mark.parametrize("name", RECORDED)
def test_no_value_comes_through(name: str) -> None:
    document = with_secrets_everywhere(json.loads(recorded(name)))
    assert SECRET not in markdown(read(json.dumps(document)))


def test_lost_data_is_warned_of_before_anything_else() -> None:
    report = recorded("data-deleted.md")
    assert (
        report.index("**Volume `valkey-data` is deleted**") < report.index("[!WARNING]") < report.index("What it means")
    )


def test_data_that_stays_is_told_from_data_that_goes() -> None:
    assert "stays on the host" in warned("valkey-elsewhere.embedded.json", "data")
    assert "deleted" not in warned("valkey-elsewhere.embedded.json", "data")


def test_an_upgrade_says_to_back_up_first() -> None:
    assert "Back up first" in warned("replicated-image.pulumi.json", "data")


def test_another_secret_key_signs_everybody_out() -> None:
    assert "Everybody is signed out" in warned("secret-key.pulumi.json", "users")
    assert "Everybody is signed out" not in warned("postgres-password.pulumi.json", "users")


def test_scaling_up_and_limits_hit_nobody() -> None:
    for name in ("replicas-more", "limits"):
        assert "[!" not in recorded(f"{name}.md")


@pytest.mark.parametrize(
    ("component", "said"),
    [("Valkey", "Valkey is stopped, and is started again."), ("OpenWebUI", "Not running, and started again: `one`.")],
)
def test_a_container_that_was_stopped_is_not_said_to_run(component: str, said: str) -> None:
    stopped = Step(op="update", component=component, type=CONTAINER, name="one", keys=("mustRun",))
    assert [meaning.text for meaning in meanings(Preview(stack="dev", steps=(stopped,)))][1:2] == [said]


def test_without_a_refresh_a_removed_replica_is_not_taken_for_the_last_one() -> None:
    found = preview_of(("delete", "OpenWebUI", CONTAINER, "open-webui-2"))
    assert "is removed: browsers on it connect again" in markdown(found)


def test_containers_of_other_programs_are_told_of() -> None:
    found = preview_of(("replace", "", CONTAINER, "web"), ("delete", "Cache", CONTAINER, "cache"))
    assert [meaning.text for meaning in meanings(found) if meaning.hits == "users"] == [
        "Container `web` is re-created: what it serves is interrupted.",
        "Container `cache` is removed.",
    ]


def test_a_name_cannot_break_out_of_the_table() -> None:
    found = markdown(preview_of(("delete", "", CONTAINER, "a`|b\n# heading")))
    assert "| deleted | container | `a'/b # heading` |  |" in found


def test_an_error_cannot_break_out_of_its_block() -> None:
    found = Preview(stack="dev", steps=(), errors=("```\n# heading",))
    assert "````text\n```\n# heading\n````" in markdown(found)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"steps": 1, "diagnostics": []}', "error: no stack named 'x'"]
)
def test_what_is_no_preview_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(PreviewError, match="pulumi preview --json"):
        read(text)


def test_a_preview_of_another_docker_host_ends_with_2_and_says_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(PREVIEWS / "another-host.embedded.json")]) == 2
    assert "DOCKER_HOST=ssh://" in capsys.readouterr().out


@pytest.mark.parametrize("op", ["same", "refresh"])
def test_a_stack_whose_containers_all_seem_gone_is_taken_for_another_docker_host(
    op: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [
        {"op": op, "urn": urn(SECRET_TYPE, "open-webui-secret-key")},
        {"op": "create", "urn": urn(CONTAINER, "open-webui-container")},
        {"op": "create", "urn": urn(CONTAINER, "valkey-container", "Valkey")},
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"steps": steps, "changeSummary": {}})))
    assert main([]) == 2
    assert "--refresh=false" in capsys.readouterr().out


def test_on_the_right_docker_host_containers_may_well_be_gone() -> None:
    found = preview_of(
        ("same", "OpenWebUI", SECRET_TYPE, "open-webui-secret-key"),
        ("same", "", "pulumi-python:dynamic/openwebui:DockerHost", "docker-host"),
        ("create", "OpenWebUI", CONTAINER, "open-webui-container"),
    )
    assert not found.on_another_host


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with stacks of which nothing is known yet."""
    (tmp_path / "Pulumi.yaml").write_text("name: open-webui\nruntime: python\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    for name in ("dev", "staging"):
        (tmp_path / f"stacks/Pulumi.{name}.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return tmp_path


@pytest.mark.usefixtures("project")
def test_a_preview_that_failed_ends_with_1_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(PREVIEWS.absolute() / "refused.pulumi.json")]) == 1
    assert "Set open-webui:volumesExternal: false" in capsys.readouterr().out


def failed(project: Path, message: str) -> str:
    """A file with a preview that failed so."""
    said = [{"severity": "error", "message": message}]
    (project / "preview.json").write_text(json.dumps({"steps": [], "diagnostics": said}))
    return "preview.json"


def test_secrets_of_the_job_are_not_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GH_TOKEN", SECRET)
    monkeypatch.setenv("DATABASE", "postgres://me:p4ss-of-the-backend@host/state")
    main([failed(project, f"said {SECRET} and p4ss-of-the-backend"), "--stack", "dev"])
    assert "said [secret] and [secret]" in capsys.readouterr().out


def test_secrets_of_a_state_that_only_the_cli_reads_are_not_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sign = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    value, log = ({**sign, "plaintext": json.dumps(text)} for text in ([SECRET], "no database"))
    state = {"deployment": {"resources": [{"outputs": {"value": value, "containerLogs": log}}]}}
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    monkeypatch.setattr(
        "tooling.preview_report.hidden.exported", lambda *_, **options: state if options["show_secrets"] else {}
    )
    main([failed(project, f"no database, said {SECRET}"), "--stack", "dev"])
    assert "no database, said [secret]" in capsys.readouterr().out


def test_secrets_of_a_configuration_that_only_the_cli_opens_are_not_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "stacks/Pulumi.dev.yaml").write_text("environment: [prod]\n")
    told = {"open-webui:oidc": json.dumps({"clientSecret": SECRET}), "open-webui:uiPort": "no database"}
    monkeypatch.setattr("tooling.preview_report.hidden.configuration", lambda *_: (told, {"open-webui:oidc"}))
    monkeypatch.setattr("tooling.preview_report.hidden.exported", lambda *_, **__: {})
    main([failed(project, f"no database, said {SECRET}"), "--stack", "dev"])
    assert "no database, said [secret]" in capsys.readouterr().out


@pytest.mark.parametrize("declared", [True, False])
def test_why_a_preview_failed_is_told_where_it_was_made_without_the_stacks_secrets(
    project: Path, capsys: pytest.CaptureFixture[str], *, declared: bool
) -> None:
    (project / "stacks/Pulumi.dev.yaml").write_text("encryptionsalt: v1:AAAAAAAAAAA=:v1:nobody:knows\n")
    said = [{"severity": "error", "message": "uiPort is too high"}]
    (project / "preview.json").write_text(json.dumps({"steps": [], "diagnostics": said, "declared": declared}))
    main(["preview.json", "--stack", "dev"])
    assert ("uiPort is too high" in capsys.readouterr().out) is declared


def test_another_docker_host_is_told_without_the_jobs_secrets_where_those_of_the_stack_are_not_known(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "stacks/Pulumi.dev.yaml").write_text("encryptionsalt: v1:AAAAAAAAAAA=:v1:nobody:knows\n")
    monkeypatch.setenv("GH_TOKEN", SECRET)
    main([failed(project, f"stack dev lives on another Docker host, {SECRET}"), "--stack", "dev"])
    assert "lives on another Docker host, [secret]" in capsys.readouterr().out


def test_a_secret_of_the_job_within_one_of_the_stack_leaves_nothing_of_that(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GH_TOKEN", SECRET)
    monkeypatch.setattr("tooling.preview_report.hidden.secrets_of_stack", lambda _: {f"before-{SECRET}-behind"})
    main([failed(project, f"said before-{SECRET}-behind"), "--stack", "dev"])
    assert "said [secret]" in capsys.readouterr().out


def test_what_is_no_preview_is_not_repeated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "preview.json").write_text(f"error: {SECRET}")
    assert main(["preview.json"]) == 1
    assert SECRET not in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere.json"]) == 1
    assert "nowhere.json: No such file" in capsys.readouterr().err
