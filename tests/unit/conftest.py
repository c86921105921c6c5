"""For every unit test."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the failure of a provider sets in its process, :mod:`docker_access.provider_errors`, ends with the test."""
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
