"""What each resource option leaves in the state, as the Pulumi CLI leaves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_hand_over import PROJECT, THINGS
from tests.engine.two_engines import Project

pytestmark = pytest.mark.pulumi_cli
PROGRAM = """\
import pulumi
from pulumi import ResourceOptions as O
from things import Thing

size = pulumi.Config().require_int("size")


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("handover:index:Group", name, {"fixed": size, "free": size}, opts)
        Thing(f"{name}-child", {"name": name, "size": size}, O(parent=self))
        Thing(f"{name}-own", {"name": name, "size": size}, O(parent=self, retain_on_delete=False, protect=False))


first = Thing("first", {"name": "first", "size": size})
times = pulumi.CustomTimeouts(create="5m", update="90s")
group = Group("group", O(depends_on=[first]))
options = {
    "protect": O(protect=True),
    "unprotected": O(protect=False),
    "ignoring": O(ignore_changes=["size", "a.b[0].c"]),
    "retained": O(retain_on_delete=True),
    "not-retained": O(retain_on_delete=False),
    "deleted-first": O(delete_before_replace=True),
    "created-first": O(delete_before_replace=False),
    "timed": O(custom_timeouts=times),
    "secretive": O(additional_secret_outputs=["computed", "nothing"]),
    "replaced": O(replace_on_changes=["size", "*"]),
    "deleted-with": O(deleted_with=first),
    "replaced-with": O(replace_with=[first]),
    "dependent": O(depends_on=[group, first]),
    "renamed": O(aliases=[pulumi.Alias(name="old"), "urn:pulumi:dev::handover::x:y:z::w"]),
    "child": O(parent=first),
}
for name, opts in options.items():
    Thing(name, {"name": name, "size": size}, opts)
    Group(f"{name}-group", O.merge(opts, O(ignore_changes=["fixed"], version="1.2.3")))
pulumi.export("x", first.id)
"""
OWN = ("id", "provider", "created", "modified", "sourcePosition", "stackTrace")
"""What differs by nature between two runs."""


def recorded(project: Project) -> dict[str, Any]:
    """The state's resources by URN, in a form that two runs share."""
    found: dict[str, Any] = {}
    for resource in json.loads(project.state.read_text())["checkpoint"]["latest"]["resources"]:
        plain = {key: value for key, value in resource.items() if key not in OWN}
        for urns in [plain.get("dependencies", []), *plain.get("propertyDependencies", {}).values()]:
            urns.sort()  # The CLI writes them in no order.
        found[resource["urn"]] = json.loads(json.dumps(plain), object_hook=_without_ciphertext)
    return found


def _without_ciphertext(part: dict[str, Any]) -> dict[str, Any]:
    return {key: "..." if key == "ciphertext" else value for key, value in part.items()}


def test_every_option_is_recorded_as_the_cli_records_it(tmp_path: Path) -> None:
    files = {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM, "things.py": THINGS}
    for name in ("embedded", "pulumi"):
        (tmp_path / name).mkdir()
    embedded, pulumi = Project(tmp_path / "embedded", files), Project(tmp_path / "pulumi", files)
    pulumi.run("pulumi", "stack", "init", "dev")
    for size in ("1", "2"):
        for project in (embedded, pulumi):
            project.embedded("config", "set", "size", size)
        embedded.embedded("up")
        pulumi.pulumi("up", "--yes", "--skip-preview")
        ours, theirs = recorded(embedded), recorded(pulumi)
        assert ours.keys() == theirs.keys()
        for urn, resource in theirs.items():
            assert ours[urn] == resource, urn
