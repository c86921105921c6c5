"""One stack of real Docker resources, two engines. Needs the Pulumi CLI with its Docker plugin, and Docker."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.engine.two_engines import Project
from tests.integration.hand_made import ensure_images
from tests.lease import free_port

pytestmark = [pytest.mark.pulumi_cli, pytest.mark.docker, pytest.mark.chained]
IMAGE = "valkey/valkey:8.0.1-alpine"
PREFIX = f"handover-{secrets.token_hex(3)}"
# Two names of one image: what a change of tags comes to, without a second image.
OTHER_IMAGE = f"{PREFIX}/valkey:other"
PROJECT = f"""\
name: handover
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
stackConfigDir: stacks
options: {{refresh: always}}
config:
  image: {{type: string, default: "{IMAGE}"}}
  prefix: {{type: string, default: {PREFIX}}}
  restart: {{type: string, default: "no"}}
  label: {{type: string, default: a}}
  interval: {{type: string, default: 10s}}
  mode: {{type: string, default: "on"}}
  port: {{type: integer, default: 0}}
  workers: {{type: integer, default: 1}}
  second: {{type: boolean, default: true}}
  side: {{type: boolean, default: true}}
  renamed: {{type: boolean, default: false}}
  sick: {{type: boolean, default: false}}
"""
PROGRAM = """\
import pulumi
import pulumi_docker as docker

config = pulumi.Config()
prefix = config.require("prefix")
own = {"pulumi.project": pulumi.get_project(), "pulumi.stack": pulumi.get_stack()}
labels = [docker.ContainerLabelArgs(label=key, value=value) for key, value in own.items()]
network = docker.Network(
    "network",
    name=f"{prefix}-network",
    labels=[docker.NetworkLabelArgs(label="kind", value=config.require("label")),
            *[docker.NetworkLabelArgs(label=key, value=value) for key, value in own.items()]],
)
volume = docker.Volume(
    "volume", name=f"{prefix}-volume",
    labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in own.items()],
)


def sleeper(name, opts=None, logical=None, **more):
    arguments = {"image": config.require("image"), "command": ["86400"], "must_run": True, "labels": labels, **more}
    options = pulumi.ResourceOptions(delete_before_replace=True, replace_on_changes=["healthcheck"])
    options = pulumi.ResourceOptions.merge(options, opts)
    return docker.Container(
        logical or name, name=f"{prefix}-{name}", entrypoints=["sleep"], opts=options, **arguments
    )


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("handover:index:Group", name, None, opts)


group = Group("group")
port = config.require_int("port")
first = sleeper(
    "first",
    pulumi.ResourceOptions(parent=group),
    restart=config.require("restart"),
    envs=["A=1", f"MODE={config.require('mode')}", config.require_secret("pw").apply(lambda pw: f"B={pw}")],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=["first"])],
    volumes=[docker.ContainerVolumeArgs(volume_name=volume.name, container_path="/data")],
    ports=[docker.ContainerPortArgs(internal=80, external=port, ip="127.0.0.1")] if port else [],
    healthcheck=docker.ContainerHealthcheckArgs(tests=["CMD", "true"], interval=config.require("interval")),
)
group.register_outputs({})
if config.require_bool("second"):
    sleeper("second", envs=[first.id.apply(lambda id: f"FIRST={id[:5]}")])
if config.require_bool("side"):
    side = Group("side")
    sleeper("side-part", pulumi.ResourceOptions(parent=side))
    side.register_outputs({})
for number in range(1, config.require_int("workers") + 1):
    sleeper(f"worker-{number}")
old, new = "old-name", "new-name"
if config.require_bool("renamed"):
    sleeper("renamed", pulumi.ResourceOptions(aliases=[pulumi.Alias(name=old)]), new)
else:
    sleeper("renamed", pulumi.ResourceOptions(aliases=[pulumi.Alias(name=new)]), old)
if config.require_bool("sick"):
    never = docker.ContainerHealthcheckArgs(tests=["CMD", "false"], interval="1s", retries=1)
    sleeper("sick", healthcheck=never, wait=True, wait_timeout=3)
pulumi.export("first", first.id)
pulumi.export("pw", config.require_secret("pw"))
"""
# One after the other, on one stack; the engines take turns in carrying them out.
CHANGES = [
    "port=PORT",
    "workers=3",
    "image=OTHER",
    "mode=off",
    "interval=7s",
    "side=false",
    "renamed=true",
    "label=b",
    "second=false",
    "second=true",
    "pw=a new secret",
    "restart=always",
]


def docker(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *command], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    ensure_images(IMAGE)
    docker("tag", IMAGE, OTHER_IMAGE)
    files = {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM}
    project = Project(tmp_path_factory.mktemp("handover"), files)
    project.embedded("config", "set", "pw", "hush hush", "--secret")
    try:
        project.up("embedded")
        yield project
    finally:
        project.embedded("destroy")
        docker("volume", "rm", f"{PREFIX}-imported")
        docker("rmi", OTHER_IMAGE)


def test_the_cli_sees_no_change_in_what_the_embedded_engine_made(project: Project) -> None:
    project.other_sees_no_change("embedded")


@pytest.mark.parametrize("change", CHANGES)
def test_both_engines_plan_the_same_steps_and_carry_each_other_out(project: Project, change: str) -> None:
    key, _, value = change.partition("=")
    engine = ("pulumi", "embedded")[CHANGES.index(change) % 2]
    value = str(free_port()) if value == "PORT" else OTHER_IMAGE if value == "OTHER" else value
    secret = ["--secret"] if key == "pw" else []
    project.embedded("config", "set", key, value, *secret)
    ours, theirs = project.plans()
    assert ours == theirs
    assert all(ops == ["same"] for ops in ours.values()) == (key == "renamed")
    project.up(engine)
    project.other_sees_no_change(engine)


def test_both_engines_repair_a_container_that_was_removed(project: Project) -> None:
    assert docker("rm", "--force", "--volumes", f"{PREFIX}-first").returncode == 0
    ours, theirs = project.plans()
    assert ours == theirs
    project.up("embedded")
    project.other_sees_no_change("embedded")


def test_both_engines_start_a_container_that_was_stopped(project: Project) -> None:
    assert docker("stop", "--time", "0", f"{PREFIX}-first").returncode == 0
    ours, theirs = project.plans()
    assert ours == theirs
    project.up("pulumi")
    project.other_sees_no_change("pulumi")


@pytest.mark.parametrize("engine", ["pulumi", "embedded"])
def test_a_container_that_did_not_come_up_is_known_to_the_other_engine(project: Project, engine: str) -> None:
    project.embedded("config", "set", "sick", "true")
    command = ["up"] if engine == "embedded" else ["up", "--yes", "--skip-preview"]
    assert "healthy" in getattr(project, engine)(*command, fails=True)
    ours, theirs = project.plans()
    # The CLI's refresh takes it for well; the embedded engine goes on to have it come up.
    (sick,) = [urn for urn in ours if urn.endswith("::sick")]
    assert theirs.pop(sick) == ["same"]
    assert "same" not in ours.pop(sick)
    assert ours == theirs
    project.embedded("config", "set", "sick", "false")
    project.up("pulumi" if engine == "embedded" else "embedded")
    assert docker("inspect", f"{PREFIX}-sick").returncode


def test_what_the_clis_refresh_found_gone_is_made_again_by_the_embedded_engine(project: Project) -> None:
    assert docker("rm", "--force", "--volumes", f"{PREFIX}-second").returncode == 0
    project.pulumi("refresh", "--yes", "--skip-preview")
    ours, theirs = project.plans()
    assert ours == theirs
    project.up("embedded")
    project.other_sees_no_change("embedded")


def test_what_the_embedded_engines_refresh_found_gone_is_made_again_by_the_cli(project: Project) -> None:
    assert docker("rm", "--force", "--volumes", f"{PREFIX}-second").returncode == 0
    project.embedded("refresh")
    ours, theirs = project.plans()
    assert ours == theirs
    project.up("pulumi")
    project.other_sees_no_change("pulumi")


def test_what_the_cli_imports_is_the_embedded_engines_to_keep(project: Project) -> None:
    made = docker("volume", "create", "--label", "pulumi.stack=dev", f"{PREFIX}-imported")
    assert made.returncode == 0, made.stderr
    project.pulumi(
        "import", "docker:index/volume:Volume", "imported", f"{PREFIX}-imported", "--yes", "--skip-preview",
        "--generate-code=false", "--protect=false",
    )  # fmt: skip
    mine = f'docker.Volume("imported", name="{PREFIX}-imported", labels=[{{"label": "pulumi.stack", "value": "dev"}}])'
    project.write({"__main__.py": f"{PROGRAM}\n{mine}\n"})
    ours, theirs = project.plans()
    assert ours == theirs
    project.up("embedded")
    project.other_sees_no_change("embedded")
    project.write({"__main__.py": PROGRAM})
    ours, theirs = project.plans()
    assert ours == theirs
