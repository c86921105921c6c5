"""The report: its shape, its words, and what never gets into it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.unit.test_verification_checks import app, behind_gateway, container, evidence, probe, probed, valkey
from verification.__main__ import main, progress_on
from verification.checks import CHECKS, judge
from verification.evidence import Evidence
from verification.evidence.container import Container, Image
from verification.evidence.inside import Live
from verification.report.markdown import as_markdown, prose
from verification.report.terminal import Report, as_text, print_report, redact, report


def reported(found: Evidence) -> Report:
    return report(found, judge(found), 0.9)


def test_it_has_the_promised_shape_and_is_json() -> None:
    made = json.loads(json.dumps(reported(evidence())))

    assert made["verdict"] == "proved"
    assert set(made) == {
        "verdict", "summary", "checks", "apps", "valkey", "open_webui_version", "valkey_version", "images", "busy",
        "seconds", "asked_at",
    }  # fmt: skip
    assert all(
        set(row) == {"id", "question", "class", "status", "cause", "evidence", "fix", "seconds"}
        for row in made["checks"]
    )
    assert {row["class"] for row in made["checks"]} <= {"must", "should", "unknown"}
    assert {row["status"] for row in made["checks"]} <= {"passed", "failed", "unknown"}
    assert (made["apps"], made["valkey"]) == (["open-webui"], "redis-valkey")
    assert (made["open_webui_version"], made["valkey_version"]) == ("0.12.4", "8.0.1")


def test_it_says_how_much_longer_an_answer_may_take_on_a_busy_host() -> None:
    def under(load: tuple[float, int]) -> str:
        return as_text(reported(evidence(apps=(app(probe=probe(load=load)),))))

    assert "busy (load 7.0 on 2 CPUs): an answer may take 3.5 times as long" in under((7.0, 2))
    assert "load 90.0 on 2 CPUs): an answer may take 4.0 times as long" in under((90.0, 2))
    assert "busy" not in under((2.0, 2))
    assert "busy" not in as_text({**reported(evidence()), "busy": ""})


def test_its_first_lines_name_every_local_build_and_who_runs_it() -> None:
    def run_from(name: str, origin: str) -> Container:
        image = Image(reference="chat:1", id="sha256:1", version="1", origin=origin)
        return replace(container(name, "172.20.0.3"), image=image)

    built, pulled = "built locally from PyPI, not as the official image in python (docs/images.md)", "not built here"
    apps = tuple(app(container=run_from(name, built)) for name in ("app-1", "app-2"))
    made = reported(evidence(apps=(*apps, app(container=run_from("app-3", pulled)))))
    line = f"app-1, app-2: chat:1 is {built}"
    assert as_text(made).splitlines()[0] == line
    assert as_markdown(made).splitlines()[2] == f"> {line}"
    assert "built" not in as_text(reported(evidence(apps=(app(container=run_from("app-3", pulled)),))))


def test_it_says_in_words_that_it_is_proved() -> None:
    live = replace(probe().live, sent_milliseconds=2.6)
    assert reported(probed(live=live))["summary"] == (
        "proved: live events through Valkey are sent and received by each of 1 replica, in 0.7 ms"
    )


def test_the_last_line_says_where_the_url_was_asked_when_not_from_here() -> None:
    found = reported(behind_gateway(url_asked="from inside app, at 172.20.0.3:80: out of reach"))
    row = next(row for row in found["checks"] if row["id"] == "front-door")
    assert "websocket opens at https://chat.test, asked from inside app, at 172.20.0.3:80: out" in row["evidence"]
    assert found["summary"].endswith("; the URL was asked from inside a container, not from here")


def test_it_claims_no_sending_that_was_not_seen() -> None:
    assert reported(evidence())["summary"] == (
        "proved: live events through Valkey are received by each of 1 replica, in 0.7 ms; "
        "whether they are sent was not seen"
    )


def test_it_says_the_root_first() -> None:
    found = probed(environment={}, live=Live(connected=True, attempts=3))

    assert reported(found)["summary"].startswith("failed: manager-not-redis: WEBSOCKET_MANAGER is not set")


def test_images_tell_where_they_came_from() -> None:
    image = Image(reference="image:1", id="sha256:1", version="1", origin="built locally from PyPI")
    found = evidence(apps=(app(container=replace(container("open-webui", "172.20.0.3"), image=image)),))

    assert reported(found)["images"] == {
        "open-webui": {
            "reference": "image:1",
            "id": "sha256:1",
            "version": "1",
            "origin": "built locally from PyPI",
        }
    }


def test_failures_are_opened_out_and_the_verdict_comes_last() -> None:
    broken = replace(container("open-webui", "", Status="exited", ExitCode=3), log_tail=("the last words",))

    text = as_text(reported(evidence(apps=(app(container=broken),))))

    assert "✗ containers-running" in text
    assert "  the last words" in text
    assert "  fix:  docker start open-webui" in text
    assert "  more: docs/troubleshooting.md#app-exited" in text
    assert text.splitlines()[-1].startswith("failed: app-exited")


def test_a_terminal_that_knows_ascii_only_gets_ascii_marks() -> None:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii", errors="strict", write_through=True), width=100)

    print_report(reported(evidence()), console)

    assert b"+ live-event" in raw.getvalue()


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" not in as_text(reported(evidence()))


SECRETS = {
    "WEBUI_SECRET_KEY": "k3y-of-the-app",
    "REDIS_URL": "redis://openwebui:p4ss-of-the-app@redis-valkey:6379/0",
    "REDISCLI_AUTH": "p4ss-of-valkey",
    "OPENAI_API_KEY": "sk-something",
    "OPENAI_API_KEYS": "sk-another-one;sk-the-last-one",
}
IN_FILES = frozenset({"p4ss-in-a-file"})


def with_secrets(name: str, *log: str) -> Container:
    base = container(name, "172.20.0.3", Status="exited", ExitCode=1)
    config = {
        "Env": [f"{variable}={value}" for variable, value in SECRETS.items()],
        "Cmd": ["valkey-server", "--requirepass", "p4ss-on-the-line"],
        "Image": "image:1",
    }
    return replace(base, inspect=base.inspect | {"Config": config}, log_tail=log)


@pytest.mark.parametrize(
    "secret",
    [
        "k3y-of-the-app", "p4ss-of-the-app", "p4ss-of-valkey", "sk-something", "sk-another-one", "sk-the-last-one",
        "p4ss-on-the-line", "p4ss-in-a-file",
    ],
)  # fmt: skip
def test_no_secret_of_any_container_gets_out(secret: str) -> None:
    found = evidence(
        apps=(app(container=with_secrets("open-webui", f"I was started with {secret}, alas")),),
        valkey=valkey(container=with_secrets("redis-valkey", f"{secret}")),
        expected={"redis-valkey": {"Config.Cmd": ["valkey-server", "--save", ""]}},
        secrets=IN_FILES,
    )

    made = reported(found)

    assert secret not in json.dumps(made)
    assert secret not in as_text(made)


def test_a_secret_that_is_a_container_s_name_as_well_leaves_the_name() -> None:
    found = evidence(apps=(app(container=with_secrets("open-webui", "died")),), secrets=frozenset({"open-webui"}))

    assert "open-webui" in as_text(reported(found))


def test_a_password_in_a_url_is_hidden_even_where_nobody_knew_it() -> None:
    assert redact("redis://user:hunter2@host:6379/1 failed", frozenset()) == "redis://user:***@host:6379/1 failed"
    assert redact("redis://:hunter2@host:6379/1 failed", frozenset()) == "redis://:***@host:6379/1 failed"


def test_ordinary_words_are_not_taken_for_secrets() -> None:
    base = container("open-webui", "172.20.0.3")
    config = {"Env": ["WEBUI_AUTH=true", "API_KEY=", "REDIS_KEY_PREFIX=open-webui"], "Image": "image:1"}
    found = evidence(apps=(app(container=replace(base, inspect=base.inspect | {"Config": config})),))

    assert "***" not in json.dumps(reported(found))


def test_the_fix_for_a_password_keeps_its_placeholder() -> None:
    refused = {
        name: replace(connection, problem="auth", error="WRONGPASS") for name, connection in probe().connections.items()
    }
    row = next(row for row in reported(probed(connections=refused))["checks"] if row["id"] == "connect")

    assert (
        row["fix"] == "set WEBSOCKET_REDIS_URL=redis://:PASSWORD@redis-valkey:6379/1 in the environment of open-webui"
    )


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "code"), [("proved", 0), ("failed", 1), ("unknown", 2)])
def test_the_exit_code_tells_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verdict: Any, code: int
) -> None:
    made = reported(evidence())
    made["verdict"] = verdict
    monkeypatch.setattr("verification.__main__.verify", lambda _subject, _progress, **_: made)

    assert main(["--app", "open-webui", "--valkey", "redis-valkey", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["verdict"] == verdict


@pytest.mark.parametrize(
    "arguments", [["--valkey", "v", "--valkey-elsewhere"], ["--json", "--markdown"], ["--timeout", "soon"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2


@pytest.mark.parametrize(("text", "near"), [("live-evnt", "did you mean live-event"), ("nonsense", "--list shows all")])
def test_a_check_that_does_not_exist_exits_with_2_and_names_the_nearest(
    capsys: pytest.CaptureFixture[str], text: str, near: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--app", "a", "--valkey", "v", "--only", text])

    assert stopped.value.code == 2
    assert near in capsys.readouterr().err


def test_the_checks_are_listed_with_class_and_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [check.id for check in CHECKS]
    assert "health              must    Is GET /health 200?" in lines


def test_the_checks_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--json"]) == 0

    listed = json.loads(capsys.readouterr().out)
    assert {"id": "health", "class": "must", "question": "Is GET /health 200?"} in listed
    assert len(listed) == len(CHECKS)


# --- one check alone --------------------------------------------------------------------------------------------------


def only(found: Evidence, *ids: str) -> Report:
    return report(found, judge(found, ids), 0.9)


def test_a_check_asked_for_by_name_is_judged_alone() -> None:
    broken = probed(environment={}, live=Live(connected=True, attempts=3))

    assert (only(broken, "health")["verdict"], len(only(broken, "health")["checks"])) == ("proved", 1)
    assert only(broken, "health")["summary"] == "proved, as far as was asked: health"
    assert only(broken, "health", "live-event")["verdict"] == "failed"


def test_a_check_asked_for_by_name_counts_even_if_it_is_only_advice() -> None:
    silent = evidence(apps=(app(log_line=False),))

    assert (reported(silent)["verdict"], only(silent, "log-line")["verdict"]) == ("proved", "unknown")


def test_a_check_asked_for_by_name_that_does_not_apply_is_not_proved() -> None:
    alone = only(evidence(), "replicas-agree")

    assert alone["verdict"] == "unknown"
    assert alone["summary"] == "unknown: one-replica: one replica"


# --- for people -------------------------------------------------------------------------------------------------------


def row(check: str, **changes: Any) -> dict[str, Any]:
    sound = {"question": "Is it well?", "class": "must", "status": "passed", "cause": "", "evidence": "it is well"}
    return {"id": check, **sound, "fix": "", "seconds": 0.0} | changes


ALL_KINDS = Report(
    verdict="failed",
    summary="failed: valkey-auth-refused: redis://app:***@redis:6379/1: WRONGPASS <invalid> *username-password* pair",
    checks=[
        row("containers-running", question="Do all containers run, healthy?", seconds=0.012),
        row("migration", **{"class": "unknown"}, status="unknown", cause="not-expected", evidence="none is expected"),
        row(
            "connect",
            question="Does the app's WEBSOCKET_REDIS_URL connect?",
            status="failed",
            cause="valkey-auth-refused",
            evidence="redis://app:***@redis:6379/1: WRONGPASS <invalid> *username-password* pair | a pipe\n"
            "  ``` the last line of the log",
            fix="set WEBSOCKET_REDIS_URL=redis://:PASSWORD@redis:6379/1 in the environment of open-webui",
            seconds=1.26,
        ),
        row("live-event", question="Does an event through Valkey reach a client of each replica?", seconds=0.08),
        row("log-line", **{"class": "should"}, status="failed", cause="not-in-log", evidence="open-webui: not in it"),
    ],
    apps=["open-webui"],
    valkey="redis",
    open_webui_version="0.12.4",
    valkey_version="8.0.1",
    images={"redis": {"reference": "image:1", "id": "sha256:1", "version": "8.0.1", "origin": "pulled"}},
    seconds=1.31,
    asked_at="2026-11-23T11:00:00Z",
)
"""One check of each kind, and every character that could break out of its place."""

GOLDEN = Path(__file__).parent / "golden"


def table(width: int) -> str:
    sink = io.StringIO()
    print_report(ALL_KINDS, Console(file=sink, width=width, color_system=None, legacy_windows=False))
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines())


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("report.md", as_markdown(ALL_KINDS)),
        ("report-120.txt", as_text(ALL_KINDS)),
        ("report-60.txt", table(60)),
    ],
)
def test_the_report_is_the_one_a_person_has_approved(file: str, made: str) -> None:
    """To approve another: look at it, then write it there."""
    assert made == (GOLDEN / file).read_text(encoding="utf-8").rstrip("\n")


def test_a_wide_terminal_keeps_what_took_how_long_beside_what_was_asked() -> None:
    assert max(map(len, table(300).split("\nconnect: ")[0].splitlines())) == 120


@pytest.mark.parametrize("text", ["a ` b", "```", "mail@example.org", "see #12", "redis://u:***@host", "``@``"])
def test_nothing_in_prose_calls_somebody_or_leaves_its_code(text: str) -> None:
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", prose(text).replace("\\`", ""))

    assert not re.search(r"[@#`]", outside)


# --- what is waited for -----------------------------------------------------------------------------------------------


def test_what_is_waited_for_is_told_in_plain_lines_where_there_is_no_terminal() -> None:
    sink = io.StringIO()

    with progress_on(Console(file=sink)) as tell:
        tell("open-webui: starting, 4 s [health: starting]")

    assert sink.getvalue() == "open-webui: starting, 4 s [health: starting]\n"


def test_what_is_waited_for_leaves_nothing_behind_on_a_terminal() -> None:
    sink = io.StringIO()

    with progress_on(Console(file=sink, force_terminal=True, width=60)) as tell:
        tell("open-webui: starting, 4 s [health: starting]")

    assert "starting, 4 s [health: starting]" in sink.getvalue()
    assert sink.getvalue().endswith("\x1b[2K")
