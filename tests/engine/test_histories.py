"""Whatever happens to a stack: nothing is lost, nothing is doubled, and the next update puts it right."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.engine.histories import AtOnce, Life, Step, histories
from tests.seed import SEED
from tooling.pulumi_files.secrets import Secrets


@pytest.fixture(autouse=True)
def one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("deletions", "refresh"):
        monkeypatch.setattr(f"tooling.engine.{module}.ThreadPoolExecutor", AtOnce)


def lived(secrets: Secrets, history: list[Step]) -> None:
    """Judge a history: whatever it was, the next update gets there, another does nothing, and a destroy ends it."""
    life = Life(secrets)
    for step in history:
        life.live(step)
    life.backend.text = life.backend.text.replace('"protect":true', '"protect":false')  # pulumi state unprotect
    programs = [step.program for step in history if step.command == "up"]
    last = tuple(replace(one, protect=False) for one in programs[-1]) if programs else ()
    assert life.live(Step(program=last, refresh=True)) == "succeeded"
    assert life.live(Step(program=last)) == "succeeded"
    assert life.world.passed == 0, "it did something again"
    assert life.live(Step(command="destroy")) == "succeeded"


@pytest.mark.processes
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("examples", "part"), [(300, 0), *(pytest.param(5000, part, marks=pytest.mark.nightly) for part in range(1, 5))]
)
def test_after_any_history_nothing_is_lost_or_doubled_and_all_is_as_the_program_says(
    secrets: Secrets, examples: int, part: int
) -> None:
    print(f"TESTS_SEED={SEED}")

    @seed(f"{SEED} {part}")
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[*HealthCheck],
    )
    @given(history=histories)
    def holds(history: list[Step]) -> None:
        lived(secrets, history)

    holds()
