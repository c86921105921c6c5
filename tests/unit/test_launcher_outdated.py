"""What is newer than a stack's images and the project's packages, by whom, and what `make outdated` ends with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from docker.errors import ImageNotFound

from docker_access import labels
from settings import Settings
from tests.unit.test_settings import read
from tooling.images import pypi, registry
from tooling.images.errors import ImageError, UnreachableError
from tooling.launcher import outdated as subject
from tooling.pulumi_files.project import load_project
from tooling.pulumi_files.stack import Stack, find_stack

OURS, OTHERS = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
NO_HOST = "does not answer (no such host)"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "Pulumi.yaml").write_text("name: open-webui\nruntime: python\n")
    (tmp_path / "Pulumi.team.yaml").write_text("")
    (tmp_path / "requirements.txt").write_text("docker==7.2.0 \\\n    --hash=sha256:1\npulumi==3.270.0\nrich==15\n")
    return find_stack(load_project(tmp_path), "team")


class World:
    """Images that are here, what registries list, and what the package index has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.here: dict[str, Any] = {}
        self.listed: dict[str, list[str]] = {}
        self.digest = OURS
        self.index: dict[str, str] | None = {"docker": "7.2.0", "pulumi": "3.270.0", "open-webui": "0.12.4"}
        self.asked: list[str] = []
        client = Mock()
        client.images.get.side_effect = self._get
        monkeypatch.setattr(subject, "docker_client", Mock(return_value=client))
        monkeypatch.setattr(subject, "recent_failure", lambda _: "")
        monkeypatch.setattr(subject, "PROJECT_FOLDER", folder)
        monkeypatch.setattr(registry, "tags", self._tags)
        monkeypatch.setattr(registry, "digest", lambda *_: self.digest)
        monkeypatch.setattr(pypi, "newest", self._newest)

    def pulled(self, name: str, digest: str = OURS, **marks: str) -> None:
        self.here[name] = Mock(labels=marks, attrs={"RepoDigests": [f"{name.partition(':')[0]}@{digest}"]})

    def built(self, name: str, version: str) -> None:
        marks = {labels.LOCAL_BUILD: "PyPI", labels.IMAGE_VERSION: version}
        self.here[name] = Mock(labels=marks, attrs={"RepoDigests": [f"{name}@{OTHERS}"]})

    def _get(self, name: str) -> Any:
        if name not in self.here:
            raise ImageNotFound(name)
        return self.here[name]

    def _tags(self, reference: Any) -> list[str]:
        self.asked.append(reference.registry)
        if reference.registry == "b.example":
            raise ImageError("b.example does not list its tags (404)")
        if reference.repository not in self.listed:
            raise UnreachableError(f"{reference.registry} {NO_HOST}")
        return self.listed[reference.repository]

    def _newest(self, *_: Any, text: str = "") -> dict[str, str]:
        self.asked.append(text or "packages")
        if self.index is None:
            raise UnreachableError(f"the package index {NO_HOST}")
        return self.index


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> World:
    return World(monkeypatch, stack.project.directory)


def settings(open_webui: str, valkey: str) -> Settings:
    return read({"openWebuiImage": open_webui, "valkeyImage": valkey}, stack="team")


OPEN_WEBUI, VALKEY = "a.example/open-webui:v0.12.4", "a.example/valkey:8.1.10-alpine"


@pytest.fixture
def all_newest(world: World) -> World:
    for name in (OPEN_WEBUI, VALKEY):
        world.pulled(name)
        world.listed[name.rpartition(":")[0]] = [name.rpartition(":")[2], "main"]
    return world


def test_what_is_the_newest_is_said_to_be_by_whom(
    all_newest: World, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert subject.outdated(stack, settings(OPEN_WEBUI, VALKEY), as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "what             has            newer  says",
        "openWebuiImage   v0.12.4        none   a.example",
        "valkeyImage      8.1.10-alpine  none   a.example",
        "Python packages  2 pinned       none   the package index",
    ]
    assert "open-webui" not in all_newest.asked


def test_the_newest_and_the_newest_that_only_repairs_are_named_with_what_to_do(
    all_newest: World, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    all_newest.listed["a.example/valkey"] = ["8.1.11-alpine", "8.1.12-alpine", "9.0.0-alpine", "9.0.1"]
    all_newest.index = {"docker": "7.2.0", "pulumi": "3.271.0", "nanio": "1"}
    assert subject.outdated(stack, settings(OPEN_WEBUI, VALKEY), as_json=False) == 2
    said = capsys.readouterr().out
    assert "9.0.0-alpine; of 8.1: 8.1.12-alpine  a.example\n" in said
    assert "pulumi          3.270.0        3.271.0" in said
    assert "docker" not in said
    assert "nanio" not in said
    assert "write its tag into Pulumi.team.yaml, then: make up STACK=team" in said
    assert said.endswith("or: make lock UPGRADE=1\n")


def test_what_the_project_was_tried_with_is_newer_whatever_a_registry_says(
    world: World, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = "docker.io/valkey/valkey:8.0.1-alpine"
    world.built(tried, "8.0.1")
    world.pulled(OPEN_WEBUI)
    assert subject.outdated(stack, settings(OPEN_WEBUI, tried), as_json=True) == 2
    open_webui, valkey, *_ = json.loads(capsys.readouterr().out)
    assert (valkey["has"], valkey["newer"]) == ("8.0.1-alpine (built here)", ["8.1.10-alpine"])
    assert (valkey["told_by"], valkey["unknown"]) == (["this project"], f"docker.io {NO_HOST}")
    assert (open_webui["told_by"], open_webui["unknown"]) == ([f"the package index; a.example {NO_HOST}"], "")


@pytest.mark.parametrize(
    ("name", "fix"), [(VALKEY, f"docker pull {VALKEY}"), (f"{VALKEY}@{OURS}", "make pin STACK=team")]
)
def test_a_tag_that_means_another_image_by_now_is_told_with_the_command_that_takes_it(
    all_newest: World, stack: Stack, capsys: pytest.CaptureFixture[str], name: str, fix: str
) -> None:
    all_newest.pulled(f"a.example/valkey@{OURS}", OTHERS)
    all_newest.digest = OTHERS
    all_newest.pulled(OPEN_WEBUI, OTHERS)
    assert subject.outdated(stack, settings(OPEN_WEBUI, name), as_json=False) == 2
    said = capsys.readouterr().out
    assert "valkeyImage      8.1.10-alpine  same tag, another image  a.example" in said
    assert said.endswith(f"valkeyImage: the tag means another image now. To take it: {fix} && make up STACK=team\n")


def test_an_image_that_was_built_here_or_is_not_here_is_none_that_a_tag_has_left(
    all_newest: World, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    all_newest.digest = OTHERS
    all_newest.built(OPEN_WEBUI, "0.12.4")
    del all_newest.here[VALKEY]
    assert subject.outdated(stack, settings(OPEN_WEBUI, VALKEY), as_json=False) == 0
    said = capsys.readouterr().out
    assert "v0.12.4 (built here)" in said
    assert "8.1.10-alpine (not here)" in said


@pytest.mark.parametrize("tag", ["main", "v0.12.4"])
def test_where_no_registry_answers_the_package_index_tells_of_open_webui(
    world: World, stack: Stack, capsys: pytest.CaptureFixture[str], tag: str
) -> None:
    world.built(f"a.example/open-webui:{tag}", "0.12.4")
    world.index = {"open-webui": "0.12.9", "docker": "7.2.0"}
    assert subject.outdated(stack, settings(f"a.example/open-webui:{tag}", VALKEY), as_json=False) == 2
    has, newer, says = re.split(r"\s{2,}", capsys.readouterr().out.splitlines()[1])[1:]
    assert has == ("main (0.12.4, built here)" if tag == "main" else "v0.12.4 (built here)")
    assert (newer, says) == ("0.12.9", f"the package index; a.example {NO_HOST}")
    assert world.asked.count("a.example") == 1


def test_where_nobody_answers_each_is_asked_once_and_the_reason_said_in_its_line(
    world: World, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    world.index = None
    assert subject.outdated(stack, settings(OPEN_WEBUI, VALKEY), as_json=False) == 1
    assert world.asked == ["a.example", "open-webui"]
    open_webui, valkey, packages = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[1:]]
    assert open_webui.endswith(f"v0.12.4 (not here) ? a.example {NO_HOST}; the package index {NO_HOST}")
    assert valkey.endswith(f"? a.example {NO_HOST}")
    assert packages == f"Python packages 3 pinned ? the package index {NO_HOST}"


def test_a_registry_that_did_not_answer_a_while_ago_is_not_asked(
    world: World, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "recent_failure", lambda whom: "not a minute ago" if whom == "a.example" else "")
    assert subject.outdated(stack, settings(OPEN_WEBUI, VALKEY), as_json=False) == 1
    assert "a.example" not in world.asked


def test_a_registry_that_does_not_list_one_image_is_asked_for_the_next(world: World, stack: Stack) -> None:
    subject.outdated(stack, settings("b.example/mine:1", "b.example/valkey:8.1.10-alpine"), as_json=True)
    assert world.asked.count("b.example") == 2


def test_a_digest_without_a_tag_has_nothing_newer(
    all_newest: World, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert subject.outdated(stack, settings(OPEN_WEBUI, f"a.example/valkey@{OURS}"), as_json=False) == 1
    assert "@sha256:abababababab  ?      a digest without a tag has nothing newer" in capsys.readouterr().out
    assert all_newest.asked.count("a.example") == 1
