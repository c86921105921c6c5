"""How much a container may use, and the figures that follow from it: pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one container may use.

    Attributes:
        memory: Memory in MiB; the kernel kills a container that needs more. 0 for no limit, in a single stack alone.
        cpus: CPU time, in CPUs; None for as much as there is.
        pids: Processes and threads; None for as many as the daemon allows.
        nofile: Open files and sockets of one process; None for the daemon's default.
    """

    memory: int
    cpus: float | None = None
    pids: int | None = None
    nofile: int | None = None


DEFAULTS: Final[Mapping[str, Limits]] = {
    "open-webui": Limits(memory=3072, cpus=2.0, pids=1024, nofile=16384),
    "valkey": Limits(memory=1024, cpus=1.0, pids=256, nofile=16384),
    "postgres": Limits(memory=1024, cpus=2.0, pids=512, nofile=16384),
    "gateway": Limits(memory=512, cpus=1.0, pids=512, nofile=16384),
}
"""Limits by role of a replicated stack where nothing is set; each replica of Open WebUI has its own.

No container may open more files than the Docker daemon itself: 20000 where that was started by hand, a million under
systemd.
"""

DEFAULTS_OF_SINGLE: Final[Mapping[str, Limits]] = {
    role: Limits(memory=DEFAULTS[role].memory) for role in ("open-webui", "valkey")
}
"""Limits by role of a single stack: memory alone. Without that limit a flood of events takes all the host has."""

ONE_SHOT: Final = Limits(memory=256)
"""Limits of a container that runs a few commands and exits."""

LEAST: Final[Mapping[str, Limits]] = {
    "open-webui": Limits(memory=1536, cpus=0.1, pids=256, nofile=1024),
    "valkey": Limits(memory=64, cpus=0.1, pids=32, nofile=1024),
    "postgres": Limits(memory=256, cpus=0.1, pids=64, nofile=1024),
    "gateway": Limits(memory=64, cpus=0.1, pids=64, nofile=1024),
}
"""Smallest limits by role with which the software runs.

Open WebUI with the official image's packages was measured at 755 MiB at rest and at 860 while it embeds a document;
what is in ``/tmp`` counts too. On a host of 32 cores its libraries start some hundred threads.
"""

LEAST_OF_SLIM: Final = Limits(memory=768, cpus=0.1, pids=128, nofile=1024)
"""Smallest limits of Open WebUI's slim image, which embeds nothing itself: measured at 277 MiB at rest."""

VALKEY_OWN_FILES: Final = 32
"""Files Valkey keeps for itself beside its clients (``CONFIG_MIN_RESERVED_FDS``, valkey/src/server.h)."""

SUBSCRIPTIONS: Final = 3
"""Connections of one replica that subscribe: to live events, to commands for tasks, to direct completions.

Source: ``socketio`` of https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/main.py, and
``redis_event_listener`` there; ``redis_task_command_listener`` in ``tasks.py``
"""

LEAST_BUFFER: Final = 1
"""MiB that the buffer of a subscriber must hold: the largest packet that Open WebUI relays.

Source: ``MAX_PACKET`` of https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/encryption.py
"""

POSTGRES_OWN_PROCESSES: Final = 20
"""Processes of Postgres beside one for each connection: writers, checkpointer, autovacuum, parallel workers."""

SUPERUSER_CONNECTIONS: Final = 3
"""Connections that Postgres keeps for superusers: https://www.postgresql.org/docs/17/runtime-config-connection.html."""

ONE_SHOT_CONNECTIONS: Final = 10
"""Connections beside those of the replicas: the migration, the setup of the database, a person with psql."""

LARGEST_POOL: Final = 40
"""More connections than worker threads are never used at once (THREAD_POOL_SIZE, 40 unless set)."""


@dataclass(frozen=True, kw_only=True)
class Pools:
    """Sizes of one replica's pools of database connections; ``overflow`` is what a burst may open beyond ``size``.

    Attributes:
        size: DATABASE_POOL_SIZE. Open WebUI has two such pools, one synchronous and one asynchronous.
        overflow: DATABASE_POOL_MAX_OVERFLOW.
        vector_size: PGVECTOR_POOL_SIZE.
        vector_overflow: PGVECTOR_POOL_MAX_OVERFLOW.
    """

    size: int
    overflow: int
    vector_size: int
    vector_overflow: int

    @property
    def connections(self) -> int:
        """Most connections one replica opens."""
        return 2 * (self.size + self.overflow) + self.vector_size + self.vector_overflow


LEAST_POOLS: Final = Pools(size=2, overflow=1, vector_size=1, vector_overflow=1)
"""A replica under load was measured at 7 to 8 connections."""


class LimitsError(ValueError):
    """Limits that contradict each other; ``least`` is the smallest value that works."""

    def __init__(self, text: str, least: int) -> None:
        super().__init__(text)
        self.least = least


def valkey_maxmemory_mib(limits: Limits) -> int:
    """Valkey's ``maxmemory`` in MiB: 60 % of its limit, the rest for buffers and the copy that rewrites the log."""
    return limits.memory * 60 // 100


def upload_space_mib(limits: Limits) -> int:
    """Size of Open WebUI's ``/tmp`` in MiB, where uploads above 1 MiB lie while they arrive: a third of its memory."""
    return limits.memory // 3


def threads(limits: Limits) -> int:
    """Threads that a library which computes should start. By itself it starts one for each core of the host.

    Source: https://docs.pytorch.org/docs/stable/threading_environment_variables.html
    """
    return math.ceil(limits.cpus or 1)


def pubsub_output_buffer(limits: Limits, replicas_max: int) -> tuple[int, int, int]:
    """Valkey's ``client-output-buffer-limit pubsub``: hard limit in KiB, soft limit in KiB, its seconds.

    A subscriber that falls behind further is disconnected, and its replica misses events until it is back; a buffer
    without bound would have the kernel kill Valkey for all of them. The limit is each subscriber's, and the buffers
    count as stored data: all of them together take 25 % of the memory limit at most, so that Valkey still takes writes
    while every replica lags. The soft limit is a quarter of the hard one.

    Args:
        limits: What Valkey's container may use.
        replicas_max: Replicas there may ever be; a limit that followed from ``replicas`` would restart Valkey.

    Source: https://valkey.io/topics/clients/
    """
    hard = limits.memory * 1024 // 4 // (replicas_max * SUBSCRIPTIONS)
    return hard, hard // 4, 60


def least_connections(replicas_max: int) -> int:
    """Smallest ``max_connections`` of Postgres that carries so many replicas."""
    return replicas_max * LEAST_POOLS.connections + ONE_SHOT_CONNECTIONS + SUPERUSER_CONNECTIONS


def database_pools(replicas_max: int, max_connections: int) -> Pools:
    """Pool sizes with which all replicas together never exhaust Postgres.

    Args:
        replicas_max: Replicas there may ever be: a pool that followed from ``replicas`` would change with it, and
            restart those that run.
        max_connections: Postgres' ``max_connections``.

    Raises:
        LimitsError: The connections do not suffice for so many replicas.
    """
    least = least_connections(replicas_max)
    if max_connections < least:
        raise LimitsError(
            f"{replicas_max} replicas need {least} database connections at least ({LEAST_POOLS.connections} each, "
            f"{ONE_SHOT_CONNECTIONS} for the migration and the like, {SUPERUSER_CONNECTIONS} that Postgres keeps back)",
            least,
        )
    share = (max_connections - SUPERUSER_CONNECTIONS - ONE_SHOT_CONNECTIONS) // replicas_max
    vector = max(2, share // 8)
    pool = min((share - vector) // 2, LARGEST_POOL)
    return Pools(
        size=pool - pool // 3, overflow=pool // 3, vector_size=vector - vector // 2, vector_overflow=vector // 2
    )


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """A limit that cannot work.

    Attributes:
        field: The field of :class:`Limits`.
        rule: Why it cannot.
        least: The smallest number that works, in the unit of that field.
    """

    field: str
    rule: str
    least: float


def contradictions(
    role: str,
    limits: Limits,
    *,
    max_clients: int,
    max_connections: int,
    replicas_max: int = 1,
    slim: bool = False,
    unlimited: bool = False,
) -> Iterator[Contradiction]:
    """Limits of one container that cannot work, by themselves or with the settings that depend on them.

    Args:
        role: A key of :data:`DEFAULTS`.
        limits: Its limits.
        max_clients: Valkey's ``maxclients``.
        max_connections: Postgres' ``max_connections``.
        replicas_max: Replicas of Open WebUI there may ever be.
        slim: Open WebUI's image is the slim one.
        unlimited: Memory may be 0, for no limit: no other figure follows from it.
    """
    of_role = LEAST_OF_SLIM if slim and role == "open-webui" else LEAST[role]
    least = {field: (value, f"{role} does not run with less than {value:g}") for field, value in vars(of_role).items()}
    if role == "valkey":
        files = max_clients + VALKEY_OWN_FILES
        least["nofile"] = max(
            least["nofile"], (files, f"valkeyMaxClients {max_clients} needs {files}, each client a file and some more")
        )
        memory = 4 * LEAST_BUFFER * SUBSCRIPTIONS * replicas_max
        because = f"replicasMax {replicas_max} needs {memory} MiB, a quarter of it to buffer events for all replicas"
        least["memory"] = max(least["memory"], (memory, because))
    if role == "postgres":
        memory, processes = postgres_memory_mib(max_connections), max_connections + POSTGRES_OWN_PROCESSES
        because = f"postgresMaxConnections {max_connections} needs"
        least["memory"] = max(least["memory"], (memory, f"{because} {memory} MiB"))
        least["pids"] = max(least["pids"], (processes, f"{because} {processes}, each connection a process"))
    for field, (value, rule) in least.items():
        given = getattr(limits, field)
        if given is not None and given < value and not (field == "memory" and unlimited and given == 0):
            yield Contradiction(field=field, rule=rule, least=value)


def postgres_memory_mib(max_connections: int) -> int:
    """Memory Postgres needs in MiB: 128 shared (its default), 2 a connection (measured: 55 to 118 for 30)."""
    return 128 + 2 * max_connections
