"""Every fault of the catalogue, on real containers: is it named, in time, and what does /health say meanwhile?"""

from __future__ import annotations

import json
import time

import pytest

from tests.integration.catalogue import FAULTS, THEMES, Fault
from tests.integration.catalogue.page import PAGE, page
from tests.integration.hand_made import ADMIN_PASSWORD, PASSWORD, Labs, own_health, silent
from verification.report import as_text
from verification.run import verify

pytestmark = [
    pytest.mark.docker,
    # A command that hangs in a container is left behind, and its connection to Docker to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def seen() -> list[Fault]:
    """The faults that were judged as they should be."""
    return []


def own_word(labs: Labs, app: str, fault: Fault) -> dict[str, str]:
    """What Open WebUI says of itself, asked thrice at most: on a busy machine one answer may take too long."""
    answers: dict[str, str] = {}
    for _ in range(3):
        answers = own_health(labs.client, app)
        if all(answer in fault.own_answers[path] for path, answer in answers.items()):
            break
    return answers


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_is_named(labs: Labs, seen: list[Fault], fault: Fault) -> None:
    with fault.inject(labs) as subject:
        started = time.monotonic()
        report = verify(subject, silent)
        seconds = time.monotonic() - started
        own = {app: own_word(labs, app, fault) for app in subject.apps if fault.own != "-/-"}

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
    assert seconds < fault.bound, told
    assert not [secret for secret in (PASSWORD, ADMIN_PASSWORD) if secret in json.dumps(report)]
    seen.append(fault)


def test_the_page_tells_what_was_seen(seen: list[Fault]) -> None:
    if len(seen) < len(FAULTS):
        pytest.skip(f"{len(seen)} of {len(FAULTS)} faults were judged as they should be; the page tells of all")
    told = page(THEMES)
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != told:
        PAGE.write_text(told, encoding="utf-8")
        pytest.fail(f"{PAGE.name} did not tell what was seen; it does now: commit it")
