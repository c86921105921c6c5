"""Limits, and what follows from them: Valkey's memory, its Pub/Sub buffer, Postgres' pools."""

from dataclasses import replace
from typing import Any

import pytest

from components.limits import (
    DEFAULTS,
    DEFAULTS_OF_SINGLE,
    LEAST,
    LEAST_BUFFER,
    SUBSCRIPTIONS,
    Limits,
    LimitsError,
    contradictions,
    database_pools,
    least_connections,
    pubsub_output_buffer,
    threads,
    upload_space_mib,
    valkey_maxmemory_mib,
)


def found(
    role: str, limits: Limits, *, max_clients: int = 10000, max_connections: int = 200, replicas_max: int = 1
) -> dict[str, float]:
    """Contradicting limits, each with the smallest value that would do."""
    refused = contradictions(
        role, limits, max_clients=max_clients, max_connections=max_connections, replicas_max=replicas_max
    )
    return {one.field: one.least for one in refused}


def with_limit(role: str, field: str, value: float) -> Limits:
    changed: dict[str, Any] = {**vars(DEFAULTS[role]), field: value}
    return Limits(**changed)


@pytest.mark.parametrize("role", DEFAULTS)
def test_the_defaults_contradict_nothing(role: str) -> None:
    assert not found(role, DEFAULTS[role])


@pytest.mark.parametrize("memory", [64, 100, 256, 1024, 65536])
@pytest.mark.parametrize("replicas_max", [1, 2, 8, 32])
def test_while_every_replica_lags_valkey_still_takes_writes(memory: int, replicas_max: int) -> None:
    limits = replace(DEFAULTS["valkey"], memory=memory)
    hard, soft, seconds = pubsub_output_buffer(limits, replicas_max)
    assert 0 < soft < hard
    assert seconds == 60
    all_lag = hard * SUBSCRIPTIONS * replicas_max
    assert all_lag <= memory * 1024 / 4
    assert all_lag <= valkey_maxmemory_mib(limits) * 1024 / 2


@pytest.mark.parametrize("replicas_max", [1, 8, 32])
def test_a_valkey_too_small_to_buffer_one_packet_for_each_replica_is_refused(replicas_max: int) -> None:
    small = with_limit("valkey", "memory", 1)
    least = found("valkey", small, replicas_max=replicas_max)["memory"]
    enough = with_limit("valkey", "memory", least)
    assert not found("valkey", enough, replicas_max=replicas_max)
    assert pubsub_output_buffer(enough, replicas_max)[0] >= LEAST_BUFFER * 1024


def test_valkeys_figures_are_those_of_a_container_of_a_gibibyte() -> None:
    assert valkey_maxmemory_mib(DEFAULTS["valkey"]) == 614
    assert pubsub_output_buffer(DEFAULTS["valkey"], 8) == (10922, 2730, 60)


@pytest.mark.parametrize("replicas_max", [1, 2, 3, 8, 20, 32])
@pytest.mark.parametrize("spare", [0, 1, 7, 50, 800])
def test_all_replicas_together_never_exhaust_postgres(replicas_max: int, spare: int) -> None:
    max_connections = least_connections(replicas_max) + spare
    pools = database_pools(replicas_max, max_connections)
    assert min(vars(pools).values()) >= 1
    assert replicas_max * pools.connections + 10 <= max_connections - 3


def test_the_default_pools_carry_what_a_replica_was_measured_at_under_load() -> None:
    assert database_pools(8, 200).connections >= 20


def test_pools_do_not_grow_beyond_what_threads_can_use() -> None:
    pools = database_pools(1, 5000)
    assert pools.size + pools.overflow == 40


def test_too_few_connections_are_refused_with_the_least_that_would_do() -> None:
    with pytest.raises(LimitsError, match="8 replicas need 77 database connections") as refused:
        database_pools(8, 76)
    assert refused.value.least == 77
    database_pools(8, 77)


def test_an_upload_never_fills_the_memory_of_its_replica() -> None:
    assert upload_space_mib(DEFAULTS["open-webui"]) == 1024


@pytest.mark.parametrize(("cpus", "expected"), [(0.1, 1), (1, 1), (1.5, 2), (2.0, 2), (None, 1)])
def test_there_are_as_many_threads_as_cpus_and_one_at_least(cpus: float | None, expected: int) -> None:
    assert threads(Limits(memory=2048, cpus=cpus)) == expected


@pytest.mark.parametrize("role", DEFAULTS_OF_SINGLE)
def test_what_is_not_limited_contradicts_nothing(role: str) -> None:
    assert not found(role, DEFAULTS_OF_SINGLE[role])


@pytest.mark.parametrize("role", LEAST)
@pytest.mark.parametrize("field", ["memory", "cpus", "pids", "nofile"])
def test_less_than_the_software_needs_is_a_contradiction(role: str, field: str) -> None:
    least = found(role, with_limit(role, field, 0.01 if field == "cpus" else 1))
    assert field in least
    assert not found(role, with_limit(role, field, least[field]))


def test_every_client_of_valkey_needs_a_file_and_valkey_some_more() -> None:
    few = replace(DEFAULTS["valkey"], nofile=10031)
    assert found("valkey", few) == {"nofile": 10032}
    assert not found("valkey", few, max_clients=9999)


def test_every_connection_of_postgres_needs_a_process_and_memory() -> None:
    assert found("postgres", DEFAULTS["postgres"], max_connections=500) == {"memory": 1128, "pids": 520}
