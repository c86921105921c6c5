"""Versions: whether the images can read the data that is there, and are the software that the stack needs.

The versions come from labels of the stack's containers, from variables of images, and from a file of Postgres where the
volume's folder can be read from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import docker

from docker_access import daemon, labels
from preflight.objects import inspected, variables
from settings import Settings
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

MIGRATED_BY: Final = frozenset({"migration", "open-webui"})
"""Roles of containers whose Open WebUI has migrated the database, or began to."""


def downgrade_problems(settings: Settings, client: docker.APIClient, containers: list[dict[str, Any]]) -> Iterator[str]:
    """The image is an older Open WebUI, which does not know the schema of the newer one: the update would fail."""
    if "downgrade" in settings.acknowledged:
        return
    image = settings.open_webui_image
    told = (inspected(client.inspect_image, image).get("Config") or {}).get("Labels") or {}
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
    """The image is another major version of Postgres, which cannot read the files that are there and ends."""
    if not settings.replicated:
        return
    image, volume = settings.postgres_image, settings.names.postgres_volume
    wanted = _number(variables(inspected(client.inspect_image, image)).get("PG_MAJOR", "")) or postgres_major(image)
    held = _major_of(client, inspected(client.inspect_volume, volume), containers, host)
    if wanted and held and wanted != held:
        yield (
            f"volume {volume} holds a database of Postgres {held}, and image {image} is Postgres {wanted}, which does "
            f"not read it. Name an image of Postgres {held} ({settings.project}:postgresImage), or dump and restore "
            "the database (docs/upgrade-and-backup.md#upgrade-postgres)."
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
    # A container that restarts again and again may do so because it cannot read the files.
    started = (one for one in containers if one.get("State") not in {"created", "restarting"})
    ids = (one["Id"] for one in started if one["Labels"].get(labels.ROLE) == "postgres")
    return next((_number(variables(inspected(client.inspect_container, one)).get("PG_MAJOR", "")) for one in ids), 0)


def _number(text: str) -> int:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else 0


def software_problems(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """An image is other or older software than the stack needs. The names of a mirror or a digest do not tell."""
    key = f"({settings.project}:"
    image = {role: settings.images.get(role, "") for role in ("valkey", "postgres", "gateway")}
    told = {role: variables(inspected(client.inspect_image, one)) if one else {} for role, one in image.items()}
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
