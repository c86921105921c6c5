"""What every container shares, and the files some of them read."""

from typing import Any
from unittest.mock import Mock

import pulumi
import pytest

from components.building.one_shot import one_shot_result
from components.building.spec import (
    ContainerSpec,
    Healthcheck,
    Join,
    PublishedPort,
    expected_inspect,
    texts_sha256,
)
from components.limits import Limits
from docker_access import labels


def spec(**changes: Any) -> ContainerSpec:
    network = Mock(docker_name="net")
    return ContainerSpec(
        **{"name": "c", "role": "valkey", "image": "i:1", "networks": [Join(network=network)], "labels": {}, **changes}
    )


def expected(**changes: Any) -> dict[str, Any]:
    return expected_inspect(spec(**changes))


def test_the_hash_ignores_order_and_sees_names_and_texts() -> None:
    found = texts_sha256({"/a": "1", "/b": "2"})
    assert found == texts_sha256({"/b": "2", "/a": "1"})
    assert len({found, texts_sha256({"/a": "2", "/b": "1"}), texts_sha256({"/a": "1", "/c": "2"})}) == 3


def test_where_a_name_ends_and_a_content_begins_is_in_the_hash() -> None:
    assert texts_sha256({"/a": "b1"}) != texts_sha256({"/ab": "1"})


def test_the_expectation_names_every_variable_and_every_label() -> None:
    found = expected(labels={"pulumi.stack": "s"}, environment={"A": "1"})
    assert found["Config.Env[A]"] == "1"
    assert found["Config.Labels[pulumi.stack]"] == "s"
    assert found[f"Config.Labels[{labels.ROLE}]"] == "valkey"
    assert found["NetworkSettings.Networks"] == ["net"]


def test_a_container_without_networks_is_expected_on_none() -> None:
    assert expected(networks=())["NetworkSettings.Networks"] == ["none"]


def test_what_the_image_decides_is_not_expected() -> None:
    left_to_the_image = {"Config.Cmd", "Config.User", "Config.Healthcheck.Test"}
    assert not left_to_the_image & expected().keys()
    probe = Healthcheck(test=["CMD", "true"], interval="1s", timeout="1s", start_period="1s", retries=1)
    assert left_to_the_image <= expected(command=["serve"], user="1:1", healthcheck=probe).keys()


def test_limits_are_expected_in_dockers_units() -> None:
    found = expected(limits=Limits(memory=64, cpus=0.5, pids=32, nofile=1024))
    assert found["HostConfig.Memory"] == 67108864
    assert found["HostConfig.NanoCpus"] == 500_000_000
    assert found["HostConfig.PidsLimit"] == 32
    assert found["HostConfig.Ulimits"] == [{"Name": "nofile", "Soft": 1024, "Hard": 1024}]


def test_a_memory_limit_of_nothing_is_expected_as_docker_writes_it() -> None:
    assert expected(limits=Limits(memory=0))["HostConfig.Memory"] == 0


def test_without_limits_none_are_expected() -> None:
    assert not [name for name in expected() if name.startswith(("HostConfig.Memory", "HostConfig.Pids"))]


def test_ports_and_volumes_are_expected_as_docker_writes_them() -> None:
    port = PublishedPort(address="127.0.0.1", host_port=3000, container_port=8080)
    found = expected(ports=[port], volumes={"data": "/data"})
    assert found["HostConfig.PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3000"}]}
    assert found["HostConfig.Binds"] == ["data:/data:rw"]


def test_a_one_shot_that_succeeded_gives_its_id() -> None:
    assert one_shot_result("id", 0, "done", name="migration") == "id"
    assert one_shot_result("id", None, None, name="migration") == "id"


def test_a_one_shot_that_failed_stops_the_deployment_with_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    log = "\n".join(f"line {number}" for number in range(100))
    with pytest.raises(pulumi.RunError) as failed:
        one_shot_result("id", 1, log, name="migration")
    text = str(failed.value)
    assert "exited with code 1" in text
    assert "line 99" in text
    assert "line 79" not in text
    assert "docker rm --volumes migration, then `make up STACK=prod` or `pulumi up --stack prod`" in text


def test_a_one_shot_that_failed_tells_no_secret_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    given = ["A='hush-hush';B\nOPENAI_API_KEYS='sk-first-one;sk-second-one'\n", "p4ss-word", None]
    with pytest.raises(pulumi.RunError) as failed:
        one_shot_result("id", 1, "with sk-first-one, sk-second-one and p4ss-word", name="migration", secrets=given)
    assert "    with [secret], [secret] and [secret]\n" in str(failed.value)


def test_a_one_shot_that_failed_without_a_word_is_said_to() -> None:
    with pytest.raises(pulumi.RunError, match="it wrote none"):
        one_shot_result("id", 137, None, name="migration")


def test_a_thread_that_the_host_did_not_let_start_is_told_with_what_may_be_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    with pytest.raises(
        pulumi.RunError, match=r"(?s)new thread\n  That is, no thread starts: a Docker before 20\.10\.10"
    ):
        one_shot_result("id", 1, "RuntimeError: can't start new thread", name="migration")
