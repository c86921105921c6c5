"""Image references, the versions their tags ask for, and who refuses what."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from tooling.images import version
from tooling.images.errors import ImageError
from tooling.images.recipes import RECIPES
from tooling.images.reference import parse

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest", "name", "registry"),
    [
        ("valkey", "valkey", "latest", "", "valkey", "docker.io"),
        ("valkey/valkey:8", "valkey/valkey", "8", "", "valkey", "docker.io"),
        ("ghcr.io/open-webui/open-webui:main", "ghcr.io/open-webui/open-webui", "main", "", "open-webui", "ghcr.io"),
        ("localhost:5000/a/valkey", "localhost:5000/a/valkey", "latest", "", "valkey", "localhost:5000"),
        (f"a.example/valkey@{DIGEST}", "a.example/valkey", "latest", DIGEST, "valkey", "a.example"),
        (f"a.example/valkey:8@{DIGEST}", "a.example/valkey", "8", DIGEST, "valkey", "a.example"),
    ],
)
def test_a_reference_is_taken_apart_as_docker_does(
    text: str, repository: str, tag: str, digest: str, name: str, registry: str
) -> None:
    reference = parse(text)
    found = (reference.repository, reference.tag, reference.digest, reference.name, reference.registry)
    assert found == (repository, tag, digest, name, registry)


@pytest.mark.parametrize("text", ["", "Valkey", "Foo/bar", "a b", "valkey:", "valkey:ü", "a//b", "valkey@sha256:12"])
def test_what_is_no_reference_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ImageError, match=r"is not valid.*for example"):
        parse(text)


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("main", "1.2.3"),
        ("latest", "1.2.3"),
        ("v0.12.4", "0.12.4"),
        ("0.12.4-slim", "0.12.4"),
        ("8.0.1-alpine", "8.0.1"),
        ("8", "8"),
        ("8.0-alpine3.21", "8.0"),
        ("0.8.0-pg17", "0.8.0-pg17"),
        ("0.8.0-pg17-trixie", "0.8.0-pg17"),
    ],
)
def test_a_tag_asks_for_a_version(tag: str, wanted: str) -> None:
    assert version.of_tag(tag, newest="1.2.3").version == wanted


@pytest.mark.parametrize("tag", ["edge", "git-abc1234", "cuda", "8.x"])
def test_a_tag_without_a_version_cannot_be_built(tag: str) -> None:
    with pytest.raises(ImageError, match=f"{tag}.*names no version.*1.2.3"):
        version.of_tag(tag, newest="1.2.3")


def test_the_beginning_of_a_version_matches_whole_numbers_only() -> None:
    wanted = version.VersionConstraint("8.1")
    assert wanted.matches("8.1.4")
    assert wanted.matches("8.1")
    assert not wanted.matches("8.10.0")
    assert not wanted.exact


@pytest.mark.parametrize("wanted", ["0.8.0-pg17", "0.8-pg17", "0.8.0-pg17.12"])
def test_pgvector_is_the_one_wanted_where_its_version_and_postgres_version_are(wanted: str) -> None:
    assert version.VersionConstraint(wanted).matches("0.8.0-pg17.12")


@pytest.mark.parametrize("wanted", ["0.8.1-pg17", "0.8.0-pg1", "0.8.0-pg16", "0.8.0"])
def test_pgvector_is_another_where_one_of_the_two_is(wanted: str) -> None:
    assert not version.VersionConstraint(wanted).matches("0.8.0-pg17.12")


def test_a_pgvector_tag_that_names_no_postgres_is_refused_with_one_that_does() -> None:
    with pytest.raises(ImageError, match=r"names none: write 0\.8\.0-pg17"):
        RECIPES["pgvector"].image_spec(version.VersionConstraint("0.8.0"), Mock())


def test_caddy_that_drops_websockets_at_every_reload_is_refused() -> None:
    with pytest.raises(ImageError, match=r"2\.6\.2; this project needs 2\.9\.0 or later"):
        RECIPES["caddy"].constraint(parse("caddy:2.6.2-alpine"))


def test_a_digest_cannot_be_built() -> None:
    with pytest.raises(ImageError, match="by its digest"):
        RECIPES["valkey"].constraint(parse(f"valkey/valkey@{DIGEST}"))


def test_open_webui_below_the_minimum_is_refused_by_its_tag() -> None:
    with pytest.raises(ImageError, match=r"0\.11\.9; this project needs 0\.12\.0 or later"):
        RECIPES["open-webui"].constraint(parse("open-webui:v0.11.9"))


@pytest.mark.parametrize("label", ["", "main", "0.12.0", "v0.13.1", "1.0.0"])
def test_a_label_that_is_new_enough_or_no_version_passes(label: str) -> None:
    RECIPES["open-webui"].check(label, "the image")
