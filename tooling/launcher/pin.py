"""`make pin`: the digests that the stack's image tags mean today, written into its stack file."""

from __future__ import annotations

from typing import Any, Final

import docker
import docker.errors
import requests.exceptions

from docker_access import labels
from docker_access.client import failure_text
from docker_access.logins import LoginError, login
from settings import Settings
from tooling.images.reference import parse
from tooling.machine.progress import say
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import set_value

CONFIG_KEYS: Final = {
    "open-webui": "openWebuiImage",
    "valkey": "valkeyImage",
    "postgres": "postgresImage",
    "gateway": "gatewayImage",
}
"""Config key of the image of each role."""

ASK_SECONDS: Final = 20
"""How long a registry may take for one digest."""


class _NoDigest(Exception):  # noqa: N818 - never leaves this module
    """A tag has no digest that could be written; the text says why."""


def pin(stack: Stack, settings: Settings, client: docker.DockerClient) -> int:
    """Write ``name:tag@sha256:...`` for every image of the stack whose registry answers, and say so for each.

    Returns:
        1 if not one image could be pinned, else 0.
    """
    client.api.timeout = ASK_SECONDS
    pinned = 0
    for role, reference in settings.images.items():
        try:
            digest = _digest(client, reference)
        except _NoDigest as why:
            say(f"not pinned: {reference}: {why}")
            continue
        pinned += 1
        digested = f"{reference.partition('@')[0]}@{digest}"
        if digested == reference:
            say(f"pinned already: {reference}")
        else:
            set_value(stack, CONFIG_KEYS[role], digested)
            before = parse(reference).digest
            say(f"pinned: {CONFIG_KEYS[role]}: {digested}{f' (it was {before})' if before else ''}")
    if not pinned:
        say(f"error: no image of stack {settings.stack} could be pinned; its stack file was not changed.")
    return 0 if pinned else 1


def _digest(client: docker.DockerClient, reference: str) -> str:
    """The digest a tag means at its registry; nothing is pulled.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Distribution
    """
    name, _, digest = reference.partition("@")
    parsed = parse(name)
    if digest and name == parsed.repository:
        return digest
    auth: dict[str, Any] = {}
    try:
        auth = login(parsed.registry)
    except LoginError as error:
        say(f"{error}; asking {parsed.registry} without a login")
    try:
        # types-docker has no types for it
        found: dict[str, Any] = client.api.inspect_distribution(  # type: ignore[no-untyped-call]
            name, auth_config=auth
        )
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        answer = (error.explanation if isinstance(error, docker.errors.APIError) else None) or failure_text(error)
        raise _NoDigest(f"{parsed.registry} gives no digest for it ({answer}){_built_here(client, name)}") from None
    return str(found["Descriptor"]["digest"])


def _built_here(client: docker.DockerClient, name: str) -> str:
    try:
        origin = client.images.get(name).labels.get(labels.LOCAL_BUILD)
    except docker.errors.ImageNotFound:
        return ""
    return f". The one here was built on this machine, from {origin}: no registry has it" if origin else ""
