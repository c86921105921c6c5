"""Whether an image is used, pulled or built."""

# ruff: noqa: F811 - fixtures of another module

from __future__ import annotations

import time

import pytest

from docker_access import labels
from tests.unit.image_stand_ins import (  # noqa: F401 - fixtures among them
    MAIN,
    NO_NETWORK,
    RELEASE,
    VALKEY,
    Docker,
    Image,
    built,
    clock,
    ensure,
    local,
    own_cache,
    quiet_after,
)
from tooling.images import ensure as subject
from tooling.images import pull
from tooling.images.errors import ImageError
from tooling.machine import negative_cache
from tooling.machine.progress import progress


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


def test_a_registry_that_did_not_answer_is_asked_once_in_a_while_only(built: list[str]) -> None:
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


def test_a_local_build_of_another_version_is_built_again(built: list[str]) -> None:
    client = Docker({VALKEY: local("8.0.0")})
    assert ensure(client, VALKEY) == f"{VALKEY}: built"
    assert built == [VALKEY]


def test_a_local_build_of_an_older_recipe_is_built_again_and_it_is_said(
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


def test_what_stands_in_for_another_version_is_built_again(built: list[str]) -> None:
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
