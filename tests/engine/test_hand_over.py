"""One stack, two engines: what one leaves, the other continues. Needs the Pulumi CLI."""

from __future__ import annotations

import json
import sys

import pytest

from tests.engine.two_engines import Project

pytestmark = [pytest.mark.pulumi_cli, pytest.mark.chained]
PROJECT = f"""\
name: handover
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
stackConfigDir: stacks
options: {{refresh: always}}
config:
  size: {{type: integer, default: 1}}
  mode: {{type: string, default: "on"}}
  list: {{type: array, items: {{type: integer}}, default: [1, 2]}}
  third: {{type: boolean, default: false}}
  name: {{type: string, default: a}}
"""
THINGS = """\
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult(f"id-{props['name']}", {**props, "computed": f"<{props['size']}>"})

    def diff(self, id, olds, news):
        changed = [key for key in news if key != "__provider" and olds.get(key) != news[key]]
        return DiffResult(bool(changed), ["name"] if "name" in changed else [], [], delete_before_replace=True)

    def update(self, id, olds, news):
        return UpdateResult({**news, "computed": f"<{news['size']}>"})


class Thing(Resource, module="things", name="Thing"):
    def __init__(self, name, props, opts=None):
        super().__init__(Provider(), name, {**props, "computed": None}, opts)
"""
PROGRAM = """\
import pulumi
from things import Thing

config = pulumi.Config()


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("handover:index:Group", name, {"fixed": 1}, opts)
        self.a = Thing(
            "a",
            {"name": config.require("name"), "size": config.require_int("size"), "secret": config.require_secret("pw"),
             "nested": {"x": [1, {"y": config.require_secret("pw")}]}, "ratio": 1.5},
            pulumi.ResourceOptions(parent=self, additional_secret_outputs=["computed"]),
        )
        self.register_outputs({"a": self.a.id})


group = Group("group")
b = Thing("b", {"name": group.a.id, "size": 0},
          pulumi.ResourceOptions(depends_on=[group], custom_timeouts=pulumi.CustomTimeouts(create="5m")))
if config.require_bool("third"):
    Thing("c", {"name": "c", "size": 3, "of": b.computed})
pulumi.export("mode", config.require("mode"))
pulumi.export("computed", b.computed)
pulumi.export("pw", config.require_secret("pw"))
pulumi.export("list", config.require_object("list"))
"""
CHANGES = ["size=2", "name=z"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    files = {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM, "things.py": THINGS}
    project = Project(tmp_path_factory.mktemp("handover"), files)
    project.embedded("config", "set", "pw", "hush hush", "--secret")
    project.embedded("up")
    return project


def test_the_cli_sees_no_change_in_what_the_embedded_engine_made(project: Project) -> None:
    project.other_sees_no_change("embedded")


def test_both_engines_plan_the_same_steps_and_carry_each_other_out(project: Project) -> None:
    for number, change in enumerate(CHANGES):
        key, _, value = change.partition("=")
        project.embedded("config", "set", key, value)
        ours, theirs = project.plans()
        assert ours == theirs, change
        engine = "embedded" if number % 2 else "pulumi"
        project.up(engine)
        project.other_sees_no_change(engine)


def test_an_unchanged_update_leaves_the_clis_file_as_it_is(project: Project) -> None:
    project.pulumi("up", "--yes", "--skip-preview")
    before = project.state.read_bytes()
    project.embedded("up")
    assert project.state.read_bytes() == before


def test_outputs_history_and_export_work_on_an_embedded_stack(project: Project) -> None:
    project.embedded("up")
    shown = json.loads(project.pulumi("stack", "output", "--json", "--show-secrets"))
    assert shown["pw"] == "hush hush"
    assert shown == json.loads(project.embedded("stack", "output", "--json", "--show-secrets"))
    assert json.loads(project.pulumi("stack", "history", "--json"))[0]["result"] == "succeeded"
    assert "deployment" in json.loads(project.pulumi("stack", "export"))


def test_each_reads_the_secrets_the_other_wrote(project: Project) -> None:
    assert project.pulumi("config", "get", "pw").strip() == "hush hush"
    project.pulumi("config", "set", "--secret", "second", "whisper")
    assert project.embedded("config", "get", "second").strip() == "whisper"


def test_neither_starts_while_the_other_holds_the_lock(project: Project) -> None:
    lock = project.state.parents[2] / "locks/organization/handover/dev/1.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text('{"pid": 1, "username": "ann", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}')
    assert "ann@elsewhere" in project.embedded("up", fails=True)
    assert "ann@elsewhere" in project.pulumi("up", "--yes", "--skip-preview", fails=True)
    project.embedded("cancel", "--yes")
    project.embedded("up")


def test_each_reads_the_secrets_that_the_other_has_put_into_the_state(project: Project) -> None:
    for engine in ("embedded", "pulumi"):
        project.pulumi("config", "set", "--secret", "pw", f"said by {engine}")
        project.up(engine)
        assert project.pulumi("stack", "output", "pw", "--show-secrets").strip() == f"said by {engine}"
        assert project.embedded("stack", "output", "pw", "--show-secrets").strip() == f"said by {engine}"
        assert f"said by {engine}" not in project.state.read_text()
    project.pulumi("config", "set", "--secret", "pw", "hush hush")
    project.up("embedded")


def test_a_changed_passphrase_is_followed(project: Project) -> None:
    change = ["stack", "change-secrets-provider", "passphrase", "--stack", "dev"]
    project.run("pulumi", *change, given="second pass\nsecond pass\n")
    assert "Wrong passphrase" in project.embedded("preview", fails=True)
    project.environment["PULUMI_CONFIG_PASSPHRASE"] = "second pass"
    project.other_sees_no_change("pulumi")
    assert project.embedded("config", "get", "pw").strip() == "hush hush"
    project.embedded("config", "set", "pw", "a new secret", "--secret")
    project.up("embedded")
    assert project.pulumi("config", "get", "pw").strip() == "a new secret"
    assert project.pulumi("stack", "output", "pw", "--show-secrets").strip() == "a new secret"
    project.other_sees_no_change("embedded")


def test_the_cli_destroys_what_the_embedded_engine_made(project: Project) -> None:
    project.embedded("up")
    project.pulumi("destroy", "--yes", "--skip-preview")
    project.embedded("up")
    project.embedded("destroy")
    assert "No output values" in project.pulumi("stack", "output")
