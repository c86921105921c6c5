"""Migrations at work: what is told of them, who waits for them, and who ends them (nobody)."""

from __future__ import annotations

import datetime as dt
import io
import queue
import tarfile
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import Mock

import pulumi
import pytest
from docker.errors import APIError, NotFound

from docker_access import labels, one_shots
from preflight import one_shots as preflight_one_shots
from tests.unit.test_launcher_backends import project  # noqa: F401 - a fixture
from tooling.errors import ToolError
from tooling.launcher import one_shots as waiting
from tooling.launcher import recovery
from tooling.pulumi_files.stack import find_stack

if TYPE_CHECKING:
    from tooling.pulumi_files.project import Project

STACK_LABELS: Final = {labels.PROJECT: "open-webui", labels.STACK: "team"}
NAME: Final = "open-webui-team-migration"
NOON: Final = dt.datetime(2026, 11, 30, 12, 0, 0, tzinfo=dt.UTC)
PASSWORD: Final = "correct-horse-battery"


def inspected(role: str = "migration", env: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "Id": "1",
        "Name": f"/{NAME}",
        "State": {"Running": True, "StartedAt": "2026-11-30T11:47:18.123456789Z"},
        "Config": {"Labels": {**STACK_LABELS, labels.ROLE: role}, "Env": list(env)},
    }


class Docker:
    """One container at work, for so many looks; its log, and a file of secrets in it."""

    def __init__(self, container: dict[str, Any], log: str = "", secret: str = "", looks: int = 10**9) -> None:
        self.api = self
        self.container, self.log, self.secret, self.looks = container, log, secret, looks
        self.ended: list[str] = []
        self.read: list[str] = []

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        self.looks -= 1
        listed = {"Id": "1", "Names": [f"/{NAME}"], "Labels": self.container["Config"]["Labels"]}
        return [listed] if self.looks >= 0 else []

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        return []

    def inspect_container(self, _id: str) -> dict[str, Any]:
        return self.container

    def logs(self, _id: str, **_: Any) -> bytes:
        return self.log.encode()

    def get_archive(self, _id: str, path: str) -> tuple[list[bytes], None]:
        self.read.append(path)
        buffer, content = io.BytesIO(), self.secret.encode()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(path.rpartition("/")[2])
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        return [buffer.getvalue()], None

    def stop(self, name: str) -> None:
        self.ended.append(f"stop {name}")

    def remove_container(self, name: str, **_: Any) -> None:
        self.ended.append(f"remove {name}")

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("now", "lasted"),
    [(NOON, "12 min 42 s"), (NOON - dt.timedelta(minutes=12), "42 s"), (NOON - dt.timedelta(1), "0 s")],
)
def test_progress_says_what_runs_since_when_and_what_its_log_said_last(now: dt.datetime, lasted: str) -> None:
    said = one_shots.progress(inspected(), "Running upgrade 3 -> 4", now)
    assert said == (
        f"{NAME} has been running for {lasted}, since 2026-11-30 11:47:18Z; its log says last: Running upgrade 3 -> 4"
    )


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("one\ntwo\n", "two"),
        ("one\n\n  \n", "one"),
        ("", ""),
        ("\x1b one\t two \n", "\x1b one two"),
        ("x" * 200, "x" * 160 + "..."),
    ],
)
def test_of_a_log_the_last_line_with_something_in_it_is_shown(log: str, line: str) -> None:
    assert one_shots.last_line(Docker(inspected(), log), "1") == line  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("env", "secret"),
    [((f"WEBUI_SECRET_KEY={PASSWORD}",), ""), ((), f"DATABASE_URL='postgresql://app:{PASSWORD}@db/app'")],
)
def test_no_secret_of_the_container_is_in_it(env: tuple[str, ...], secret: str) -> None:
    docker: Any = Docker(inspected(env=env), f"cannot connect with {PASSWORD}\n", secret)
    assert one_shots.current_progress(docker, docker.container).endswith("cannot connect with [secret]")


def test_a_log_whose_secrets_cannot_be_read_is_not_shown() -> None:
    docker: Any = Docker(inspected(), f"cannot connect with {PASSWORD}\n")
    docker.get_archive = Mock(side_effect=APIError("500 Server Error"))
    with pytest.raises(APIError):
        one_shots.current_progress(docker, docker.container)
    docker.get_archive = Mock(side_effect=NotFound("no such file"))
    assert one_shots.current_progress(docker, docker.container).endswith(PASSWORD)


@pytest.mark.parametrize(("role", "count"), [("migration", 1), ("postgres-setup", 1), ("open-webui", 0), ("files", 0)])
def test_what_serves_is_no_one_shot(role: str, count: int) -> None:
    docker: Any = Docker(inspected(role))
    assert len(list(one_shots.at_work(docker, STACK_LABELS))) == count


def test_make_waits_for_a_migration_that_a_gone_run_left_at_work(
    project: Project,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    docker: Any = Docker(inspected(), "upgrading\n", looks=3)
    waiting.await_one_shots(docker, find_stack(project, "team"))
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"waiting for {NAME}")
    assert "its log says last: upgrading" in said[1]
    assert said[-1] == "it has ended: going on"
    assert docker.ended == []


def test_at_a_terminal_it_tells_more_often(
    project: Project,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    told = {}
    for terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        waiting.await_one_shots(Docker(inspected(), "upgrading\n", looks=9), find_stack(project, "team"))  # type: ignore[arg-type]
        told[terminal] = capsys.readouterr().err.count("its log says last")
    assert told[False] == 1
    assert told[True] >= 3


def test_its_secrets_are_read_once_however_long_it_is_waited_for(
    project: Project,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    monkeypatch.setattr(waiting, "UNWATCHED_SECONDS", 0)
    docker: Any = Docker(inspected(), f"with {PASSWORD}\n", f"A_PASSWORD='{PASSWORD}'", looks=4)
    read = Mock(side_effect=docker.get_archive)
    docker.get_archive = read
    waiting.await_one_shots(docker, find_stack(project, "team"))
    assert capsys.readouterr().err.count("with [secret]") == 4
    assert read.call_count == len(one_shots.SECRET_FILES)


def test_where_none_is_at_work_nothing_is_said(project: Project, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    waiting.await_one_shots(Docker(inspected(), looks=0), find_stack(project, "team"))  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""


def test_one_of_a_run_that_is_at_work_is_left_to_that_run(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{project.directory}")
    monkeypatch.setattr(waiting, "held", lambda _: "process 7 of this machine")
    waiting.await_one_shots(Docker(inspected()), find_stack(project, "team"))  # type: ignore[arg-type]  # it would not end


def test_recovery_ends_no_migration() -> None:
    docker: Any = Docker(inspected(), "upgrading\n")
    with pytest.raises(ToolError, match=f"container {NAME} has been running .* upgrading.*docker wait {NAME}"):
        recovery._remove_container(docker, NAME)
    assert docker.ended == []


def test_an_update_beside_a_migration_at_work_is_refused_and_a_preview_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preflight.one_shots.api_client", lambda _: Docker(inspected(), "upgrading\n"))
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    preflight_one_shots.refuse_at_work(STACK_LABELS)
    assert len(warned) == 1
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    with pytest.raises(pulumi.RunError, match=r"nothing was changed:\n  container .* upgrading.*make up STACK=team"):
        preflight_one_shots.refuse_at_work(STACK_LABELS)


def test_what_tells_of_it_runs_in_the_programs_context_by_which_pulumi_knows_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: queue.Queue[str] = queue.Queue()
    engine = ContextVar("engine", default="none")
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    monkeypatch.setattr(preflight_one_shots, "_tell", lambda *_: told.put(engine.get()))
    token = engine.set("the program's")
    preflight_one_shots.tell_of_one_shots(STACK_LABELS)
    assert told.get(timeout=10) == "the program's"
    engine.reset(token)


def test_an_update_that_waits_for_its_own_migration_shows_its_log_in_passing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflight_one_shots.TELL_SECONDS <= 5
    docker = Docker(inspected(), "upgrading\n")
    monkeypatch.setattr("preflight.one_shots.api_client", lambda _: docker)
    waits = iter([False, False, True])
    over: Any = SimpleNamespace(wait=lambda _: next(waits))
    shown: list[tuple[str, bool]] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, *, ephemeral: shown.append((text, ephemeral)))
    preflight_one_shots._tell(STACK_LABELS, over)
    assert [(text.endswith("upgrading"), ephemeral) for text, ephemeral in shown] == [(True, True), (True, True)]
    assert docker.read == list(one_shots.SECRET_FILES), "the secrets are read once, however often its log is"
