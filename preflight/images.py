"""Images: of which software and version they are, and whether they were built on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import docker

from docker_access import labels
from preflight.objects import image_labels, role_of
from preflight.versions import software_problems
from settings import Settings
from settings.references import OPEN_WEBUI_TRIED, too_old


def image_problems(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """An image was built here, or is of other or older software. A tag such as ``main`` hides it; the image tells."""
    if refusal := refuse_local_build(settings):
        made_from = {one: (image_labels(client, one) or {}).get(labels.LOCAL_BUILD) for one in settings.images.values()}
        if built := ", ".join(f"{reference} (from {origin})" for reference, origin in made_from.items() if origin):
            yield f"built on this machine: {built}. {refusal}"
    yield from software_problems(settings, client)
    version = (image_labels(client, settings.open_webui_image) or {}).get(labels.IMAGE_VERSION, "")
    if too_old(version):
        yield (
            f"image {settings.open_webui_image} is Open WebUI {version}, whose events cannot be proved; 0.12.0 or "
            f"later is needed. Have it pulled or built again (docker rmi {settings.open_webui_image}), or name another "
            f"({settings.project}:openWebuiImage: {OPEN_WEBUI_TRIED})."
        )


def refuse_local_build(settings: Settings) -> str:
    """Why the stack refuses images that were built on this machine, with the ways out; empty where it takes them."""
    if not settings.production or "local-build" in settings.acknowledged:
        return ""
    return (
        "Production takes the official images: what is built here is other software under their name (docs/images.md). "
        "Have them pulled where their registry can be reached (docker pull), or bring them (docker load); or, if that "
        f"is meant, add local-build to {settings.project}:acknowledged."
    )


def origin_changes(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """Advice where a local build takes the place of the official image, or the other way round: they are different."""
    listed = client.containers(all=True, filters=labels.filters(settings.labels))
    deployed = {role_of(one): one["ImageID"] for one in listed if one.get("ImageID")}
    for role, reference in settings.images.items():
        if role not in deployed:
            continue
        before, after = image_labels(client, deployed[role]), image_labels(client, reference)
        if before is None or after is None or (labels.LOCAL_BUILD in before) == (labels.LOCAL_BUILD in after):
            continue
        if labels.LOCAL_BUILD in before:
            change = f"the local build from {before[labels.LOCAL_BUILD]} gives way to the official image"
        else:
            change = f"a local build from {after[labels.LOCAL_BUILD]} takes the place of the official image"
        yield (
            f"{reference}: {change}. That is an upgrade to other software (docs/images.md), and not a restart: back up "
            "first (docs/upgrade-and-backup.md#back-up)."
        )
