"""Whoever moves an Open WebUI here hears what becomes of everything it was given."""

import json
from typing import Any
from unittest.mock import Mock

import pytest

from docker_access import labels
from preflight.moved import moved_advice
from tests.unit.test_settings import read, refusal

OF_THE_IMAGE = ["PATH=/usr/bin", "ENV=prod", "WEBUI_BUILD_VERSION=1"]
ADOPTED = {"openWebuiVolume": "chat"}


def advice(
    *variables: str,
    hosts: Any = None,
    its_labels: dict[str, str] | None = None,
    at: str = "/app/backend/data",
    **given: Any,
) -> list[str]:
    """What is said to a stack with the volume of a container that was given some variables and hosts."""
    listed = {"Id": "1d", "Labels": its_labels or {}, "Mounts": [{"Destination": at}]}
    client = Mock(containers=Mock(return_value=[listed]))
    client.inspect_container.return_value = {
        "Name": "/old",
        "Image": "sha256:1",
        "Config": {"Env": [*OF_THE_IMAGE, *variables]},
        "HostConfig": {"ExtraHosts": hosts},
    }
    client.inspect_image.side_effect = lambda _: {"Config": {"Env": OF_THE_IMAGE}}
    config = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    return list(moved_advice(read({**ADOPTED, **config}), client))


def test_an_open_webui_that_was_given_nothing_leaves_nothing_to_say() -> None:
    assert not advice()
    assert not advice("REDIS_URL=redis://redis:6379/0", "WEBUI_SECRET_KEY=k3y", "WEBUI_AUTH=true")


def test_extra_hosts_are_told_as_they_are_to_be_written() -> None:
    (said,) = advice(hosts=["host.docker.internal:host-gateway", "nas:fd00::7"])
    assert 'ExtraHosts: add open-webui:extraHosts: ["host.docker.internal:host-gateway"].' in said
    assert "ExtraHosts nas:fd00::7: extraHosts takes no such address" in said
    assert said.startswith("container old had the data of volume chat before, and was given what stack team is not")
    assert said.endswith("docker rm old ends this advice.")
    assert not advice(hosts=["ollama:10.0.0.7"], extraHosts=["ollama:10.0.0.7"])


@pytest.mark.parametrize("word", ["False", "0"])
def test_an_open_webui_without_sign_in_is_told_who_signs_in_now_and_how_to_keep_it(word: str) -> None:
    (said,) = advice(f"WEBUI_AUTH={word}")
    assert f"WEBUI_AUTH={word}: nobody signed in there, and here everybody does: as admin@localhost" in said
    kept: dict[str, Any] = {"extraEnvironment": {"WEBUI_AUTH": "false"}, "acknowledged": ["no-sign-in"]}
    assert not advice(f"WEBUI_AUTH={word}", **kept)
    assert "add no-sign-in to acknowledged" in refusal({"extraEnvironment": '{"WEBUI_AUTH": "false"}'})


def test_variables_are_named_without_their_values_until_the_stack_has_them() -> None:
    (said,) = advice("OPENAI_API_KEY=hush", "HTTP_PROXY=http://me:hush@proxy.lan", "WEBUI_BUILD_VERSION=1")
    assert " HTTP_PROXY, OPENAI_API_KEY: what the admin panel shows" in said
    assert "hush" not in said
    assert "WEBUI_BUILD_VERSION" not in said
    assert not advice("DEFAULT_LOCALE=de-DE", extraEnvironment={"DEFAULT_LOCALE": "de-DE"})


def test_a_file_of_authorities_and_a_database_elsewhere_are_told() -> None:
    (said,) = advice("SSL_CERT_FILE=/app/backend/data/ca.pem", "DATABASE_URL=postgresql://u:hush@db/x")
    assert "SSL_CERT_FILE: name the file of authorities in open-webui:caFile." in said
    assert "DATABASE_URL: its accounts and chats are in that database, and not in the volume" in said
    assert "extraEnvironment" not in said
    assert not advice("SSL_CERT_FILE=/app/backend/data/ca.pem", caFile="tests/unit/golden/private-ca.txt")


def test_nothing_is_said_of_the_stacks_own_containers_of_others_and_where_nothing_was_adopted() -> None:
    ours = {labels.PROJECT: "open-webui", labels.STACK: "team"}
    assert not advice("DEFAULT_LOCALE=de-DE", its_labels=ours)
    assert not advice("DEFAULT_LOCALE=de-DE", at="/backup")
    assert advice("DEFAULT_LOCALE=de-DE", its_labels={**ours, labels.STACK: "other"})
    assert not advice("DEFAULT_LOCALE=de-DE", openWebuiVolume="")
