"""The decision whether an image is used, pulled or built, with a stand-in for Docker."""

from __future__ import annotations

import itertools
import json
import queue
import shutil
import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest

from docker_access import labels, logins
from docker_access.pulls import error_of, is_silence
from tooling.images import disk, pull
from tooling.images import ensure as subject
from tooling.images.errors import ImageError
from tooling.images.recipes import RECIPES
from tooling.images.reference import parse
from tooling.machine import negative_cache
from tooling.machine.progress import Stage, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

REVISION = "7"
NO_NETWORK = "lookup registry.example: no such host"


class Image:
    def __init__(self, *tags: str, **marks: str) -> None:
        self.id = "sha256:1"
        self.labels = marks
        self.tags = list(tags)
        self.home: dict[str, Image] = {}

    def reload(self) -> None:
        pass

    def tag(self, repository: str, tag: str) -> None:
        self.home[f"{repository}:{tag}"] = self


class Docker:
    """The part of a Docker client that is used: images by name, a registry that has some or does not answer."""

    def __init__(self, present: dict[str, Image], registry: dict[str, Image] | None = None) -> None:
        self.present = present
        for image in present.values():
            image.home = present
        self.registry = registry
        self.removed: list[str] = []
        self.asked = 0
        self.logins: list[dict[str, Any]] = []
        self.refuses_logins = ""
        self.api = self
        self.images = self
        self.timeout = 900
        self.stream: Iterable[dict[str, Any]] = [{"id": "layer", "status": "Pull complete"}]

    def info(self) -> dict[str, Any]:
        return {}

    def get(self, name: str) -> Image:
        if name not in self.present:
            raise docker.errors.ImageNotFound(name)
        return self.present[name]

    def remove(self, image: str) -> None:
        self.removed.append(image)

    def pull(
        self, repository: str, *, tag: str, stream: bool, decode: bool, auth_config: dict[str, Any]
    ) -> Iterable[dict[str, Any]]:
        assert stream
        assert decode
        self.asked += 1
        self.logins.append(auth_config)
        if auth_config and self.refuses_logins:
            return [{"errorDetail": {"message": self.refuses_logins}}]
        name = f"{repository}{'@' if ':' in tag else ':'}{tag}"
        if self.registry is None:
            raise docker.errors.APIError(NO_NETWORK, explanation=NO_NETWORK)
        if name not in self.registry:
            return [{"errorDetail": {"message": f"manifest for {name} not found"}}]
        self.present[name] = self.registry[name]
        return self.stream

    def list(self, filters: dict[str, str]) -> list[Image]:
        return [image for image in self.present.values() if filters["label"] in image.labels]


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(negative_cache, "_FILE", tmp_path / "unreachable.json")
    monkeypatch.delenv("IMAGE_BYTECODE", raising=False)
    monkeypatch.delenv("BUILD_IMAGES", raising=False)
    same_revision = {name: replace(recipe, revision=int(REVISION)) for name, recipe in RECIPES.items()}
    monkeypatch.setattr(subject, "RECIPES", same_revision)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds that were asked for; each leaves the version that was asked for."""
    done: list[str] = []

    def build(client: Any, reference: Any, recipe: Any, *, bytecode: bool | None) -> str:
        client.present[str(reference)] = local(recipe.constraint(reference).version, bytecode=bool(bytecode))
        done.append(str(reference))
        return f"{reference}: built"

    monkeypatch.setattr(subject, "_build", build)
    return done


def local(version: str, *tags: str, bytecode: bool = False, stands_in_for: str = "") -> Image:
    marks = {labels.STANDS_IN_FOR: stands_in_for} if stands_in_for else {}
    compiled = {labels.LOCAL_BYTECODE: "true"} if bytecode else {}
    made = {labels.LOCAL_BUILD: "Debian", labels.IMAGE_VERSION: version, labels.LOCAL_RECIPE: REVISION}
    return Image(*tags, **made, **compiled, **marks)


def ensure(client: Docker, name: str, *, rebuild: bool = False) -> str:
    return subject.ensure(client, name, rebuild=rebuild)  # type: ignore[arg-type] # a stand-in


VALKEY = "a.example/valkey:8.0.1-alpine"
MAIN, RELEASE = "a.example/open-webui:main", "a.example/open-webui:v0.12.4"


def test_a_pulled_image_is_used_as_it_is() -> None:
    client = Docker({VALKEY: Image()}, registry={VALKEY: Image()})
    assert ensure(client, VALKEY) == f"{VALKEY}: present"
    assert client.asked == 0


def test_an_image_of_the_registry_is_pulled(built: list[str]) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    assert ensure(client, VALKEY).startswith(f"{VALKEY}: pulled in")
    assert not built


def test_without_a_registry_a_known_image_is_built(built: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ensure(Docker({}), VALKEY) == f"{VALKEY}: built"
    assert built == [VALKEY]
    assert NO_NETWORK in capsys.readouterr().err


def test_an_unknown_image_that_cannot_be_pulled_is_an_error_with_ways_out(built: list[str]) -> None:
    with pytest.raises(ImageError, match=rf"(?s)other:1 is not present.*{NO_NETWORK}.*docker load"):
        ensure(Docker({}), "a.example/other:1")
    assert not built


def test_a_digest_that_cannot_be_pulled_is_an_error(built: list[str]) -> None:
    with pytest.raises(ImageError, match=r"(?s)cannot be pulled.*by its digest"):
        ensure(Docker({}), "a.example/valkey@sha256:" + "0" * 64)
    assert not built


def test_a_local_build_is_not_replaced_in_passing_though_its_registry_answers(built: list[str]) -> None:
    client = Docker({VALKEY: local("8.0.1")}, registry={VALKEY: Image()})
    assert ensure(client, VALKEY) == f"{VALKEY}: present, built locally from Debian"
    assert client.asked == 0
    assert not built


def test_a_silent_registry_is_asked_once_in_a_while_only(built: list[str]) -> None:
    client = Docker({})
    for _ in range(3):
        client.present.clear()
        ensure(client, VALKEY)
    assert client.asked == 1
    assert built == [VALKEY] * 3


ANSWERS_OTHERWISE = {
    "manifest for valkey/valkey:8 not found: manifest unknown: manifest unknown": "correct the name or the tag",
    "pull access denied for valkey/valkey, repository does not exist or may require 'docker login'": "it needs a login",
    "toomanyrequests: You have reached your pull rate limit": "wait, or log in",
    "unexpected status from HEAD request to https://a.example/v2/valkey/manifests/8: 429 Too Many Requests": "wait, or",
    "unauthorized: authentication required": "`docker login a.example`",
    'Get "https://a.example/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority': (
        "put its CA into /etc/docker/certs.d/a.example/ca.crt"
    ),
    "unexpected status from HEAD request to https://a.example/v2/valkey/manifests/8: 403 Forbidden": "it needs a login",
    "no matching manifest for linux/arm64/v8 in the manifest list entries": "none for this kind of machine",
    "failed to register layer: no space left on device": "`docker pull a.example/valkey:8.0.1-alpine` tries it again",
}


@pytest.mark.parametrize(("said", "way_out"), ANSWERS_OTHERWISE.items())
def test_nothing_is_built_where_the_registry_was_reached(said: str, way_out: str, built: list[str]) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = [{"errorDetail": {"message": said}}]
    with pytest.raises(ImageError) as stopped:
        ensure(client, VALKEY)
    assert f"{VALKEY} is not present and cannot be pulled: {said}\n" in str(stopped.value)
    assert way_out in str(stopped.value)
    assert "BUILD_IMAGES=1 has it built here all the same" in str(stopped.value)
    assert not built


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("how_far", [["Downloading"], ["Waiting", "Pull complete"], ["Retrying in 5 seconds"]])
def test_nothing_is_built_where_a_download_stops_half_way(how_far: list[str], built: list[str]) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = quiet_after(*how_far)
    with pytest.raises(ImageError, match=rf"sent nothing for {pull.PULL_STALL_SECONDS} s\n`docker pull"):
        ensure(client, VALKEY)
    assert not built
    assert not negative_cache.recent_failure("a.example")


def test_nothing_is_built_where_the_network_breaks_during_a_download(built: list[str]) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = [{"id": "layer", "status": "Downloading"}, {"error": "read tcp: connection reset by peer"}]
    with pytest.raises(ImageError, match="connection reset by peer\n`docker pull"):
        ensure(client, VALKEY)
    assert not built


def test_who_asks_has_it_built_without_a_question_to_the_registry(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_IMAGES", "1")
    client = Docker({RELEASE: Image()}, registry={VALKEY: Image()})
    ensure(client, VALKEY)
    assert ensure(client, RELEASE) == f"{RELEASE}: present"
    assert client.asked == 0
    assert built == [VALKEY]


def test_what_cannot_be_built_is_pulled_though_builds_are_asked_for(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_IMAGES", "1")
    for name in ("a.example/other:1", "a.example/valkey@sha256:" + "0" * 64):
        assert ensure(Docker({}, registry={name: Image()}), name).startswith(f"{name}: pulled in")
    assert not built


@pytest.mark.parametrize(
    ("asked", "said"), [("", f"cannot be pulled: {NO_NETWORK}"), ("1", "is not pulled: BUILD_IMAGES=1")]
)
def test_a_stack_that_takes_no_local_build_has_none_made(
    asked: str, said: str, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_IMAGES", asked)
    with pytest.raises(ImageError, match=rf"is not present and {said}\nProduction takes none"):
        subject.ensure(Docker({}), VALKEY, refuse_build="Production takes none")  # type: ignore[arg-type] # a stand-in
    assert not built


def test_a_stack_that_takes_no_local_build_does_not_take_the_one_there_is(built: list[str]) -> None:
    for image in (local("8.0.1"), local("8.0.0")):
        with pytest.raises(ImageError, match=r"8\.0\.1-alpine was built on this machine, from Debian\.\nProduction"):
            subject.ensure(Docker({VALKEY: image}), VALKEY, refuse_build="Production takes none")  # type: ignore[arg-type]
    assert not built


# --- logins


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


def test_a_registry_that_is_silent_is_not_asked_twice_for_a_login(login: Callable[..., str], built: list[str]) -> None:
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
def test_a_registry_that_was_silent_is_asked_again_for_what_cannot_be_built(name: str) -> None:
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
    assert is_silence(said)
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
def test_a_registry_that_answers_otherwise_is_not_called_silent(said: str) -> None:
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = [{"error": said}]
    assert pull.pull(client, parse(VALKEY)).failure == said  # type: ignore[arg-type] # a stand-in
    assert not negative_cache.recent_failure("a.example")


def test_an_error_is_read_where_docker_will_go_on_to_say_it() -> None:
    assert error_of({"errorDetail": {"code": 1, "message": "whole"}, "error": ""}) == "whole"
    assert error_of({"error": "whole"}) == "whole"
    assert error_of({"status": "Downloading"}) == ""


LONGER_THAN_A_REGISTRY_MAY = pull.PULL_STALL_SECONDS + 1
LONGER_THAN_DOCKER_MAY = pull.UNPACK_STALL_SECONDS + 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stream says of being quiet is believed, and not waited for."""

    class Said(queue.Queue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - as there
            event = super().get(timeout=20)
            if not isinstance(event, dict) or "quiet" not in event:
                return event
            if timeout and timeout < event["quiet"]:
                raise queue.Empty
            return self.get(timeout=timeout)

    monkeypatch.setattr(pull, "queue", SimpleNamespace(Queue=Said, Empty=queue.Empty))


def quiet_after(*statuses: str, seconds: float = LONGER_THAN_A_REGISTRY_MAY) -> Iterator[dict[str, Any]]:
    """A pull of as many layers, in which Docker says nothing for a while once they are as far as this."""
    yield {"status": "Pulling from valkey", "id": "8.0.1-alpine"}
    for number, status in enumerate(statuses):
        yield {"id": str(number), "status": "Pulling fs layer"}
        yield {"id": str(number), "status": status}
    yield {"quiet": seconds}
    for number in range(len(statuses)):
        yield {"id": str(number), "status": "Pull complete"}


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
def test_docker_may_unpack_in_silence(statuses: list[str]) -> None:
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
def test_a_docker_that_does_not_end_unpacking_is_given_up_and_its_registry_is_not_called_silent(
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


# --- room for it


def with_free(monkeypatch: pytest.MonkeyPatch, **gigabytes: float) -> None:
    """Have folders with so much room, by the last part of their names."""

    def usage(folder: Path) -> SimpleNamespace:
        if folder.name not in gigabytes:
            raise FileNotFoundError(folder)
        return SimpleNamespace(free=gigabytes[folder.name] * 1e9)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.delenv("DOCKER_HOST", raising=False)


HERE = {"Name": socket.gethostname()}
CONTAINERD_STORE: dict[str, Any] = {
    **HERE,
    "DockerRootDir": "/mnt/ssd/docker",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
}
SLIM = "a.example/open-webui:v0.12.4-slim"


@pytest.mark.parametrize(
    ("name", "free", "need"), [(MAIN, 5.9, 6), (SLIM, 1.4, 1.5), (VALKEY, 0.4, 0.5)], ids=["official", "slim", "other"]
)
def test_an_image_that_has_no_room_is_not_pulled(
    name: str, free: float, need: float, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, docker=free, tmp=99)
    client = Docker({}, registry={name: Image()})
    client.stream = quiet_after("Downloading")
    monkeypatch.setattr(client, "info", lambda: {**HERE, "DockerRootDir": "/mnt/ssd/docker"})
    message = rf"needs about {need:.1f} GB of disk, and /mnt/ssd/docker, where .*, has {free} GB free\. Make room"
    with pytest.raises(ImageError, match=message):
        ensure(client, name)
    assert not built
    with_free(monkeypatch, docker=need)
    client.stream = [{"id": "layer", "status": "Pull complete"}]
    assert ensure(client, name).endswith(("present", "pulled in 0 s"))


def test_an_image_whose_layers_are_all_here_needs_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, docker=0)
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = [{"id": "layer", "status": "Already exists"}]
    monkeypatch.setattr(client, "info", lambda: {**HERE, "DockerRootDir": "/mnt/ssd/docker"})
    assert ensure(client, VALKEY).startswith(f"{VALKEY}: pulled in")


@pytest.mark.parametrize(
    ("free", "where"),
    [
        ({"docker": 1.4, "containerd": 9, "tmp": 9}, "/mnt/ssd/docker, where Docker has its data"),
        ({"docker": 9, "containerd": 1.4, "tmp": 9}, "/var/lib/containerd, where containerd has Docker's images"),
        ({"docker": 9, "containerd": 9, "tmp": 1.4}, r"/tmp, where images are built \(TMPDIR\)"),
    ],
)
def test_open_webui_is_not_built_where_it_has_no_room(
    free: dict[str, float], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, **free)
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    client = Docker({})
    monkeypatch.setattr(client, "info", lambda: CONTAINERD_STORE)
    with pytest.raises(ImageError, match=rf"^{MAIN} needs about 1\.5 GB of disk, and {where}, has 1\.4 GB free"):
        ensure(client, MAIN)


@pytest.mark.parametrize(
    ("info", "host"),
    [
        ({}, ""),
        ({**HERE, "DockerRootDir": "/nowhere"}, ""),
        ({"Name": "docker-desktop", "DockerRootDir": "/mnt/ssd/docker"}, ""),
        ({**HERE, "DockerRootDir": "/mnt/ssd/docker"}, "ssh://chat-host"),
        (
            {**CONTAINERD_STORE, "DockerRootDir": "/nowhere", "Containerd": {"Address": "/run/docker/containerd.sock"}},
            "",
        ),
    ],
    ids=["told nothing", "not seen from here", "a virtual machine", "another machine", "a containerd of Docker's own"],
)
def test_nothing_is_said_of_room_that_nothing_is_known_of(
    info: dict[str, Any], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, docker=0, containerd=0)
    if host:
        monkeypatch.setenv("DOCKER_HOST", host)
    client: Any = SimpleNamespace(info=lambda: info)
    assert disk.shortage(client, parse(MAIN), disk.to_pull(parse(MAIN))) == ""


def test_a_local_build_of_another_version_is_built_anew(built: list[str]) -> None:
    client = Docker({VALKEY: local("8.0.0")})
    assert ensure(client, VALKEY) == f"{VALKEY}: built"
    assert built == [VALKEY]


def test_a_local_build_of_an_older_recipe_is_built_anew_and_it_is_said(
    built: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    older = Image(**{labels.LOCAL_BUILD: "Debian", labels.IMAGE_VERSION: "8.0.1"})
    assert ensure(Docker({VALKEY: older}), VALKEY) == f"{VALKEY}: built"
    assert "was made by another recipe than this project's now (revision 7)" in capsys.readouterr().err


def test_an_older_recipe_is_no_twin(built: list[str]) -> None:
    older = Image(MAIN, **{labels.LOCAL_BUILD: "Debian", labels.IMAGE_VERSION: "0.12.4", labels.LOCAL_RECIPE: "6"})
    ensure(Docker({MAIN: older}), RELEASE)
    assert built == [RELEASE]


def test_a_neighbour_that_stands_in_is_named_and_is_not_built_again(built: list[str]) -> None:
    client = Docker({"a.example/valkey:8.1.10": local("8.1.1", stands_in_for="8.1.10")})
    line = ensure(client, "a.example/valkey:8.1.10")
    assert line.endswith("present, built locally from Debian; IN PLACE OF 8.1.10: this mirror has 8.1.1")
    assert not built


def test_what_stands_in_for_another_version_is_built_anew(built: list[str]) -> None:
    name = "a.example/valkey:8.1.10"
    ensure(Docker({name: local("8.1.1", stands_in_for="8.1.9")}), name)
    assert built == [name]


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("asked", ["", "0", "1"])
def test_bytecode_is_as_asked_for_and_as_it_is_where_nobody_asks(
    built: list[str], monkeypatch: pytest.MonkeyPatch, *, present: bool, asked: str
) -> None:
    monkeypatch.setenv("IMAGE_BYTECODE", asked)
    client = Docker({MAIN: local("0.12.4", bytecode=present)})
    ensure(client, MAIN)
    wanted = {"": present, "0": False, "1": True}[asked]
    assert (labels.LOCAL_BYTECODE in client.present[MAIN].labels) == wanted
    assert bool(built) == (wanted != present)


def test_bytecode_is_told(built: list[str]) -> None:
    line = ensure(Docker({MAIN: local("0.12.4", bytecode=True)}), MAIN)
    assert line.endswith("; with bytecode, for speed: it boots quicker than the official image")


def test_software_without_bytecode_is_not_built_again_for_it(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_BYTECODE", "1")
    ensure(Docker({VALKEY: local("8.0.1")}), VALKEY)
    assert not built


def test_another_word_for_bytecode_is_refused(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_BYTECODE", "yes")
    with pytest.raises(ImageError, match=r"IMAGE_BYTECODE is 'yes'\. Set it to 1"):
        ensure(Docker({}), MAIN)
    assert not built


def test_open_webui_below_the_minimum_is_refused_whatever_its_tag_says() -> None:
    name = "a.example/open-webui:main"
    with pytest.raises(ImageError, match=r"0\.6\.5; this project needs 0\.12\.0"):
        ensure(Docker({name: Image(**{labels.IMAGE_VERSION: "v0.6.5"})}), name)


def test_open_webui_below_the_minimum_is_refused_before_anything_is_asked(built: list[str]) -> None:
    client = Docker({})
    with pytest.raises(ImageError, match="needs 0\\.12\\.0"):
        ensure(client, "a.example/open-webui:v0.11.0")
    assert client.asked == 0
    assert not built


@pytest.mark.parametrize(("there", "wanted"), [(MAIN, RELEASE), (RELEASE, MAIN)])
def test_the_same_version_built_under_another_tag_is_not_built_again(built: list[str], there: str, wanted: str) -> None:
    client = Docker({there: local("0.12.4", there)})
    assert ensure(client, wanted) == f"{wanted}: the local build of {there}, from Debian"
    assert client.present[wanted] is client.present[there]
    assert not built


@pytest.mark.parametrize(
    ("there", "version", "wanted"),
    [
        (MAIN, "0.12.3", RELEASE),
        ("a.example/other:v0.12.4", "0.12.4", RELEASE),
        ("a.example/valkey:8.0.1", "8.0.1", "a.example/valkey:8.0"),
        ("a.example/pgvector:0.8.0-pg16", "0.8.0-pg16.4", "a.example/pgvector:0.8.0-pg17"),
    ],
)
def test_another_version_or_another_software_is_no_reason_not_to_build(
    built: list[str], there: str, version: str, wanted: str
) -> None:
    ensure(Docker({there: local(version, there)}), wanted)
    assert built == [wanted]


def test_an_image_of_a_registry_is_not_passed_off_as_a_local_build(built: list[str]) -> None:
    ensure(Docker({MAIN: Image(MAIN, **{labels.IMAGE_VERSION: "0.12.4"})}), RELEASE)
    assert built == [RELEASE]


def test_a_rebuild_replaces_what_is_there(built: list[str]) -> None:
    client = Docker({VALKEY: Image()}, registry={VALKEY: Image()})
    assert ensure(client, VALKEY, rebuild=True) == f"{VALKEY}: built"
    assert client.asked == 0


def test_a_long_step_is_never_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("building", interval_seconds=0.01) as stage:
        stage.text = "unpacking"
        said, deadline = "", time.monotonic() + 20
        while "building: unpacking, 0 s\n" not in said and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
        assert "building: unpacking, 0 s\n" in said
