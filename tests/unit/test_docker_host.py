"""A Docker that is not the stack's is refused; the stack's own, and one that it was moved to, are not."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from docker.errors import APIError, DockerException

from components.docker_host import DockerHostProvider
from docker_access.identity import OtherDockerHostError, identity, refuse_another
from tooling.errors import ToolError
from tooling.launcher.ownership import checked_owner
from tooling.pulumi_cli.stacks import deployment
from tooling.pulumi_files.project import load_project
from tooling.pulumi_files.stack import Stack, find_stack

OWNERSHIP = {"pulumi.project": "open-webui", "pulumi.stack": "team"}
RECORDED = {"engine": "AAAA", "name": "chat-host"}


class Docker:
    """What the checks ask of a Docker."""

    def __init__(self, *, engine: str | None, volumes: list[str] | None = None, state: str = "") -> None:
        self.engine = engine
        self.found = volumes or []
        self.labels = OWNERSHIP | ({"pulumi.state": state} if state else {})
        self.filters: list[dict[str, Any]] = []

    def info(self) -> dict[str, Any]:
        return {"ID": self.engine, "Name": "runner"} if self.engine is not None else {}

    def containers(self, *, filters: dict[str, Any], **_: Any) -> list[Any]:
        self.filters.append(filters)
        return []

    def volumes(self, *, filters: dict[str, Any]) -> dict[str, Any]:
        return {"Volumes": [{"Name": name, "CreatedAt": "", "Labels": self.labels} for name in self.found] or None}

    def networks(self, *, filters: dict[str, Any]) -> list[Any]:
        return []

    def close(self) -> None:
        pass


def refuse(client: Any, recorded: dict[str, Any] = RECORDED) -> None:
    refuse_another(client, recorded, OWNERSHIP)


def test_the_docker_of_the_last_update_is_taken_without_a_further_question() -> None:
    client = Docker(engine="AAAA")
    refuse(client)
    assert client.filters == []


def test_another_docker_with_nothing_of_the_stack_is_refused_with_every_way_out() -> None:
    client = Docker(engine="BBBB")
    with pytest.raises(OtherDockerHostError) as refusal:
        refuse(client)
    text = str(refusal.value)
    assert "stack team lives on another Docker host: on chat-host (Docker AAAA)" in text
    assert "on runner (BBBB)" in text
    assert "DOCKER_HOST=ssh://USER@HOST" in text
    assert "--refresh=false" in text
    assert "docker volume create --label pulumi.project=open-webui --label pulumi.stack=team NAME" in text
    assert client.filters == [{"label": ["pulumi.project=open-webui", "pulumi.stack=team"]}]


OURS = RECORDED | {"marks": {"pulumi.state": "0urs"}}


@pytest.mark.parametrize("recorded", [RECORDED, OURS])
@pytest.mark.parametrize("state", ["", "0urs"])
def test_another_docker_to_which_the_data_was_moved_is_taken(recorded: dict[str, Any], state: str) -> None:
    client = Docker(engine="BBBB", volumes=["open-webui-team-data"], state=state if recorded is OURS else "")
    refuse(client, recorded)


@pytest.mark.parametrize("recorded", [RECORDED, OURS])
def test_another_docker_with_data_of_another_state_is_not_where_the_stack_was_moved(
    recorded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Docker(engine="BBBB", volumes=["open-webui-team-data"], state="7heirs")
    with pytest.raises(OtherDockerHostError, match="has nothing of the stack that is this state's"):
        refuse(client, recorded)
    monkeypatch.setenv("TAKE_OVER", "1")
    refuse(client, recorded)


@pytest.mark.parametrize(("recorded", "here"), [("", "BBBB"), ("AAAA", ""), ("AAAA", None)])
def test_a_docker_that_tells_no_id_is_not_compared(recorded: str, here: str | None) -> None:
    refuse(Docker(engine=here), {"engine": recorded, "name": ""})


def test_the_provider_remembers_the_docker_it_was_moved_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.docker_host.api_client", lambda _: Docker(engine="BBBB", volumes=["data"]))
    found = DockerHostProvider().read("docker-host", {"labels": OWNERSHIP, **RECORDED})
    assert found.outs == {"labels": OWNERSHIP, "engine": "BBBB", "name": "runner"}


def test_the_provider_has_a_refresh_fail_on_another_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.docker_host.api_client", lambda _: Docker(engine="BBBB"))
    with pytest.raises(OtherDockerHostError):
        DockerHostProvider().read("docker-host", {"labels": OWNERSHIP, **RECORDED})


def test_the_provider_sees_no_change_in_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.docker_host.api_client", lambda _: Docker(engine="AAAA"))
    made = DockerHostProvider().create({"labels": OWNERSHIP, "marks": None})
    assert made.outs
    assert (made.outs["engine"], made.outs["name"]) == ("AAAA", "runner")
    assert not DockerHostProvider().diff("docker-host", made.outs or {}, {"labels": OWNERSHIP}).changes


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose state remembers a Docker; none answers but a stand-in."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    resource = {"type": "pulumi-python:dynamic/openwebui:DockerHost", "outputs": RECORDED}
    state = tmp_path / ".pulumi/stacks/open-webui/staging.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": [resource]}}}))
    return find_stack(load_project(Path(__file__).parents[2]), "staging")


def test_the_launcher_refuses_another_docker_before_an_engine_begins(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tooling.launcher.ownership.api_client", lambda: Docker(engine="BBBB"))
    with pytest.raises(ToolError, match="lives on another Docker host"):
        checked_owner(stack)


def test_the_launcher_goes_on_only_where_docker_told_all_that_it_was_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Docker(engine="AAAA")
    monkeypatch.setattr("tooling.launcher.ownership.api_client", lambda: client)
    monkeypatch.setattr(client, "volumes", Mock(side_effect=APIError("disk is full")))
    with pytest.raises(APIError):
        checked_owner(stack)
    monkeypatch.setattr("tooling.launcher.ownership.api_client", Mock(side_effect=DockerException("is not running")))
    assert checked_owner(stack).identity == ""


@pytest.mark.parametrize(("known", "refused"), [(["c1"], False), (["c0"], True), ([], False)])
def test_containers_of_before_are_of_the_state_that_knows_them(
    known: list[str], stack: Stack, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    found = {"Id": "c1", "Names": ["/open-webui-team"], "Created": 1, "Labels": OWNERSHIP, "State": "running"}
    client = Docker(engine="AAAA")
    monkeypatch.setattr(client, "containers", lambda **_: [found])
    monkeypatch.setattr("tooling.launcher.ownership.api_client", lambda: client)
    others = [{"type": "docker:index/container:Container", "id": one} for one in known]
    (resource,) = deployment(stack)["resources"]
    monkeypatch.setattr("tooling.launcher.ownership.deployment", lambda *_: {"resources": [resource, *others]})
    with pytest.raises(ToolError, match="a place that is not known") if refused else nullcontext():
        checked_owner(stack)


def test_the_launcher_leaves_a_stack_alone_that_is_not_deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tooling.launcher.ownership.api_client", lambda: Docker(engine="BBBB"))
    checked_owner(replace(stack, name="dev"))


def test_the_identity_is_dockers_own_id_and_the_name_of_its_machine() -> None:
    client: Any = Docker(engine="AAAA")
    assert identity(client) == {"engine": "AAAA", "name": "runner"}
