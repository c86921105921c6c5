"""A secret generated once and kept in the stack's state, encrypted.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

INPUTS: Final[tuple[str, ...]] = ("size_bytes", "generation")


class SecretProvider(ResourceProvider):
    """Generates the value when the resource is created. It stays until the length or the generation changes."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Generate the value; Pulumi calls this once in the life of the resource."""
        size = int(props["size_bytes"])
        kept = {name: props[name] for name in INPUTS if name in props}
        return CreateResult(secrets.token_hex(8), {**kept, "size_bytes": size, "value": secrets.token_hex(size)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another length or generation makes another secret."""
        replaces = [name for name in INPUTS if _olds.get(name) != _news.get(name)]
        return DiffResult(changes=bool(replaces), replaces=replaces)


class Secret(Resource, module="openwebui", name="Secret"):
    """A random value in hexadecimal digits.

    Attributes:
        value: The secret, twice as many digits as bytes.
    """

    value: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        size_bytes: int = 32,
        generation: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the secret.

        Args:
            name: Name of the Pulumi resource.
            size_bytes: Its length in bytes, 1 or more.
            generation: Any text. Another text makes another secret, which is how it is rotated; None until then.
            opts: Pulumi's options.
        """
        # It exists in the state only: with this, Pulumi deletes it without starting its provider's process.
        own = pulumi.ResourceOptions(additional_secret_outputs=["value"], retain_on_delete=True)
        super().__init__(
            SecretProvider(),
            name,
            {"size_bytes": size_bytes, "generation": generation, "value": None},
            pulumi.ResourceOptions.merge(opts, own),
        )
