"""Settings of the Open WebUI that had the data before, and that this stack does not have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import docker

from preflight.objects import inspected, variables
from settings import Settings
from settings.values import Invalid, extra_hosts
from settings.variables import why_owned

DATA_PATH: Final = "/app/backend/data"
AUTHORITIES: Final = frozenset(
    {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AIOHTTP_CLIENT_SSL_CERT_FILE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"}
)
"""Variables that name a file of certification authorities."""


def moved_advice(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """Advice for a stack that uses the volume of an Open WebUI that somebody else made, while that is there."""
    if not settings.adopted_volume:
        return
    for listed in client.containers(all=True, filters={"volume": settings.adopted_volume}):
        ours = settings.labels.items() <= (listed.get("Labels") or {}).items()
        mounted = {one.get("Destination") for one in listed.get("Mounts") or ()}
        if ours or DATA_PATH not in mounted:
            continue
        container = inspected(client.inspect_container, listed["Id"])
        image = inspected(client.inspect_image, str(container.get("Image")))
        missing = [*_hosts(settings, container), *_variables(settings, container, image)]
        if missing:
            name = str(container["Name"]).lstrip("/")
            yield (
                f"container {name} had the data of volume {settings.adopted_volume} before, and was given what stack "
                f"{settings.stack} is not (values: docker inspect {name}). "
                + " ".join(missing)
                + f" When all is as you want it, docker rm {name} ends this advice."
            )


def _hosts(settings: Settings, container: Mapping[str, Any]) -> Iterator[str]:
    given = (container.get("HostConfig") or {}).get("ExtraHosts") or []
    missing = [entry for entry in given if entry.partition(":")[0].lower() not in settings.extra_hosts]
    fit = [entry for entry in missing if _fits(entry)]
    if fit:
        yield f"ExtraHosts: add {settings.project}:extraHosts: {json.dumps(fit)}."
    if others := [entry for entry in missing if entry not in fit]:
        yield f"ExtraHosts {', '.join(others)}: extraHosts takes no such address; have a DNS server tell the name."


def _fits(entry: str) -> bool:
    try:
        return bool(extra_hosts([entry]))
    except Invalid:
        return False


def _variables(settings: Settings, container: Mapping[str, Any], image: Mapping[str, Any]) -> Iterator[str]:
    own = variables(image)
    given = {name: value for name, value in variables(container).items() if own.get(name) != value}
    missing = sorted(given.keys() - settings.extra_environment.keys())
    if "WEBUI_AUTH" in missing:
        missing.remove("WEBUI_AUTH")
        if given["WEBUI_AUTH"].lower() != "true":
            yield (
                f"WEBUI_AUTH={given['WEBUI_AUTH']}: nobody signed in there, and here everybody does: as "
                "admin@localhost with the password admin, which Open WebUI chose; set another. Or keep it as it was "
                f'({settings.project}:extraEnvironment: {{WEBUI_AUTH: "false"}}, and no-sign-in in '
                f"{settings.project}:acknowledged)."
            )
    if (files := [name for name in missing if name in AUTHORITIES]) and not settings.ca:
        yield f"{', '.join(files)}: name the file of authorities in {settings.project}:caFile."
    if elsewhere := [name for name in missing if name in {"DATABASE_URL", "DATABASE_HOST"}]:
        yield f"{elsewhere[0]}: its accounts and chats are in that database, and not in the volume; they do not come."
    free = [name for name in missing if name not in AUTHORITIES and not why_owned(name, replicated=False)]
    if free:
        yield (
            f"{', '.join(free)}: what the admin panel shows of them is in the database and holds; add the others to "
            f"{settings.project}:extraEnvironment."
        )
