"""What the data volumes hold, and whether the images asked for can read it: versions only go up.

Docker's word is taken for it: labels of the containers that run, variables of images, and a file of Postgres' where the
volume's folder can be read from here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docker.errors import NotFound

from docker_access import daemon, labels
from settings.references import (
    GATEWAY_TRIED,
    OLDEST_GATEWAY,
    OLDEST_POSTGRES,
    POSTGRES_TRIED,
    VALKEY_TRIED,
    parse,
    postgres_major,
    release,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import docker

    from settings import Settings

MIGRATED_BY: Final = frozenset({"migration", "open-webui"})
"""Roles of containers whose Open WebUI the database has seen."""


def found(inspect: Callable[[str], dict[str, Any]], name: str) -> dict[str, Any]:
    """What Docker knows of an object; empty if it does not exist."""
    try:
        return inspect(name)
    except NotFound:
        return {}


def variables(inspected: Mapping[str, Any]) -> dict[str, str]:
    """Environment of an image or a container, as ``docker inspect`` shows it."""
    lines = (inspected.get("Config") or {}).get("Env") or []
    return dict(line.partition("=")[::2] for line in lines)


def downgrade_problems(settings: Settings, client: docker.APIClient, containers: list[dict[str, Any]]) -> Iterator[str]:
    """An older Open WebUI does not know the schema that a newer one left, and ends in the middle of the update.

    Args:
        settings: The settings.
        client: Docker.
        containers: The stack's, as ``docker ps`` lists them.
    """
    if "downgrade" in settings.acknowledged:
        return
    image = settings.open_webui_image
    told = (found(client.inspect_image, image).get("Config") or {}).get("Labels") or {}
    named = [told.get(labels.IMAGE_VERSION, ""), parse(image).tag]
    wanted = next((version for version in named if release(version)), "")
    seen = [
        str(one["Labels"].get(labels.IMAGE_VERSION, ""))
        for one in containers
        if one["Labels"].get(labels.ROLE) in MIGRATED_BY and one.get("State") != "created"
    ]
    newest = max(seen, key=release, default="")
    if wanted and release(wanted) < release(newest):
        yield (
            f"Open WebUI {newest} migrated the database of stack {settings.stack}, or began to, and image {image} is "
            f"{wanted}, which does not know a newer schema. Stay with {newest} or later "
            f"({settings.project}:openWebuiImage); or, if the database is as {wanted} or an older one left it, as "
            f"after restoring a backup of then, add downgrade to {settings.project}:acknowledged."
        )


def postgres_problems(
    settings: Settings, client: docker.APIClient, containers: list[dict[str, Any]], host: Mapping[str, Any]
) -> Iterator[str]:
    """Postgres reads no files of another major version, and ends at its start.

    Args:
        settings: The settings.
        client: Docker.
        containers: The stack's, as ``docker ps`` lists them.
        host: What ``docker info`` tells.
    """
    if not settings.replicated:
        return
    image, volume = settings.postgres_image, settings.names.postgres_volume
    wanted = _number(variables(found(client.inspect_image, image)).get("PG_MAJOR", "")) or postgres_major(image)
    held = _major_of(client, found(client.inspect_volume, volume), containers, host)
    if wanted and held and wanted != held:
        yield (
            f"volume {volume} holds a database of Postgres {held}, and image {image} is Postgres {wanted}, which does "
            f"not read it. Name an image of Postgres {held} ({settings.project}:postgresImage), or dump and restore "
            "the database (docs/operations.md#upgrade-postgres)."
        )


def _major_of(
    client: docker.APIClient, volume: Mapping[str, Any], containers: list[dict[str, Any]], host: Mapping[str, Any]
) -> int:
    """The major version of the database in a volume; 0 where nothing tells."""
    if not volume:
        return 0
    if daemon.is_this_machine(host) and volume.get("Mountpoint"):
        with suppress(OSError):
            return _number((Path(volume["Mountpoint"]) / "PG_VERSION").read_text(encoding="ascii"))
    # One that starts over and over again may do so since it cannot read what is there.
    started = (one for one in containers if one.get("State") not in {"created", "restarting"})
    ids = (one["Id"] for one in started if one["Labels"].get(labels.ROLE) == "postgres")
    return next((_number(variables(found(client.inspect_container, one)).get("PG_MAJOR", "")) for one in ids), 0)


def _number(text: str) -> int:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else 0


def software_problems(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """Other or older software than a stack runs on, under a name that does not tell, as a mirror or a digest may be."""
    key = f"({settings.project}:"
    image = {role: settings.images.get(role, "") for role in ("valkey", "postgres", "gateway")}
    told = {role: variables(found(client.inspect_image, one)) if one else {} for role, one in image.items()}
    if "REDIS_VERSION" in told["valkey"] and "VALKEY_VERSION" not in told["valkey"]:
        yield (
            f"image {image['valkey']} is Redis {told['valkey']['REDIS_VERSION']}, which has no valkey-server. Name "
            f"Valkey's {key}valkeyImage: {VALKEY_TRIED})."
        )
    if 0 < (major := _number(told["postgres"].get("PG_MAJOR", ""))) < OLDEST_POSTGRES:
        yield (
            f"image {image['postgres']} is Postgres {major}, and {OLDEST_POSTGRES} or later is needed, for the locale "
            f"provider `builtin` {key}postgresImage: {POSTGRES_TRIED})."
        )
    caddy = told["gateway"].get("CADDY_VERSION", "")
    if () < release(caddy)[:2] < OLDEST_GATEWAY:
        yield (
            f"image {image['gateway']} is Caddy {caddy}, and 2.9 or later is needed, which knows all of the gateway's "
            f"configuration {key}gatewayImage: {GATEWAY_TRIED})."
        )
