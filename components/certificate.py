"""A certificate authority and one server certificate under it, generated once and kept in the stack's state, encrypted.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

INPUTS: Final[tuple[str, ...]] = ("host", "generation")


class CertificateProvider(ResourceProvider):
    """Generates both certificates when the resource is created. They stay until the host or the generation changes."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Generate both; Pulumi calls this once in the life of the resource."""
        from components.authority import generate  # noqa: PLC0415 - not loaded where no certificate is made

        kept = {name: props[name] for name in INPUTS if name in props}
        return CreateResult(secrets.token_hex(8), {**kept, **generate(str(props["host"]))})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another host or generation makes new certificates."""
        replaces = [name for name in INPUTS if _olds.get(name) != _news.get(name)]
        return DiffResult(changes=bool(replaces), replaces=replaces)


class Certificate(Resource, module="openwebui", name="Certificate"):
    """A server certificate under an authority of its own.

    Attributes:
        ca_pem: Certificate of the authority, PEM.
        cert_pem: Certificate of the server, PEM.
        key_pem: Its private key, PEM, a secret.
    """

    ca_pem: pulumi.Output[str]
    cert_pem: pulumi.Output[str]
    key_pem: pulumi.Output[str]

    def __init__(
        self, name: str, *, host: str, generation: str | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the certificate.

        Args:
            name: Name of the Pulumi resource.
            host: DNS name of the server.
            generation: Any text. Another text makes new certificates, which is how they are rotated; None until then.
            opts: Pulumi's options.
        """
        # It exists in the state only: with this, Pulumi deletes it without starting its provider's process.
        own = pulumi.ResourceOptions(additional_secret_outputs=["key_pem"], retain_on_delete=True)
        super().__init__(
            CertificateProvider(),
            name,
            {"host": host, "generation": generation, "ca_pem": None, "cert_pem": None, "key_pem": None},
            pulumi.ResourceOptions.merge(opts, own),
        )
