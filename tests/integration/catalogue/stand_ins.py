"""Containers that stand in for others, where the application in them is not what a fault is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.integration.hand_made import SECOND, STAND_IN, VALKEY_IMAGE, Pair

NO_HEALTHCHECK = {"test": ["NONE"]}


@contextmanager
def stand_in_app(
    lab: Pair, changes: Mapping[str, str] | None = None, *, mode: str = "right", role: str = "stand-in", **options: Any
) -> Iterator[str]:
    """An app that treats events as ``mode`` says and differs in some variables or in Docker's options.

    Args:
        lab: Whose Valkey it listens on.
        changes: Variables.
        mode: As :mod:`tests.stand_in.open_webui.main` says.
        role: What it is called.
        options: Docker's.
    """
    more = {"image": STAND_IN, "healthcheck": NO_HEALTHCHECK} | options
    with lab.removed_after(lab.start_app(role, {"STAND_IN_MODE": mode, **(changes or {})}, **more)) as name:
        yield name


@contextmanager
def stand_in(lab: Pair, role: str, script: str, *, image: str = VALKEY_IMAGE, **options: Any) -> Iterator[str]:
    """A container in which a shell script runs and nothing else; it is there until the script ends."""
    more = {"healthcheck": NO_HEALTHCHECK} | options
    with lab.removed_after(lab.run(role, image, {}, entrypoint=["sh", "-c", script], **more)) as name:
        yield name


def healthcheck(command: str, *, start_period: int = 0) -> dict[str, Any]:
    """A healthcheck each second, believed at once; ``start_period`` in seconds."""
    return {
        "test": ["CMD-SHELL", command], "interval": SECOND, "timeout": SECOND, "retries": 1,
        "start_period": start_period * SECOND,
    }  # fmt: skip
