"""A project driven by the embedded engine and the Pulumi CLI in turn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, latest_of
from tooling.pulumi_files.values import SECRET, SIGNATURE, map_items

ROOT = Path(__file__).resolve().parents[2]
Plan = dict[str, list[str]]
"""Operations by URN, those on one resource in their order."""
Outcome = dict[str, list[dict[str, Any]]]
"""Records by URN."""
OF_THE_RUN = ("created", "modified", "sourcePosition", "stackTrace")
"""What two runs that do the same record otherwise."""


def plan_of(document: Mapping[str, Any]) -> Plan:
    """The plan that ``preview --json`` of either engine shows; looking at the real resources is no part of it."""
    plan: Plan = {}
    for step in document["steps"]:
        hidden = step["op"] == "refresh" or "::pulumi:providers:" in step["urn"]
        if not hidden:
            plan.setdefault(step["urn"].split("::", 2)[2], []).append(step["op"])
    for ops in plan.values():
        if "replace" in ops and "delete" in ops:
            # So the CLI calls the deletion of an old one that goes early, with another that is replaced.
            ops[ops.index("delete")] = "delete-replaced"
    return dict(sorted(plan.items()))


def outcome_of(document: Mapping[str, Any]) -> Outcome:
    """What a state file's document says of each resource, but for times, ids of providers and what secrets are."""
    outcome: Outcome = {}
    for resource in latest_of(document).get("resources", []):
        said = {key: value for key, value in resource.items() if value and key not in OF_THE_RUN}
        said["provider"] = said.get("provider", "").rpartition("::")[0]
        if said["type"].startswith(PROVIDER_PREFIX):
            del said["id"]
        by_property = said.get("propertyDependencies", {})
        said["propertyDependencies"] = {key: sorted(urns) for key, urns in by_property.items() if urns}
        said["dependencies"] = sorted(said.get("dependencies", []))
        outcome.setdefault(said.pop("urn"), []).append(_veiled(said))
    return dict(sorted(outcome.items()))


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What the embedded engine and the CLI have of each URN for which it is not the same."""
    urns = sorted(ours.keys() | theirs.keys())
    return {urn: (ours.get(urn), theirs.get(urn)) for urn in urns if ours.get(urn) != theirs.get(urn)}


def _veiled(value: Any) -> Any:
    if isinstance(value, dict) and value.get(SIGNATURE) == SECRET:
        return "[sealed]"
    return map_items(value, _veiled)


class Project:
    """A stack of a project in a directory of its own, driven by either engine.

    Args:
        directory: The project's.
        files: The project's files, by their path in it; none leaves the project as it is.
        name: The project's name.
        stack: The stack's name; its file is made, empty, with the others.
        environment: Names the backend and the passphrase to both engines; without it both are the project's own.
    """

    def __init__(
        self,
        directory: Path,
        files: Mapping[str, str],
        *,
        name: str = "handover",
        stack: str = "dev",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.name = name
        self.stack = stack
        own = {"PULUMI_BACKEND_URL": f"file://{directory}/.pulumi-state", "PULUMI_CONFIG_PASSPHRASE": "pass"}
        self.environment = {
            **os.environ,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **({**own, "PYTHONPATH": str(ROOT)} if environment is None else environment),
        }
        if files:
            self.write({**files, f"stacks/Pulumi.{stack}.yaml": ""})
            (directory / ".pulumi-state").mkdir()

    @property
    def state(self) -> Path:
        """The stack's state file."""
        return self.directory / f".pulumi-state/.pulumi/stacks/{self.name}/{self.stack}.json"

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the project, by their path in it."""
        for path, text in files.items():
            (self.directory / path).parent.mkdir(exist_ok=True)
            (self.directory / path).write_text(text)

    def run(self, *command: str, fails: bool = False, given: str = "") -> str:
        """Run a command that must succeed, or fail; what it printed, with its errors where it fails."""
        done = subprocess.run(
            command, cwd=self.directory, env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout if not fails else done.stdout + done.stderr

    def embedded(self, *command: str, fails: bool = False) -> str:
        return self.run(sys.executable, "-m", "tooling.engine", *command, "--stack", self.stack, fails=fails)

    def pulumi(self, *command: str, fails: bool = False, given: str = "") -> str:
        return self.run("pulumi", *command, "--stack", self.stack, "--non-interactive", fails=fails, given=given)

    def up(self, engine: str) -> None:
        """Have an engine, ``embedded`` or ``pulumi``, carry out what the program says."""
        if engine == "embedded":
            self.embedded("up")
        else:
            self.pulumi("up", "--yes", "--skip-preview")

    def outcomes(self, engine: str) -> tuple[Outcome, Outcome]:
        """What the embedded engine and the CLI make of the program, from the same state; that of ``engine`` stays."""
        before = self.state.read_bytes()
        found = {}
        for one in sorted(["embedded", "pulumi"], key=engine.__eq__):
            self.state.write_bytes(before)
            self.state.with_name(self.state.name + ".attrs").unlink(missing_ok=True)  # The CLI's checksum.
            self.up(one)
            found[one] = outcome_of(json.loads(self.state.read_bytes()))
        return found["embedded"], found["pulumi"]

    def plans(self) -> tuple[Plan, Plan]:
        """What the embedded engine and the CLI plan, asked at the same time: a preview takes no lock."""
        with ThreadPoolExecutor() as pool:
            ours = pool.submit(self.embedded, "preview", "--json")
            theirs = pool.submit(self.pulumi, "preview", "--json", "--show-sames", "--show-replacement-steps")
            return plan_of(json.loads(ours.result())), plan_of(json.loads(theirs.result()))

    def other_sees_no_change(self, engine: str) -> None:
        """Fail unless the engine that did not carry out the update expects no change, looking at what is or not."""
        if engine == "embedded":
            with ThreadPoolExecutor() as pool:
                options = ["--refresh=true", "--refresh=false"]
                list(pool.map(lambda option: self.pulumi("preview", "--expect-no-changes", option), options))
            return
        self.embedded("preview", "--expect-no-changes")
        file = self.directory / "Pulumi.yaml"
        text = file.read_text()
        file.write_text(re.sub(r"\noptions:\s*\{?refresh: always\}?", "\noptions: {}", text))
        assert file.read_text() != text
        try:
            self.embedded("preview", "--expect-no-changes")
        finally:
            file.write_text(text)
