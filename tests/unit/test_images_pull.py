"""How an image is pulled: with which login, and when a registry is given up."""

# ruff: noqa: F811 - fixtures of another module

from __future__ import annotations

import itertools
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from docker_access import logins
from docker_access.pulls import error_of, is_unreachable
from tests.unit.image_stand_ins import (  # noqa: F401 - fixtures among them
    LONGER_THAN_DOCKER_MAY,
    VALKEY,
    Docker,
    Image,
    built,
    clock,
    ensure,
    own_cache,
    quiet_after,
)
from tooling.images import pull
from tooling.images.errors import ImageError
from tooling.images.reference import parse
from tooling.machine import negative_cache
from tooling.machine.progress import Stage, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Writes a file of logins, and credential helpers on PATH; the file's path."""

    def write(config: dict[str, Any], **helpers: str) -> str:
        for name, script in helpers.items():
            helper = tmp_path / f"docker-credential-{name}"
            helper.write_text(f"#!/bin/sh\n{script}\n")
            helper.chmod(0o755)
        (tmp_path / "config.json").write_text(json.dumps(config))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return str(tmp_path / "config.json")

    return write


NAMED_FOR_ALL, NAMED_FOR_ONE = {"auths": {}, "credsStore": "desktop"}, {"credHelpers": {"a.example": "desktop"}}


@pytest.mark.parametrize("config", [NAMED_FOR_ALL, NAMED_FOR_ONE], ids=["for all", "for one"])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "it is not on PATH"),
        ("echo no session; exit 1", "no session"),
        ("exit 1", "it says nothing"),
        ("echo no JSON", "Expecting value: line 1 column 1 (char 0)"),
    ],
    ids=["absent", "no session", "says nothing", "no JSON"],
)
def test_a_broken_credential_helper_is_named_with_its_file_and_the_image_pulled_without_a_login(
    config: dict[str, Any], script: str, said: str, login: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = login(config, **({"desktop": script} if script else {}))
    client = Docker({}, registry={VALKEY: Image()})
    assert ensure(client, VALKEY).startswith(f"{VALKEY}: pulled in")
    assert client.logins == [{}]
    assert capsys.readouterr().err == (
        f"{VALKEY}: the credential helper docker-credential-desktop, which {file} names for a.example, does not work "
        f"({said}). Repair it, or take its name out of that file; asking for the image without a login\n"
    )


def test_a_credential_helper_that_waits_for_a_person_is_not_waited_for(
    login: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logins, "HELPER_SECONDS", 0.2)
    login(NAMED_FOR_ALL, desktop="exec sleep 20")
    ensure(Docker({}, registry={VALKEY: Image()}), VALKEY)
    assert "does not work (no answer within 0.2 s)" in capsys.readouterr().err


def test_a_broken_credential_helper_is_no_reason_to_build(login: Callable[..., str], built: list[str]) -> None:
    login(NAMED_FOR_ALL)
    with pytest.raises(ImageError, match="not found"):
        ensure(Docker({}, registry={}), VALKEY)
    assert not built


HELPED = 'read server; echo "{\\"Username\\": \\"NAME\\", \\"Secret\\": \\"for $server\\"}"'


@pytest.mark.parametrize(
    ("config", "helper", "sent"),
    [
        ({}, "", {}),
        ({"auths": {"https://a.example/v1/": {"auth": "bWU6c2VjcmV0"}}}, "", "secret"),
        (NAMED_FOR_ALL, HELPED, "for a.example"),
        (NAMED_FOR_ALL, HELPED.replace("NAME", "<token>"), "for a.example"),
        (NAMED_FOR_ALL, "echo credentials not found in native keychain; exit 1", {}),
        (NAMED_FOR_ALL, HELPED.replace("NAME", "").replace("for $server", ""), {}),
    ],
    ids=["no file", "in the file", "by a helper", "a token", "a helper without one", "an empty one"],
)
def test_the_login_that_there_is_is_sent(
    config: dict[str, Any], helper: str, sent: str | dict[str, Any], login: Callable[..., str]
) -> None:
    login(config, **({"desktop": helper} if helper else {}))
    client = Docker({}, registry={VALKEY: Image()})
    assert ensure(client, VALKEY).startswith(f"{VALKEY}: pulled in")
    (auth,) = client.logins
    assert (sent in auth.values()) if isinstance(sent, str) else auth == sent


def test_docker_hub_has_a_name_of_its_own_for_helpers(login: Callable[..., str]) -> None:
    login(NAMED_FOR_ALL, desktop=HELPED)
    assert logins.login("docker.io")["Password"] == "for https://index.docker.io/v1/"


@pytest.mark.parametrize(("registry", "host"), [("a.example", " a.example"), ("docker.io", "")])
def test_a_refused_login_is_named_with_the_ways_out_and_the_image_pulled_without(
    registry: str, host: str, login: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    where = "https://index.docker.io/v1/" if registry == "docker.io" else registry
    file, name = login({"auths": {where: {"auth": "bWU6c2VjcmV0"}}}), f"{registry}/valkey:8.0.1-alpine"
    client = Docker({}, registry={name: Image()})
    client.refuses_logins = "unauthorized: incorrect username or password"
    assert ensure(client, name).startswith(f"{name}: pulled in")
    assert [bool(one) for one in client.logins] == [True, False]
    said = capsys.readouterr().err
    assert f"{registry} refuses the login that {file} has for it (unauthorized: incorrect username" in said
    assert f"(`docker login{host}`), or out (`docker logout{host}`); asking for the image without a login" in said
    assert "secret" not in said


def test_a_registry_that_does_not_answer_is_not_asked_twice_for_a_login(
    login: Callable[..., str], built: list[str]
) -> None:
    login({"auths": {"a.example": {"auth": "bWU6c2VjcmV0"}}})
    client = Docker({})
    ensure(client, VALKEY)
    assert client.asked == 1
    assert built == [VALKEY]


@pytest.mark.parametrize("entry", [{"auth": "no base64"}, {"auth": "bm8gY29sb24="}, "text"])
def test_a_login_that_cannot_be_read_is_named_with_its_file(
    entry: Any, login: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = login({"auths": {"a.example": entry}})
    ensure(Docker({}, registry={VALKEY: Image()}), VALKEY)
    assert f"a login in {file} cannot be read (" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.example/valkey@sha256:" + "0" * 64, "a.example/other:1"])
def test_a_registry_that_did_not_answer_is_asked_again_for_what_cannot_be_built(name: str) -> None:
    negative_cache.remember_failure("a.example")
    assert ensure(Docker({}, registry={name: Image()}), name).startswith(f"{name}: pulled in")


RESOLVING = 'failed to resolve reference "docker.io/valkey/valkey:8": '
MANIFEST = "https://registry.example/v2/valkey/valkey/manifests/8"


@pytest.mark.parametrize(
    "said",
    [
        'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
        'Get "https://registry.example/v2/": net/http: request canceled (Client.Timeout exceeded while awaiting)',
        "received unexpected HTTP status: 503 Service Unavailable",
        f'{RESOLVING}failed to do request: Head "{MANIFEST}": dial udp 192.0.2.53:53: connect: network is unreachable',
        f'{RESOLVING}failed to do request: Head "{MANIFEST}": dial tcp 192.0.2.1:443: i/o timeout',
        f'{RESOLVING}failed to do request: Head "{MANIFEST}": EOF',
        f"{RESOLVING}unexpected status from HEAD request to {MANIFEST}: 502 Bad Gateway",
        "host not found: lookup a.example: no such host",
        'Get "https://registry.example/v2/": Forbidden',
        f'{RESOLVING}failed to do request: Head "{MANIFEST}": Service Unavailable',
    ],
)
def test_a_registry_that_does_not_answer_is_known_by_the_words_of_either_image_store(said: str) -> None:
    assert is_unreachable(said)
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = [{"errorDetail": {"message": said}}]
    assert pull.pull(client, parse(VALKEY)).failure == said  # type: ignore[arg-type] # a stand-in
    assert negative_cache.recent_failure("a.example")


@pytest.mark.parametrize(
    "said",
    [
        "manifest for valkey/valkey:8 not found: manifest unknown: manifest unknown",
        "pull access denied for valkey/valkey, repository does not exist or may require 'docker login'",
        "toomanyrequests: You have reached your pull rate limit",
        f"{RESOLVING}docker.io/valkey/valkey:8: not found",
        f"{RESOLVING}pull access denied, repository does not exist or may require authorization",
        f"{RESOLVING}unexpected status from HEAD request to {MANIFEST}: 429 Too Many Requests",
        "failed to register layer: write /usr/lib/x: no space left on device",
    ],
)
def test_a_registry_that_answers_otherwise_is_not_called_unreachable(said: str) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = [{"error": said}]
    assert pull.pull(client, parse(VALKEY)).failure == said  # type: ignore[arg-type] # a stand-in
    assert not negative_cache.recent_failure("a.example")


def test_an_error_is_read_where_docker_will_go_on_to_say_it() -> None:
    assert error_of({"errorDetail": {"code": 1, "message": "whole"}, "error": ""}) == "whole"
    assert error_of({"error": "whole"}) == "whole"
    assert error_of({"status": "Downloading"}) == ""


@pytest.mark.parametrize(
    "statuses",
    [
        ["Extracting"],
        ["Pull complete", "Extracting", "Downloading", "Waiting"],
        ["Verifying Checksum", "Waiting"],
        ["Download complete", "Download complete"],  # no word of unpacking: the containerd store of Docker 26
        ["Already exists", "Download complete"],
    ],
)
@pytest.mark.usefixtures("clock")
def test_docker_may_unpack_without_a_word(statuses: list[str]) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = quiet_after(*statuses)
    assert ensure(client, VALKEY).startswith(f"{VALKEY}: pulled in")


@pytest.mark.usefixtures("clock", "built")
def test_a_registry_that_sends_nothing_is_given_up_and_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = quiet_after()
    assert ensure(client, VALKEY) == f"{VALKEY}: built"
    assert f"not pulled (the registry sent nothing for {pull.PULL_STALL_SECONDS} s)" in capsys.readouterr().err
    assert negative_cache.recent_failure("a.example")


@pytest.mark.usefixtures("clock")
def test_a_docker_that_does_not_end_unpacking_is_given_up_and_its_registry_is_not_called_unreachable(
    built: list[str],
) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = quiet_after("Extracting", seconds=LONGER_THAN_DOCKER_MAY)
    message = f"Docker reported nothing for {pull.UNPACK_STALL_SECONDS} s while it unpacked the layers"
    with pytest.raises(ImageError, match=message):
        ensure(client, VALKEY)
    assert not built
    assert not negative_cache.recent_failure("a.example")


def test_the_tag_is_not_counted_as_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    @contextmanager
    def watched(title: str) -> Iterator[Stage]:
        with progress(title) as stage:
            yield stage
        said.append(stage.line())

    monkeypatch.setattr(pull, "progress", watched)
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = itertools.islice(quiet_after("Pull complete", "Extracting"), 5)
    ensure(client, VALKEY)
    assert [line.rpartition(",")[0] for line in said] == [f"pulling {VALKEY}: 1 of 2 layers complete"]
