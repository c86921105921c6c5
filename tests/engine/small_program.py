"""A stack whose program is rewritten before each update, with a provider that notes how long it was given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.fakes import FakeProvider
from tooling.engine.__main__ import main
from tooling.engine.errors import only_the_cli
from tooling.engine.provider import Provider, State
from tooling.engine.providers import Providers
from tooling.pulumi_files.values import Properties

PROJECT = "name: web\nruntime: python\nstackConfigDir: stacks\noptions: {refresh: always}\n"
HEAD = """\
import pulumi
from pulumi import ResourceOptions as O


class Thing(pulumi.CustomResource):
    address: pulumi.Output[str]

    def __init__(self, name, props, opts=None):
        super().__init__("fake:index:Thing", name, {**props, "address": None}, opts)


def grow(args):
    return pulumi.ResourceTransformationResult({**args.props, "size": 7}, args.opts)


"""
BASE = 'base = Thing("base", {"name": "base"})\n'
OTHER = 'base = Thing("base", {"name": "other"})\n'
CLI_DOES = "the embedded engine does not do that, the Pulumi CLI does."


@dataclass
class Timed(FakeProvider):
    """Remembers how long it was given."""

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None) -> State:
        self.calls.append(f"create within {timeout_seconds}")
        return super().create(urn, inputs, timeout_seconds)

    def update(self, *arguments: Any) -> Properties:
        self.calls.append(f"update within {arguments[-1]}")
        return super().update(*arguments)


class World:
    """A stack whose program is rewritten before each update."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.provider = Timed()
        self._capsys = capsys
        (directory / "stacks").mkdir()
        (directory / "stacks/Pulumi.dev.yaml").write_text("")
        (directory / "Pulumi.yaml").write_text(PROJECT)

    def up(self, program: str, *, fails: bool = False) -> str:
        """What an update says; ``calls`` are then those of this update."""
        (self.directory / "__main__.py").write_text(HEAD + program)
        self.provider.calls.clear()
        code = main(["up", "--cwd", str(self.directory)])
        said = self._capsys.readouterr()
        assert (code != 0) == fails, said.out + said.err
        return said.out + said.err

    def refuses(self, program: str) -> str:
        """What a preview and an update say, which is the same; nothing but the rest of the program was made."""
        (self.directory / "__main__.py").write_text(HEAD + BASE + program + "\n")
        assert main(["preview", "--cwd", str(self.directory)]) == 1
        previewed = self._capsys.readouterr().out
        said = self.up(BASE + program + "\n", fails=True)
        assert CLI_DOES in previewed
        return said

    def did(self) -> list[str]:
        return [call for call in self.provider.calls if not call.startswith(("read", "created", "deleted", "create w"))]

    def state(self, name: str) -> dict[str, Any]:
        document = json.loads((self.directory / ".pulumi-state/.pulumi/stacks/web/dev.json").read_text())
        found = [r for r in document["checkpoint"]["latest"]["resources"] if r["urn"].endswith(f"::{name}")]
        resource: dict[str, Any] = found[0]
        return resource


def run_with(provider: Callable[[], FakeProvider], monkeypatch: pytest.MonkeyPatch, passphrase: str = "pass") -> None:
    """Have every run ask the provider this gives and no other, under a passphrase whose key is derived at once."""

    def make(_: Providers, package: str) -> Provider:
        if package == "fake":
            return provider()
        raise only_the_cli(f"the provider {package!r}")

    monkeypatch.setattr(Providers, "_make", make)
    monkeypatch.setattr("tooling.pulumi_files.secrets._ROUNDS", 10)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", passphrase)
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
