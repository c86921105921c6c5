"""What several tests share is made when it is first asked for; what failed then is not tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class DidNotBegin(Exception):  # noqa: N818 - it is an outcome
    """What others have asked for already could not be made: a second try would cost, and leave, as much again."""


class Once:
    """Things by their names, each made once."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self._failed: dict[str, BaseException] = {}

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        """The thing of a name, made if this is the first to ask for it.

        Raises:
            DidNotBegin: It could not be made when somebody asked for it before.
        """
        if name in self._failed:
            raise DidNotBegin(f"{name} did not come up before: {self._failed[name]}") from self._failed[name]
        if name not in self._made:
            try:
                self._made[name] = make()
            except BaseException as error:  # a time-out is none of Exception's
                self._failed[name] = error
                raise
        return self._made[name]
