"""Every fault of the catalogue, on real containers: is it named, and what does Open WebUI say of itself meanwhile?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from docker_access.client import docker_client
from tests.integration.catalogue import THEMES, Fault
from tests.integration.hand_made import ADMIN_PASSWORD, APP_IMAGE, PASSWORD, STAND_IN, Labs, own_health, silent
from verification.report.terminal import as_text
from verification.run import verify

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    # A command that hangs in a container is left behind, and its connection to Docker to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
GROUPS = {
    "replicas": ("At the URL, and at the gateway", "The containers around them", "What is to be locked"),
    "accounts": ("An account and the replicas", "The database's schema"),
    "variants": (
        "As others deploy it",
        "How Open WebUI was started",
        "Open WebUI itself",
        "What was asked for, and what is told",
        "What cannot be asked",
    ),
}
"""Themes by the lab that most of their faults need, one worker's; the others need the pair."""


def cases() -> Iterator[Any]:
    """Every fault on the stand-in for Open WebUI, and on Open WebUI itself where it is asked what it says."""
    for theme, faults in THEMES.items():
        lab = next((lab for lab, themes in GROUPS.items() if theme in themes), "pair")
        for fault in faults:
            group = pytest.mark.xdist_group(f"faults of {lab}")
            yield pytest.param(STAND_IN, fault, id=fault.name, marks=[group, pytest.mark.sampled])
            if fault.own != "-/-" and lab != "accounts":
                marks = [
                    pytest.mark.xdist_group("faults of Open WebUI"),
                    *([] if fault.real else [pytest.mark.nightly]),
                ]
                yield pytest.param(APP_IMAGE, fault, id=f"{fault.name}, of Open WebUI itself", marks=marks)


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Labs]]:
    """Deployments made by hand, by the image of their apps."""
    client = docker_client()
    made = {}
    for image in (STAND_IN, APP_IMAGE):
        directory = tmp_path_factory.mktemp("files")
        for folder in (directory, *directory.parents[:2]):
            folder.chmod(0o755)
        made[image] = Labs(client, directory, image)
    try:
        yield made
    finally:
        for lab in made.values():
            lab.remove()
        client.close()


@pytest.mark.parametrize(("image", "fault"), list(cases()))
def test_it_is_named(labs: Mapping[str, Labs], image: str, fault: Fault) -> None:
    with fault.inject(labs[image]) as subject:
        report = verify(subject, silent)
        own = {app: own_health(labs[image].client, app) for app in subject.apps if fault.own != "-/-"}

    told = as_text(report)
    rows = {row["id"]: row for row in report["checks"]}
    assert report["verdict"] == fault.verdict, told
    assert {check: rows[check]["cause"] for check in fault.causes} == fault.causes, told
    assert rows[fault.check]["status"] == fault.status, told
    if fault.verdict != "proved":
        assert report["summary"].startswith(f"{fault.verdict}: {fault.first or fault.cause}: "), report["summary"]
    for app, answers in own.items():
        for path, answer in answers.items():
            assert answer in fault.own_answers[path], f"{app} answers {answer} at {path}"
    assert not [secret for secret in (PASSWORD, ADMIN_PASSWORD) if secret in json.dumps(report)]
