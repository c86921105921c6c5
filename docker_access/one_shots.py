"""One-shot containers that are at work: how far they are, and why nobody may end them.

A migration that is ended half-way may leave a database that no version can read. So while one runs, no engine removes
it, nor does anything that runs before the engine; ``make`` waits for it.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from docker_access import labels, redaction
from docker_access.commands import files_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import docker

ROLES: Final = frozenset({"migration", "postgres-setup"})
"""Roles of containers that run to their end before others start."""

LONGEST_LINE: Final = 160
"""Characters of a log's last line that are shown."""

SECRET_FILES: Final = ("/run/secrets", "/migration/account.env")
"""Where a one-shot has files whose content its log could show."""


def at_work(api: docker.APIClient, stack_labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What ``docker inspect`` shows of each one-shot container with these labels that runs."""
    from docker.errors import NotFound  # noqa: PLC0415 - takes 0.2 s

    for one in api.containers(filters={**labels.filters(stack_labels), "status": "running"}):
        if one["Labels"].get(labels.ROLE) in ROLES:
            with suppress(NotFound):
                yield api.inspect_container(one["Id"])


def progress(container: Mapping[str, Any], log_line: str, now: dt.datetime | None = None) -> str:
    """How far a container is, in words, from what ``docker inspect`` shows of it and the last line of its log.

    ``now`` is the time by the clock of Docker's host.
    """
    started = str(container["State"]["StartedAt"])
    since = dt.datetime.fromisoformat(started[:19]).replace(tzinfo=dt.UTC)
    seconds = max(0, int(((now or dt.datetime.now(dt.UTC)) - since).total_seconds()))
    lasted = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"  # noqa: PLR2004 - a minute
    log = f"its log says last: {log_line}" if log_line else "its log is empty so far"
    return (
        f"{str(container['Name']).lstrip('/')} has been running for {lasted}, since {since:%Y-%m-%d %H:%M:%S}Z; {log}"
    )


def last_line(api: docker.APIClient, container_id: str, hidden: Iterable[str] = ()) -> str:
    """The last line of a container's log that is not empty, without these secrets; empty where Docker has none."""
    from docker.errors import APIError  # noqa: PLC0415 - takes 0.2 s

    try:
        text = api.logs(container_id, tail=5).decode(errors="replace")
    except APIError:
        return ""
    lines = [printable for line in text.splitlines() if (printable := " ".join(line.split()))]
    line = redaction.redact(lines[-1], hidden) if lines else ""
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


def secrets_of(api: docker.APIClient, container: Mapping[str, Any]) -> frozenset[str]:
    """What the log of a one-shot must not show: the values of its variables, and of its files with secrets.

    Raises:
        docker.errors.APIError: They cannot be read.
    """
    from docker.errors import NotFound  # noqa: PLC0415 - takes 0.2 s

    variables = (container.get("Config") or {}).get("Env") or []
    texts: set[str] = set()
    for path in SECRET_FILES:
        with suppress(NotFound):
            texts |= {*files_in(api, str(container["Id"]), path)}
    return frozenset(redaction.values_within(variables)).union(*map(redaction.values, texts))


def current_progress(
    api: docker.APIClient, container: Mapping[str, Any], secrets: dict[str, frozenset[str]] | None = None
) -> str:
    """:func:`progress` of a container that runs, with its log without secrets.

    ``secrets``, by container id, is filled here: with it, a loop reads those of each container only once.

    Raises:
        docker.errors.APIError: Its secrets cannot be read.
    """
    identity, known = str(container["Id"]), {} if secrets is None else secrets
    if identity not in known:
        known[identity] = secrets_of(api, container)
    return progress(container, last_line(api, identity, known[identity]))


def refusal(container: Mapping[str, Any], progress: str) -> str:
    """Why a container that is at work is not removed, how far it is, and the ways out."""
    name, stack = str(container["Name"]).lstrip("/"), container["Config"]["Labels"].get(labels.STACK, "")
    return (
        f"container {progress}. An update that is gone began it, and it is not to be ended half-way: that may leave a "
        f"database that no version reads. Wait for its end (docker wait {name}), then run this again; "
        f"`make up STACK={stack}` does both. If nothing comes of it any more: docker stop {name}, then restore a "
        "backup (docs/upgrade-and-backup.md#restore)."
    )
