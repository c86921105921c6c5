"""What another state has deployed is left alone; what one's own state, or none at all, has made is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.docker_host import DockerHostProvider
from docker_access import labels
from docker_access.deployments import AnothersDeploymentError, Owner, origin, refuse_anothers
from tests.unit.test_launcher_gate import project  # noqa: F401 - a fixture
from tooling.engine.docker_provider import volume
from tooling.engine.docker_provider.client import is_ours
from tooling.errors import ToolError
from tooling.launcher.recovery import remove_strays
from tooling.pulumi_files.stack import find_stack

OWNERSHIP = {labels.PROJECT: "open-webui", labels.STACK: "team"}
OURS = Owner(identity="0urs", origin="ann@chat-host:/srv/web")
THEIRS = Owner(identity="7heirs", origin="bob@laptop:/home/bob/web")
FROM_BEFORE = Owner(identity="", origin=OURS.origin)


class Docker:
    """A Docker with one container, network or volume of the stack."""

    def __init__(self, kind: str = "", owner: Owner | None = None) -> None:
        its_labels = {**OWNERSHIP, **(owner.labels if owner else {})}
        self.made: dict[str, list[dict[str, Any]]] = {"container": [], "network": [], "volume": []}
        if kind:
            created: Any = 1796000000 if kind == "container" else "2026-11-30T08:00:00Z"
            name = f"open-webui-team-{kind}"
            self.made[kind] = [
                {
                    "Id": kind,
                    "Name": name,
                    "Names": [f"/{name}"],
                    "Created": created,
                    "CreatedAt": created,
                    "Labels": its_labels,
                    "State": "exited",
                }
            ]
        self.removed: list[str] = []
        self.guests: list[str] = []

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return self.made["container"]

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        return self.made["network"]

    def volumes(self, **_: Any) -> dict[str, Any]:
        return {"Volumes": self.made["volume"] or None}

    def inspect_container(self, name: str) -> dict[str, Any]:
        return {"Id": name, "State": {"Running": False, "Status": "exited"}, "Created": "2026-11-30T08:00:00Z"}

    def inspect_network(self, _name: str) -> dict[str, Any]:
        return {"Containers": {guest: {"Name": guest} for guest in self.guests}}

    def remove_container(self, name: str, **_: Any) -> None:
        self.removed.append(name)

    def remove_network(self, name: str) -> None:
        self.removed.append(name)

    def close(self) -> None:
        pass


def refuse(docker: Any, owner: Owner = OURS, *, begun: bool = True) -> None:
    refuse_anothers(docker, OWNERSHIP, owner, begun=begun)


@pytest.mark.parametrize("kind", ["", "container", "network", "volume"])
@pytest.mark.parametrize("owner", [OURS, None], ids=["from this state", "from before there were identities"])
def test_what_this_state_may_have_made_is_taken(kind: str, owner: Owner | None) -> None:
    refuse(Docker(kind, owner))


@pytest.mark.parametrize(
    ("kind", "owner", "what"),
    [
        ("container", OURS, "is deployed"),
        ("container", FROM_BEFORE, "is deployed"),
        ("network", FROM_BEFORE, "is deployed"),
        ("volume", FROM_BEFORE, "has data"),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_what_another_state_has_made_is_refused_by_whose_it_is_with_every_way_out(
    kind: str, owner: Owner, what: str, *, begun: bool
) -> None:
    with pytest.raises(AnothersDeploymentError) as refusal:
        refuse(Docker(kind, THEIRS), owner, begun=begun)
    text = str(refusal.value)
    assert f"stack team of project open-webui {what} on this Docker from another state" in text
    assert f"begun in {THEIRS.origin}, since 2026-11-" in text
    assert f"{kind} open-webui-team-{kind}" in text
    for way_out in ("PULUMI_BACKEND_URL=...", "STACK=NAME", "make up STACK=team TAKE_OVER=1"):
        assert way_out in text


def test_a_container_of_nobody_is_not_of_a_state_that_has_made_nothing() -> None:
    with pytest.raises(AnothersDeploymentError, match="begun in a place that is not known"):
        refuse(Docker("container"), FROM_BEFORE, begun=False)


@pytest.mark.parametrize("origin", [OURS.origin, OURS.origin.replace("ann@", "root@")])
def test_data_of_a_state_that_was_kept_here_are_used_by_the_next_one_whoever_worked_here(origin: str) -> None:
    refuse(Docker("volume", Owner(identity="0lder", origin=origin)), FROM_BEFORE, begun=False)


def test_data_of_a_state_in_the_same_folder_of_another_machine_are_not_ours() -> None:
    with pytest.raises(AnothersDeploymentError):
        refuse(Docker("volume", Owner(identity="0lder", origin="ann@laptop:/srv/web")), FROM_BEFORE, begun=False)


@pytest.mark.parametrize("kind", ["network", "volume"])
def test_what_a_state_has_begun_with_and_is_not_re_created_is_its_own_wherever_it_was_made(kind: str) -> None:
    refuse(Docker(kind, THEIRS), OURS)


def test_who_says_so_takes_over_what_another_state_has_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAKE_OVER", "1")
    refuse(Docker("container", THEIRS))
    for other in ("0", "no", "false", ""):
        monkeypatch.setenv("TAKE_OVER", other)
        with pytest.raises(AnothersDeploymentError):
            refuse(Docker("container", THEIRS))


def test_a_shared_backend_is_named_without_its_password() -> None:
    url = "postgres://pulumi:5ecret@db.example.com:5432/pulumi?sslmode=require"
    assert origin({"PULUMI_BACKEND_URL": url}) == "postgres://db.example.com:5432/pulumi"


def test_the_checkouts_own_state_is_named_by_its_folder_whoever_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = origin({})
    assert here.endswith(f":{tmp_path}")
    assert origin({"PULUMI_BACKEND_URL": f"file://{tmp_path}/.pulumi-state"}) == here
    assert origin({"PULUMI_BACKEND_URL": "file:///srv/state"}).endswith(":/srv/state")


@pytest.mark.parametrize(("state", "refused"), [(THEIRS, True), (OURS, True), (None, False)])
def test_a_state_that_begins_is_refused_where_there_is_another(
    state: Owner | None, *, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.docker_host.api_client", lambda _: Docker("container", state))
    provider, inputs = DockerHostProvider(), {"labels": OWNERSHIP}
    if refused:
        with pytest.raises(AnothersDeploymentError):
            provider.check({}, inputs)
    else:
        assert provider.check({}, inputs).inputs == inputs
    assert provider.check(inputs, inputs).inputs == inputs
    monkeypatch.setenv("WITHOUT_DOCKER", "1")
    assert provider.check({}, inputs).inputs == inputs


def test_a_state_does_not_begin_where_another_has_begun_since_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.docker_host.api_client", lambda _: Docker("container", THEIRS))
    with pytest.raises(AnothersDeploymentError):
        DockerHostProvider().create({"labels": OWNERSHIP})


def test_a_refresh_fails_where_another_state_has_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.docker_host.api_client", lambda _: Docker("container", THEIRS))
    with pytest.raises(AnothersDeploymentError):
        DockerHostProvider().read("docker-host", {"labels": OWNERSHIP, "engine": "", "marks": OURS.labels})


def test_a_state_from_before_is_given_an_identity_once() -> None:
    provider, before = DockerHostProvider(), {"labels": OWNERSHIP, "engine": "AAAA"}
    assert provider.diff("docker-host", before, before).changes
    after = provider.update("docker-host", before, before).outs
    assert after
    assert after["engine"] == "AAAA"
    assert after["marks"][labels.STATE]
    assert not provider.diff("docker-host", after, before).changes
    assert Owner.of(after, "elsewhere").labels == after["marks"]


def test_every_state_has_an_identity_of_its_own() -> None:
    assert len({Owner.new().identity for _ in range(100)}) == 100


@pytest.mark.parametrize(("owner", "mine"), [(OURS, True), (None, True), (THEIRS, False)])
def test_the_engine_takes_up_what_its_own_state_has_made(owner: Owner | None, *, mine: bool) -> None:
    inputs = {"labels": [{"label": key, "value": value} for key, value in {**OWNERSHIP, **OURS.labels}.items()]}
    assert is_ours(inputs, {**OWNERSHIP, **(owner.labels if owner else {})}) is mine


def test_the_engine_takes_up_data_whichever_state_they_were_made_from() -> None:
    inputs = {"name": "data", "labels": [{"label": key, "value": value} for key, value in OWNERSHIP.items()]}
    found = {"Name": "data", "Driver": "local", "Options": None, "Mountpoint": "/", "Labels": OWNERSHIP | OURS.labels}
    api = SimpleNamespace(inspect_volume=lambda _: found)
    call: Any = SimpleNamespace(docker=SimpleNamespace(api=api), log=print, holder=lambda _: None)
    assert volume.find(call, inputs) == "data"
    assert volume.create(call, inputs).id == "data"


@pytest.mark.parametrize("kind", ["container", "network"])
@pytest.mark.parametrize(
    ("owner", "take_over", "why"),
    [
        (OURS, "", "this stack made and its state does not know"),
        (None, "", "this stack made and its state does not know"),
        (THEIRS, "", ""),
        (THEIRS, "1", f"was made from another state, in {THEIRS.origin}"),
    ],
    ids=["of this state", "from before", "another's", "another's, taken over"],
)
def test_recovery_removes_what_its_own_state_has_made_and_says_what_was_anothers(
    kind: str,
    owner: Owner | None,
    take_over: str,
    why: str,
    project: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAKE_OVER", take_over)
    docker = Docker(kind, owner)
    removed = remove_strays(SimpleNamespace(api=docker), find_stack(project, "team"), OURS)  # type: ignore[arg-type]
    assert removed == ([f"{kind} open-webui-team-{kind}, which {why}"] if why else [])
    assert bool(docker.removed) is bool(why)


def test_a_network_that_others_are_on_is_taken_over_by_nobody(
    project: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAKE_OVER", "1")
    docker = Docker("network", THEIRS)
    docker.made["container"] = Docker("container", THEIRS).made["container"]
    docker.guests = ["container", "backup"]
    line = "docker network disconnect open-webui-team-network backup; join"
    with pytest.raises(ToolError, match=rf"others are on it: backup\. Nothing was changed\. Way out: {line}"):
        remove_strays(SimpleNamespace(api=docker), find_stack(project, "team"), OURS)  # type: ignore[arg-type]
    assert docker.removed == []
