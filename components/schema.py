"""One id for everything that all replicas of Open WebUI must agree on. Another id stops them all before the migration.

The replicas follow this id and not the migration's container, which ``docker system prune`` may remove. They then go on
while the container is re-created, and are stopped first only where something that they must agree on has changed.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

INPUTS: Final = ("image", "database", "environment", "files")


class SchemaProvider(ResourceProvider):
    """Has an id that is computed from what replicas agree on, and from nothing else."""

    serialize_as_secret_always = False
    """The state holds a reference to this module instead of the provider. It is no secret, and is not encrypted."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Compute the id."""
        return CreateResult(schema_id(props), props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Any change makes another schema. Containers that follow the old one are stopped first."""
        replaces = [name for name in INPUTS if olds.get(name) != news.get(name)]
        return DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=True)


def schema_id(agreed: dict[str, Any]) -> str:
    """The id, 16 hexadecimal digits: the same for the same image, database, settings and files."""
    text = json.dumps({name: agreed.get(name) or "" for name in INPUTS}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Schema(Resource, module="openwebui", name="Schema"):
    """Everything that replicas must agree on."""

    def __init__(
        self,
        name: str,
        *,
        image: pulumi.Input[str],
        database: pulumi.Input[str] = "",
        environment: pulumi.Input[str] = "",
        files: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the schema.

        Args:
            name: Name of the Pulumi resource.
            image: Id of the image, which has the migrations in it.
            database: Id of the database's container; empty for a file in a volume.
            environment: Hash of the variables that replicas share; empty for a single container.
            files: Hash of the files that they read at their start; empty for a single container.
            opts: Pulumi's options.
        """
        # It exists in the state only: with this, Pulumi deletes it without starting its provider's process.
        own = pulumi.ResourceOptions(retain_on_delete=True, delete_before_replace=True)
        inputs = {"image": image, "database": database, "environment": environment, "files": files}
        super().__init__(SchemaProvider(), name, inputs, pulumi.ResourceOptions.merge(opts, own))
