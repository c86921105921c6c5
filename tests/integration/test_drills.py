"""Outages under live sockets and steady requests, against what this topology showed when it was built by hand."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.bench import drills
from tests.bench.drills import Stored
from tests.bench.figures import Outage
from tests.bench.load import join, load
from tests.bench.staging import staging, target
from tests.bench.target import Target
from tests.integration.deployment import Deployment

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

SOON_SECONDS = 10
"""Alone on the machine it is one to three; how long exactly is `make bench`'s to say."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with staging(tmp_path_factory.mktemp("project"), "embedded").deployed() as made:
        yield made


@pytest.fixture(scope="module")
def stack(deployment: Deployment) -> Target:
    return target(deployment)


@pytest.fixture(scope="module")
def stored(stack: Target) -> Stored:
    return asyncio.run(drills.store(stack))


@pytest.fixture(autouse=True)
def _nothing_stored_is_lost(stack: Target, stored: Stored) -> Iterator[None]:
    yield
    assert asyncio.run(drills.missing(stack, stored)) == []


@pytest.fixture
def drilled(request: pytest.FixtureRequest, stack: Target, stored: Stored) -> Outage:
    return asyncio.run(drills.DRILLS[request.param](stack, stored.token))


def test_no_event_is_lost_under_load(stack: Target) -> None:
    # How fast is `make bench`'s to say: here what else runs on the machine would decide.
    seen = asyncio.run(load(stack, rate=500, sockets=200, seconds=5))
    assert (seen.lost, seen.repeated, seen.sockets_lost) == (0, 0, 0)
    assert seen.events > 500


def test_a_hundred_sockets_join_at_once(stack: Target) -> None:
    assert asyncio.run(join(stack, sockets=100, with_account=True)).seconds < 30


@pytest.mark.parametrize("drilled", ["Valkey killed"], indirect=True)
def test_a_killed_valkey_costs_no_socket_and_events_are_soon_back(drilled: Outage) -> None:
    assert (drilled.sockets_lost, drilled.failures) == (0, {})
    assert drilled.events_back_seconds < SOON_SECONDS


@pytest.mark.parametrize("drilled", ["Valkey down for 10 s"], indirect=True)
def test_ten_seconds_without_valkey_fail_no_request(drilled: Outage) -> None:
    assert (drilled.sockets_lost, drilled.failures) == (0, {})
    assert drilled.events_back_seconds < 10 + SOON_SECONDS


@pytest.mark.parametrize("drilled", ["a replica killed"], indirect=True)
def test_a_killed_replica_takes_only_its_own_sockets(drilled: Outage) -> None:
    assert drilled.failures == {}
    assert drilled.sockets_lost == drilled.sockets // 2
    assert drilled.events_lost == 0


@pytest.mark.parametrize("drilled", ["Postgres killed"], indirect=True)
def test_a_killed_postgres_fails_requests_for_a_moment_only(drilled: Outage) -> None:
    assert drilled.sockets_lost == 0
    assert drilled.events_lost == 0
    assert drilled.failing_seconds < SOON_SECONDS


@pytest.mark.parametrize("drilled", ["the gateway killed"], indirect=True)
def test_a_killed_gateway_is_back_within_seconds(drilled: Outage) -> None:
    assert drilled.sockets_lost == drilled.sockets
    assert drilled.failing_seconds < SOON_SECONDS


def test_scaling_there_and_back_drops_no_socket_and_fails_no_request(
    deployment: Deployment, stack: Target, stored: Stored
) -> None:
    def scale(replicas: int) -> None:
        deployment.configure({"replicas": replicas})
        deployment.succeed("up")

    seen = asyncio.run(drills.scaled(stack, stored.token, scale))

    assert (seen.sockets_lost, seen.failures, seen.events_lost) == (0, {}, 0)
