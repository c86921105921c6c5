"""Every kind of change, planned by both engines before either carries it out. Needs the Pulumi CLI."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.listed_program import FILES, Spec, group, of, prefixed, thing
from tests.engine.two_engines import Project, differences

pytestmark = [pytest.mark.pulumi_cli, pytest.mark.chained]

# One entry a kind of change: the resources before it, and after it. They have nothing to do with one another.
KINDS: dict[str, tuple[list[Spec], list[Spec]]] = {
    "nothing": ([thing("a")], [thing("a")]),
    "update": ([thing("a", size=1), thing("b", size=of("a"))], [thing("a", size=2), thing("b", size=of("a"))]),
    "added and removed": ([thing("a"), thing("b", size=of("a"))], [thing("c"), thing("d", size=of("c"))]),
    "a component removed": (
        [group("a"), thing("b", {"parent": "a"}), group("c", {"parent": "a"}), thing("d", {"parent": "c"})],
        [],
    ),
    "made before the old one goes": (
        [
            thing("a", fixed="x"),
            thing("b", size=of("a")),
            thing("c", fixed=of("a")),
            thing("d", size=of("c")),
            thing("e", {"depends_on": ["a"]}),
        ],
        [
            thing("a", fixed="y"),
            thing("b", size=of("a")),
            thing("c", fixed=of("a")),
            thing("d", size=of("c")),
            thing("e", {"depends_on": ["a"]}),
        ],
    ),
    "made after the old one went, dependents with it": (
        [
            thing("a", {"delete_before_replace": True}, fixed="x"),
            thing("b", size=of("a")),
            thing("c", fixed=of("a")),
            thing("d", fixed=of("c")),
            thing("e", {"depends_on": ["a"]}),
            thing("f", {"depends_on": ["c"]}),
            group("g", {"depends_on": ["a"]}),
            thing("h", {"parent": "g"}),
        ],
        [
            thing("a", {"delete_before_replace": True}, fixed="y"),
            thing("b", size=of("a")),
            thing("c", fixed=of("a")),
            thing("d", fixed=of("c")),
            thing("e", {"depends_on": ["a"]}),
            thing("f", {"depends_on": ["c"]}),
            group("g", {"depends_on": ["a"]}),
            thing("h", {"parent": "g"}),
        ],
    ),
    "the provider wants the old one gone": (
        [thing("a", fixed="x", first=True), thing("b", {"delete_before_replace": False}, fixed=of("a"))],
        [thing("a", fixed="y", first=True), thing("b", {"delete_before_replace": False}, fixed=of("a"))],
    ),
    "the program does not": (
        [thing("a", {"delete_before_replace": False}, fixed="x", first=True), thing("b", fixed=of("a"))],
        [thing("a", {"delete_before_replace": False}, fixed="y", first=True), thing("b", fixed=of("a"))],
    ),
    "dependents that the program drops": (
        [thing("a", {"delete_before_replace": True}, fixed="x"), thing("b", fixed=of("a")), thing("c", size=of("a"))],
        [thing("a", {"delete_before_replace": True}, fixed="y")],
    ),
    "renamed": (
        [thing("a", fixed="same"), thing("b", size=of("a"))],
        [thing("c", {"aliases": [{"name": "a"}]}, fixed="same"), thing("b", size=of("c"))],
    ),
    "renamed without an alias": ([thing("a")], [thing("b")]),
    "renamed and changed": (
        [thing("a", fixed="same", size=1), thing("b", fixed="same2"), thing("d", fixed=of("b"))],
        [
            thing("c", {"aliases": [{"name": "a"}]}, fixed="same", size=2),
            thing("e", {"aliases": [{"name": "b"}], "delete_before_replace": True}, fixed="other"),
            thing("d", fixed=of("e")),
        ],
    ),
    "a component renamed": (
        [group("a"), thing("a-part", {"parent": "a"}, fixed="x"), thing("other", {"parent": "a"})],
        [
            group("b", {"aliases": [{"name": "a"}]}),
            thing("b-part", {"parent": "b"}, fixed="x"),
            thing("other", {"parent": "b"}),
        ],
    ),
    "moved into a component": (
        [thing("a"), group("g"), thing("b", {"parent": "g"})],
        [group("g"), thing("a", {"parent": "g", "aliases": [{"parent": None}]}), thing("b", {"parent": "g"})],
    ),
    "a component of another type": (
        [group("a"), thing("b", {"parent": "a"})],
        [
            group("a", {"aliases": [{"type_": "handover:index:Group"}]}, kind="Team"),
            thing("b", {"parent": "a"}),
        ],
    ),
    "a component's inputs": ([group("a", size=1)], [group("a", size=2)]),
    "deleted with": (
        [thing("a", fixed="x"), thing("b", {"deleted_with": "a"}), thing("c", size=1)],
        [thing("a", fixed="y"), thing("b", {"deleted_with": "a"}), thing("c", size=1)],
    ),
    "deleted with, the old one first": (
        [thing("a", {"delete_before_replace": True}, fixed="x"), thing("b", {"deleted_with": "a"})],
        [thing("a", {"delete_before_replace": True}, fixed="y"), thing("b", {"deleted_with": "a"})],
    ),
    "both deleted with one another's": ([thing("a"), thing("b", {"deleted_with": "a"})], []),
    "replaced with": (
        [thing("a", fixed="x"), thing("b", {"replace_with": ["a"]}), thing("c", fixed=of("b"))],
        [thing("a", fixed="y"), thing("b", {"replace_with": ["a"]}), thing("c", fixed=of("b"))],
    ),
    "replaced with, the old one first": (
        [thing("a", {"delete_before_replace": True}, fixed="x"), thing("b", {"replace_with": ["a"]})],
        [thing("a", {"delete_before_replace": True}, fixed="y"), thing("b", {"replace_with": ["a"]})],
    ),
    "ignored": (
        [thing("a", {"ignore_changes": ["size"]}, size=1, labels={"x": 1})],
        [thing("a", {"ignore_changes": ["size", "labels.x"]}, size=2, labels={"x": 2})],
    ),
    "ignored and replaced": (
        [thing("a", {"ignore_changes": ["size"]}, size=1, fixed="x")],
        [thing("a", {"ignore_changes": ["size"]}, size=2, fixed="y")],
    ),
    "replaced on changes": (
        [thing("a", {"replace_on_changes": ["size"]}, size=1), thing("b", {"replace_on_changes": ["*"]}, size=1)],
        [thing("a", {"replace_on_changes": ["size"]}, size=2), thing("b", {"replace_on_changes": ["*"]}, size=2)],
    ),
    "retained": (
        [thing("a", {"retain_on_delete": True}), thing("b", {"retain_on_delete": True}, fixed="x")],
        [thing("b", {"retain_on_delete": True}, fixed="y")],
    ),
    "protected": ([thing("a"), thing("b", {"protect": True})], [thing("a", {"protect": True}), thing("b")]),
    "secrets": (
        [
            thing("a", size={"secret": "one"}),
            thing("b", size="plain"),
            thing("c", {"additional_secret_outputs": ["computed"]}),
            thing("d", size=of("c", "computed")),
        ],
        [
            thing("a", size={"secret": "two"}),
            thing("b", size={"secret": "plain"}),
            thing("c"),
            thing("d", size=of("c", "computed")),
        ],
    ),
    "dependencies only": ([thing("a"), thing("b")], [thing("a"), thing("b", {"depends_on": ["a"]})]),
    "time limits only": ([thing("a")], [thing("a", {"custom_timeouts": {"create": "5m"}})]),
    "an input added and one removed": ([thing("a", x=1)], [thing("a", y=1)]),
}
NEWER = {"deleted with": (3, 260), "deleted with, the old one first": (3, 260)}
"""Kinds that an older CLI plans otherwise: https://github.com/pulumi/pulumi/pull/23818."""


def program(number: int) -> str:
    """All kinds of change in one program, each kind's names with a prefix of its own."""
    said = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    specs = []
    for prefix, kind in enumerate(KINDS):
        if version < NEWER.get(kind, version):
            continue
        names = {name for name, _, _ in KINDS[kind][0] + KINDS[kind][1]}
        specs += [prefixed(spec, f"k{prefix}-", names) for spec in KINDS[kind][number]]
    return json.dumps(specs)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("handover"), FILES)
    project.up("embedded")
    return project


def test_both_engines_plan_every_kind_of_change_alike_and_carry_each_other_out(tmp_path: Path) -> None:
    project = Project(tmp_path, {**FILES, "program.json": program(0)})
    project.up("embedded")
    for number, engine in ((1, "embedded"), (0, "pulumi")):
        project.write({"program.json": program(number)})
        for ours, theirs in (project.plans(), project.outcomes(engine)):
            assert not differences(ours, theirs), engine
        project.other_sees_no_change(engine)


@pytest.mark.parametrize("engine", ["embedded", "pulumi"])
def test_an_update_that_failed_is_continued_by_the_other_engine(project: Project, engine: str) -> None:
    def specs(size: int, fail: str) -> str:
        broken: dict[str, Any] = {"fail": fail} if fail else {}
        made = [thing("a"), thing("b", fixed="x", **broken), thing("c", fixed=of("b")), thing("d", size=size)]
        return json.dumps([*made, thing("e", {"delete_before_replace": True}, fixed=size, **broken)])

    other = {"embedded": "pulumi", "pulumi": "embedded"}[engine]
    project.write({"program.json": specs(1, "")})
    project.up(other)
    project.write({"program.json": specs(2, "no room; free some.")})
    command = ["up"] if engine == "embedded" else ["up", "--yes", "--skip-preview"]
    assert "no room" in getattr(project, engine)(*command, fails=True)
    project.write({"program.json": specs(3, "")})
    ours, theirs = project.plans()
    assert ours == theirs
    project.up(other)
    project.other_sees_no_change(other)


def test_what_the_cli_does_to_the_state_alone_is_followed(project: Project) -> None:
    project.write({"program.json": json.dumps([thing("a"), thing("b", size=of("a")), thing("c"), thing("d")])})
    project.up("embedded")
    stack = "urn:pulumi:dev::handover::pulumi-python:dynamic/things:Thing::"
    project.pulumi("state", "taint", f"{stack}a", "--yes")
    project.pulumi("state", "delete", f"{stack}c", "--yes")
    project.pulumi("state", "rename", f"{stack}d", "renamed", "--yes")
    project.pulumi("state", "protect", f"{stack}b", "--yes")
    specs = [thing("a"), thing("b", size=of("a")), thing("c"), thing("renamed", fixed="d")]
    project.write({"program.json": json.dumps(specs)})
    ours, theirs = project.plans()
    assert ours == theirs
    assert {urn.rpartition("::")[2]: ops[-1] for urn, ops in ours.items()} == {
        "handover-dev": "same", "a": "delete-replaced", "b": "update", "c": "create", "renamed": "same",
    }  # fmt: skip
    project.up("embedded")
    project.other_sees_no_change("embedded")


def test_an_export_is_imported_and_both_engines_go_on(project: Project) -> None:
    project.write({"program.json": json.dumps([thing("a", size={"secret": "hush hush"}), thing("b", size=of("a"))])})
    project.up("embedded")
    for options in ([], ["--show-secrets"]):
        exported = project.pulumi("stack", "export", *options)
        assert ("hush hush" in exported) == bool(options)
        project.pulumi("stack", "import", given=exported)
        project.embedded("preview", "--expect-no-changes")
        project.up("embedded")
        project.pulumi("preview", "--expect-no-changes")
    assert "hush hush" not in project.state.read_text()


def test_a_renamed_stack_goes_on_under_its_new_name(project: Project) -> None:
    project.up("embedded")
    project.pulumi("stack", "rename", "test")
    assert "test" in project.run("pulumi", "stack", "ls", "--non-interactive")
    project.run(sys.executable, "-m", "tooling.engine", "preview", "--expect-no-changes", "--stack", "test")
    project.run("pulumi", "stack", "rename", "dev", "--stack", "test", "--non-interactive")
    project.embedded("preview", "--expect-no-changes")
