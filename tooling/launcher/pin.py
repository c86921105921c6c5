"""`make pin`: the digests that the stack's image tags mean today, written into its stack file."""

from __future__ import annotations

from typing import Final

import docker
import docker.errors

from docker_access import labels
from settings import Settings
from tooling.images import registry
from tooling.images.errors import ImageError
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


def pin(stack: Stack, settings: Settings, client: docker.DockerClient) -> int:
    """Write ``name:tag@sha256:...`` for every image of the stack whose registry answers, and say so for each.

    Returns:
        1 if not one image could be pinned, else 0.
    """
    client.api.timeout = registry.DIGEST_SECONDS
    pinned = 0
    for role, reference in settings.images.items():
        try:
            digest = _digest(client, reference)
        except ImageError as why:
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
    name, _, digest = reference.partition("@")
    parsed = parse(name)
    if digest and name == parsed.repository:
        return digest
    try:
        return registry.digest(client, parsed)
    except ImageError as error:
        raise ImageError(f"{error}{_built_here(client, name)}") from None


def _built_here(client: docker.DockerClient, name: str) -> str:
    try:
        origin = client.images.get(name).labels.get(labels.LOCAL_BUILD)
    except docker.errors.ImageNotFound:
        return ""
    return f". The one here was built on this machine, from {origin}: no registry has it" if origin else ""
