"""Asking again, on a clock that jumps."""

from __future__ import annotations

import pytest

from docker_access.polling import Clock, poll
from tests.unit import passing_time
from verification.inside import polling


class Asking:
    """Gives its answers in order, the last one for good, and counts the questions."""

    def __init__(self, *answers: int) -> None:
        self.answers, self.asked = list(answers), 0
        self.time = 0.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def __call__(self) -> int:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def later(self) -> int:
        return self()


@pytest.mark.parametrize(
    ("answers", "seconds", "last", "asked"),
    [((7,), 9, 7, 1), ((0, 0, 7), 9, 7, 3), ((0,), 1, 0, 5), ((0, 7), 0, 0, 1)],
    ids=["good at once", "good in time", "never good", "asked once"],
)
def test_it_is_asked_until_an_answer_is_good_or_the_time_is_up(
    answers: tuple[int, ...], seconds: float, last: int, asked: int
) -> None:
    asking = Asking(*answers)

    for _ in poll(seconds, every_seconds=0.25, clock=asking.clock()):
        if answer := asking():
            break

    assert answer == last
    assert asking.asked == asked


def test_it_is_told_now_and_then_how_long_it_has_been() -> None:
    asking, told = Asking(0), list[float]()

    for _ in poll(1, every_seconds=0.25, tell=told.append, tell_every_seconds=0.5, clock=asking.clock()):
        asking()

    assert told == [0.5]


@pytest.mark.parametrize(
    ("answers", "seconds", "last", "asked"), [((7,), 9, 7, 1), ((0, 0, 7), 9, 7, 3), ((0,), 1, 0, 4), ((0, 7), 0, 0, 1)]
)
def test_so_it_is_inside_a_container(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[int, ...], seconds: float, last: int, asked: int
) -> None:
    asking = Asking(*answers)

    async def play() -> int:
        return await polling.poll(asking.later, bool, seconds=seconds, every=0.25)

    assert passing_time.run(monkeypatch, None, play) == last
    assert asking.asked == asked
