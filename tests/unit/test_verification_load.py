"""Limits on answers grow with how busy the host is: a slow machine is no broken deployment."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from docker_access import daemon
from verification.ask import docker_view, valkey_client
from verification.ask.docker_view import DockerView
from verification.inside import load

NO_ANSWERS = {
    "DECOY_SECONDS", "KEY_SECONDS", "PAUSE_SECONDS", "STALE_SECONDS",
}  # fmt: skip
"""Of the programs inside containers: not how long an answer may take."""


@pytest.mark.parametrize(
    ("text", "cpus", "times"),
    [
        ("0.10 0.20 0.30 1/300 4242\n", 2, 1.0),
        ("7.00 3.00 1.00 2/300 4242\n", 2, 3.5),
        ("0.10 0.20 0.30 6/300 4242\n", 2, 3.0),
        ("64.0 0.20 0.30 6/300 4242\n", 2, 4.0),
        ("64.0 0.20 0.30 6/300 4242\n", 64, 1.0),
        ("words", 2, 1.0),
    ],
)
def test_a_limit_grows_by_how_many_share_a_cpu(
    text: str, cpus: int, times: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "loadavg"
    file.write_text(text, encoding="ascii")
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    seen = load.load(str(file))
    monkeypatch.setattr(load, "load", lambda: seen)

    assert load.stretch(*seen) == times
    assert load.on_busy_host(2.0) == 2.0 * times


def test_it_does_not_where_no_load_can_be_read(tmp_path: Path) -> None:
    assert load.load(str(tmp_path / "none"))[0] == 0.0


def test_every_limit_on_an_answer_inside_a_container_grows() -> None:
    texts = [file.read_text(encoding="utf-8") for file in Path(load.__file__).parent.glob("*.py")]
    limits = [found for text in texts for found in re.findall(r"^(\w+_SECONDS): Final = (.*)", text, re.MULTILINE)]

    assert {name for name, value in limits if "STRETCH" not in value} == NO_ANSWERS


def test_the_shell_that_asks_valkey_knows_a_limit_that_grows() -> None:
    def limit(shell: str) -> str:
        return subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout

    assert 5 <= int(limit(f"{valkey_client.LIMIT} echo $t")) <= 20
    assert limit(f"grep() {{ echo 2; }}; read() {{ l=7.5; }}; {valkey_client.LIMIT} echo $t") == "17\n"
    assert limit(f"grep() {{ echo 2; }}; read() {{ l=70.5; }}; {valkey_client.LIMIT} echo $t") == "20\n"
    assert limit(f"grep() {{ return 1; }}; read() {{ return 1; }}; {valkey_client.LIMIT} echo $t") == "5\n"


@pytest.mark.parametrize(("kind", "seconds"), [("local", 6.0), ("ssh", 8.0), ("tcp", 8.0)])
def test_a_command_in_a_container_is_given_longer_by_this_hosts_load_and_the_longest_on_another_host(
    kind: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def end_at_once(_call: object, limit: float) -> None:
        given.append(limit)
        raise TimeoutError

    monkeypatch.setattr(docker_view, "bounded", end_at_once)
    monkeypatch.setattr(daemon, "kind", lambda: kind)
    monkeypatch.setattr(load, "stretch", lambda *_: 3.0)
    view = DockerView.__new__(DockerView)

    assert view.execute("app", ["true"], seconds=2.0).problem == "timeout"
    assert given == [seconds]
