"""The names of the Docker labels that this project writes, and how Docker is asked for what carries them.

Labels tell whose a container, network, volume or image is. The preflight refuses to touch an object of the same name
without the stack's labels, and the report says whether an image was pulled or built on this machine.
"""

from collections.abc import Mapping
from typing import Any, Final

PROJECT: Final = "pulumi.project"
"""Pulumi project that owns the object, for example ``open-webui``."""

STACK: Final = "pulumi.stack"
"""Pulumi stack that owns the object, for example ``dev``."""

STATE: Final = "pulumi.state"
"""Identity of the state that an object was made from: random, so that each checkout's is another."""

ORIGIN: Final = "pulumi.state-origin"
"""Where that state is kept, for people: ``USER@HOST:FOLDER``, or the address of a shared backend."""

ROLE: Final = "pulumi.role"
"""What a container is for: ``open-webui``, ``valkey``, ``postgres``, ``gateway``, ``migration``, ``postgres-setup``
or ``files``."""

IMAGE_ID: Final = "pulumi.image-id"
"""Id of the image a container was made from: a re-tagged image thereby replaces the container."""

NETWORK_ID: Final = "pulumi.network-id"
"""Ids of the networks a container joined: where a network was removed by hand and created again, the container is
replaced."""

ENVIRONMENT_SHA256: Final = "pulumi.environment-sha256"
"""SHA-256 of a container's environment without its secrets: keeps diffs readable where one secret hides the list."""

SCHEMA_ID: Final = "pulumi.schema-id"
"""What an Open WebUI container was started for, after its migration had succeeded: :mod:`components.schema`."""

DATABASE_ID: Final = "pulumi.database-id"
"""Id of the Postgres container that a setup prepared, or a migration migrated."""

REPLICAS_SHA256: Final = "pulumi.replicas-environment-sha256"
"""SHA-256 of the environment of the replicas that a migration runs before: a changed one stops them all first."""

FILES_SHA256: Final = "pulumi.files-sha256"
"""SHA-256 of the files a container reads at its start: changed ones replace it."""

EMBEDDING: Final = "open-webui.embedding"
"""Engine and model that embed documents in an Open WebUI container, as :func:`components.embedding.embedding` names
them."""

LOCAL_BUILD: Final = "open-webui.local-build"
"""On an image: it was built on this machine, and from what, for example ``PyPI open-webui 0.12.4``."""

LOCAL_RECIPE: Final = "open-webui.local-build-recipe"
"""On an image built on this machine: revision of the recipe it was made by, a number. One of another revision is built
again."""

LOCAL_BYTECODE: Final = "open-webui.local-build-bytecode"
"""On an image built on this machine: ``true`` where Python's bytecode was compiled into it, for speed."""

STANDS_IN_FOR: Final = "open-webui.local-build-stands-in-for"
"""On an image built on this machine: the version it was asked for, where the mirror has only a neighbour of it."""

LOCAL_DIFFERS: Final = "open-webui.local-build-differs"
"""On an image built on this machine: in what it is not as the official one, by names in the table of docs/images.md."""

IMAGE_VERSION: Final = "org.opencontainers.image.version"
"""On an image: version of the software in it (OCI annotation key)."""


def filters(wanted: Mapping[str, str]) -> dict[str, Any]:
    """Docker's filters for the objects that carry these labels."""
    return {"label": [f"{key}={value}" for key, value in sorted(wanted.items())]}
