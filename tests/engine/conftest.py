"""Fixtures: a stack of fake things in a temporary file backend."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.secrets import Secrets
from engine.state import Backend
from tests.engine.fakes import FakeProvider, Stack


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    """One derived key for all tests: deriving one takes a third of a second."""
    return Secrets.new("correct horse")


@pytest.fixture
def without_leftovers() -> Iterator[None]:
    """What a program that failed has left unevaluated is collected now: later, it would be another test's warning."""
    yield
    gc.collect()


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def stack(tmp_path: Path, secrets: Secrets, provider: FakeProvider) -> Stack:
    return Stack(Backend(tmp_path, "web", "dev"), secrets, provider)
