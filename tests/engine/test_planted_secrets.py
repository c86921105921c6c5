"""Fifty secrets of every form are planted, everybody tells all of them, and none is in what is printed or kept."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

import pytest

from tests.engine.fakes import FakeProvider
from tests.engine.small_program import run_with
from tooling.engine.__main__ import main
from tooling.engine.provider import PartialFailure, ProviderError, State
from tooling.preview_report.__main__ import main as preview_report

pytestmark = pytest.mark.usefixtures("without_leftovers")
PROJECT = """\
name: web
runtime: python
stackConfigDir: stacks
options: {refresh: always}
"""
PROGRAM = """\
import json
from pathlib import Path
import pulumi

config = pulumi.Config()
planted = json.loads(Path("planted.json").read_text())


class Thing(pulumi.CustomResource):
    def __init__(self, name, props, opts=None):
        super().__init__("fake:index:Thing", name, {**props, "address": None}, opts)


Thing("a", {"name": "a", "set": [config.require_secret(key) for key in planted["config"]],
            "whole": config.require_secret_object("whole"), "one": config.require_secret_object("some")})
b = Thing("b", {"name": "b", **{key: pulumi.Output.secret(value) for key, value in planted["made"].items()}})
pulumi.export("all", pulumi.Output.secret(planted["made"]))
if planted["told"]:
    pulumi.log.warn(planted["told"])
    raise Exception(planted["told"])
"""


def new(ending: str = "") -> str:
    return f"pl4nted-{secrets.token_hex(8)}{ending}"


@dataclass
class Planted:
    """Secrets by how they are given to the stack; ``all`` is each of them, as somebody would tell it."""

    all: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = {f"key{number}": self.one("'\" $"[number % 4]) for number in range(12)}
        self.whole = {"token": self.one(), "deep": {"list": [self.one(), self.one()]}}
        self.some = {"clientSecret": self.one(), "apiKey": self.one()}
        items = [self.one() for _ in range(6)]
        variables = {name: self.one("'") for name in ("A_TOKEN", "B_PASSWORD", "C_API_KEY", "D_API_KEYS", "E_SECRET")}
        in_file = {f"VARIABLE_{number}": self.one(" '") for number in range(8)}
        keys = [self.one(), self.one(), self.one()]
        password = self.one("@")
        pem = secrets.token_hex(24)
        self.all.append(pem)
        self.made: dict[str, object] = {
            "list": items,
            "envs": [f"{name}={value}" for name, value in variables.items()],
            "uploads": [
                {"file": "/run/secrets/env", "content": "".join(f"{k}={quote(v)}\n" for k, v in in_file.items())},
                {"file": "/run/secrets/key.pem", "content": f"-----BEGIN KEY-----\n{pem}\n-----END KEY-----\n"},
            ],
            "keys": f"OPENAI_API_KEYS='{';'.join(keys)}'\nNAME=nobody\n",
            "url": f"postgresql://me:{password.replace('@', '%40')}@host:5432/d",
            "document": json.dumps({"a": [self.one(), {"b": self.one()}]}),
            "text": self.one(" with several words"),
            "named": {"password": self.one(), "tokens": [self.one(), self.one()]},
            "lines": f"first\n{self.one()}\n{self.one()}\n",
        }

    def one(self, ending: str = "") -> str:
        self.all.append(new(ending))
        return self.all[-1]

    @property
    def told(self) -> str:
        return "it does not work:\n" + "\n".join(f"  line {number}: {one}!" for number, one in enumerate(self.all))


@dataclass
class Stack:
    directory: Path
    planted: Planted
    provider: FakeProvider
    capture: pytest.CaptureFixture[str]
    seen: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, told: bool = False) -> int:
        """Run a command whose program tells all it knows, if asked to; keep what is printed."""
        words = self.planted.told if told else ""
        program = {"config": [*self.planted.config], "made": self.planted.made, "told": words}
        (self.directory / "planted.json").write_text(json.dumps(program))
        self.capture.readouterr()
        code = main([*arguments, "--cwd", str(self.directory)])
        printed = self.capture.readouterr()
        self.seen[f"{len(self.seen)} {' '.join(arguments)}"] = printed.out + printed.err
        self.output = printed.out
        return code

    def leaks(self) -> dict[str, list[str]]:
        """Where a secret is seen in what was printed and in all files of the state, and which."""
        kept = [path for path in (self.directory / ".pulumi-state").rglob("*") if path.is_file()]
        files = {str(path): path.read_text() for path in [*kept, self.directory / "stacks/Pulumi.dev.yaml"]}
        everywhere = {**self.seen, **files}
        found = {where: [one for one in self.planted.all if one in text] for where, text in everywhere.items()}
        return {where: those for where, those in found.items() if those}


@pytest.fixture
def stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> Stack:
    planted = Planted()
    planted.all.append(passphrase := new())
    run_with(lambda: provider, monkeypatch, passphrase)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.dev.yaml").write_text("")
    made = Stack(tmp_path, planted, provider, capsys)
    for key, value in planted.config.items():
        assert main(["config", "set", key, value, "--secret"]) == 0
    assert main(["config", "set", "whole", json.dumps(planted.whole), "--secret"]) == 0
    for key, value in planted.some.items():
        assert main(["config", "set", "--path", f"some.{key}", value, "--secret"]) == 0
    return made


def failing(error: Callable[[], Exception]) -> Callable[[], None]:
    def fail() -> None:
        raise error()

    return fail


def test_there_are_fifty() -> None:
    assert len(set(Planted().all)) >= 49


def test_none_is_printed_or_kept_when_all_goes_well(stack: Stack) -> None:
    assert stack.run("up") == 0
    assert stack.run("preview") == 0
    assert stack.run("stack", "output") == 0
    assert stack.leaks() == {}
    assert any("history" in path.name for path in (stack.directory / ".pulumi-state").rglob("*.json"))


@pytest.mark.parametrize("arguments", [("up",), ("preview",), ("preview", "--json")])
def test_none_is_told_by_a_program_that_fails_the_first_time(stack: Stack, arguments: tuple[str, ...]) -> None:
    assert stack.run(*arguments, told=True) == 1
    assert "it does not work" in stack.output
    assert stack.leaks() == {}


def test_none_is_told_by_a_program_that_fails(stack: Stack) -> None:
    assert stack.run("up", told=True) == 1
    assert "it does not work" in stack.output
    assert stack.run("up") == 0
    assert stack.run("up", told=True) == 1
    assert stack.leaks() == {}


def test_none_is_told_or_kept_of_a_resource_that_did_not_come_up(stack: Stack) -> None:
    state = State(id="b-9", inputs={"name": "b"}, outputs={"name": "b"})
    stack.provider.on["created b"] = failing(lambda: PartialFailure(stack.planted.told, state))
    assert stack.run("up") == 1
    assert "it does not work" in stack.output
    assert "initErrors" in (stack.directory / ".pulumi-state/.pulumi/stacks/web/dev.json").read_text()
    assert stack.leaks() == {}


def test_none_is_told_where_the_real_resources_cannot_be_read(stack: Stack) -> None:
    assert stack.run("up") == 0
    (first, *_) = stack.provider.world
    stack.provider.on[f"read {first}"] = failing(lambda: ProviderError(stack.planted.told))
    for arguments in (("up",), ("preview", "--json"), ("refresh",)):
        assert stack.run(*arguments) == 1
        assert "it does not work" in [*stack.seen.values()][-1]
    assert stack.leaks() == {}


@pytest.mark.parametrize("whose", ["the embedded engine", "another engine"])
def test_none_is_in_a_comment_on_a_pull_request(stack: Stack, whose: str) -> None:
    assert stack.run("up") == 0
    if whose == "the embedded engine":
        assert stack.run("preview", "--json", told=True) == 1
        text = stack.output
    else:
        said = [{"severity": "error", "message": stack.planted.told}]
        text = json.dumps({"steps": [], "diagnostics": said})
    (stack.directory / "preview.json").write_text(text)
    assert preview_report(["preview.json", "--stack", "dev"]) == 1
    stack.seen["comment"] = stack.capture.readouterr().out
    assert "it does not work" in stack.seen["comment"]
    assert stack.leaks() == {}


def test_what_cannot_be_searched_for_secrets_is_not_put_on_a_pull_request(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stack.run("up") == 0
    said = [{"severity": "error", "message": stack.planted.told}]
    (stack.directory / "preview.json").write_text(json.dumps({"steps": [], "diagnostics": said}))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    assert preview_report(["preview.json", "--stack", "dev"]) == 1
    stack.seen["comment"] = stack.capture.readouterr().out
    assert "The error is not repeated here" in stack.seen["comment"]
    assert stack.leaks() == {}
