"""Refuses, before anything changes, a deployment that Docker would stop half-way.

It runs in every preview and update, under either engine. Each module yields problems, which are refused, or advice:
``names``, ``volumes``, ``ports``, ``subnets`` and ``limits`` about what the stack wants of the host, ``images``
and ``versions`` about the software, ``data`` and ``moved`` about the data that is there, ``host`` about Docker itself,
and ``one_shots`` about a migration that is at work. ``objects`` has what they share.

Their arguments are called alike. ``settings`` are the stack's. ``host`` is what ``docker info`` tells, and
``containers`` what ``docker ps`` lists. What ``docker inspect`` shows of a ``container``, ``network`` or ``volume`` is
empty where there is none.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any, Final

import docker
import requests.exceptions
from docker.errors import DockerException

from docker_access import daemon, elsewhere, labels
from docker_access.client import api_client, failure_text
from docker_access.logins import LoginError
from docker_access.versions import TooNewError, engine_refusal, version_advice
from preflight.data import data_left_behind, embedding_changes
from preflight.host import rights_are_seen, seccomp_advice, seccomp_problems
from preflight.images import image_problems, origin_changes, refuse_local_build
from preflight.limits import limit_problems, memory_advice
from preflight.moved import moved_advice
from preflight.names import container_problems, network_problems
from preflight.objects import inspected
from preflight.ports import low_ports, port_problems
from preflight.subnets import pool_problems, subnet_problems, subnets_of, taken_subnets
from preflight.versions import downgrade_problems, postgres_problems
from preflight.volumes import foreign_volume, used_by_others, volume_problems, volumes_without_data
from settings import Settings

__all__ = ["PreflightError", "end_quietly_when_interrupted", "look", "preflight", "refuse_local_build"]

TIMEOUT_SECONDS: Final = 10
"""How long Docker may take for one answer."""


class PreflightError(Exception):
    """The deployment cannot work on this Docker host as it is now; nothing was changed."""


def end_quietly_when_interrupted() -> None:
    """Let Ctrl-C end the program without a traceback: the Pulumi CLI passes it on once it has cancelled the update.

    An engine that runs the program in its own process has a handler of its own, which stays.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def preflight(settings: Settings) -> None:
    """Look at Docker and the host, for the running program, unless :data:`daemon.WITHOUT_DOCKER` is set.

    Raises:
        pulumi.RunError: What :func:`look` found, or a migration that is at work. Pulumi shows it without a traceback.
    """
    import pulumi  # noqa: PLC0415 - half a second that the launcher saves

    from preflight.one_shots import refuse_at_work, tell_of_one_shots  # noqa: PLC0415 - imports pulumi too

    if os.environ.get(daemon.WITHOUT_DOCKER):
        return
    try:
        for advice in look(settings):
            pulumi.log.warn(advice)
    except PreflightError as error:
        raise pulumi.RunError(str(error)) from None
    refuse_at_work(settings.labels)
    tell_of_one_shots(settings.labels)


def look(settings: Settings) -> list[str]:
    """Look at Docker and the host.

    Returns:
        Advice: what may not work well.

    Raises:
        PreflightError: Everything that is in the way, who holds it, and the ways out.
    """
    client: docker.APIClient | None = None
    try:
        client = api_client(TIMEOUT_SECONDS)
        host = client.info()
        low = list(low_ports(settings, client, host))
        known = rights_are_seen(host)
        problems = [
            *_problems(settings, client, host),
            *_host_problems(settings, client, host),
            *(low if known else ()),
        ]
        advice = [
            *(() if known else low),
            *memory_advice(settings, host),
            *filter(None, [version_advice(client.version())]),
            *seccomp_advice(host),
            *origin_changes(settings, client),
            *moved_advice(settings, client),
            *(() if settings.production else embedding_changes(settings, client)),
        ]
    except (DockerException, requests.exceptions.RequestException) as error:
        raise PreflightError(docker_does_not_answer(error)) from None
    finally:
        if client:
            client.close()
    if problems:
        raise PreflightError(
            f"stack {settings.stack} cannot be deployed on this host; nothing was changed:\n"
            + "\n".join(f"  {problem}" for problem in problems)
        )
    return advice


def docker_does_not_answer(error: Exception) -> str:
    """The message where Docker cannot be reached, or cannot be asked for another reason."""
    if isinstance(error, (TooNewError, LoginError)):
        return str(error)
    host = daemon.address()
    where = f"DOCKER_HOST={host}" if host else "the default socket (DOCKER_HOST is not set)"
    way_out = "correct or unset DOCKER_HOST" if host else elsewhere.way_out()
    way_out = way_out or "start it, as with `sudo systemctl start docker`"
    return f"Docker does not answer at {where}: {failure_text(error)}. Way out: {way_out}."


def _problems(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    """What the stack wants, and cannot have because of Docker's objects that are there."""
    yield from image_problems(settings, client)
    containers = client.containers(all=True, filters=labels.filters(settings.labels))
    yield from downgrade_problems(settings, client, containers)
    yield from postgres_problems(settings, client, containers, host)
    for name in settings.containers:
        yield from container_problems(settings, name, inspected(client.inspect_container, name))
    for name in settings.networks:
        yield from network_problems(settings, name, inspected(client.inspect_network, name))
    for name in settings.volumes:
        yield from volume_problems(settings, name, inspected(client.inspect_volume, name))
        if settings.is_external(name):
            yield from used_by_others(settings, name, client)
    for name in volumes_without_data(settings):
        yield from foreign_volume(settings, name, inspected(client.inspect_volume, name))
    yield from data_left_behind(settings, containers)
    if settings.production and "embedding-change" not in settings.acknowledged:
        yield from embedding_changes(settings, client)
    yield from port_problems(settings, client, host)
    if settings.edge_subnet:
        yield from subnet_problems(settings, list(taken_subnets(settings, client, host)))


def _host_problems(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    """What this host or its Docker lacks."""
    if refusal := engine_refusal(client.version()):
        yield refusal
    yield from limit_problems(settings, host)
    yield from seccomp_problems(host)
    networks = client.networks()
    subnets = [subnet for subnet, _ in subnets_of(networks)]
    yield from pool_problems(settings, host, [one["Name"] for one in networks], subnets)
