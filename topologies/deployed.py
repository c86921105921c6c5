"""What both topologies share: the stack's data volumes, and what is handed on to the verification and the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import pulumi

from components import DataVolume
from settings import Settings

Secrets = Mapping[str, pulumi.Output[str]]
"""By the place of a text in the settings (``adminPassword``, ``valkeyUrl``, ``oidc.clientSecret``,
``extraEnvironment.NAME``): the output that takes its place."""

NO_SECRETS: Final[Secrets] = MappingProxyType({})


def extra_environment(settings: Settings, secrets: Secrets) -> dict[str, pulumi.Input[str]]:
    """The further variables of the settings, with outputs in place of their texts."""
    return {name: secrets.get(f"extraEnvironment.{name}", text) for name, text in settings.extra_environment.items()}


def data_volume(settings: Settings, name: str) -> DataVolume:
    """The data volume of that name, as the settings want it."""
    return DataVolume(name=name, external=settings.is_external(name), keep=settings.data_on_destroy == "keep")


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Names of what a topology declared, and what is to be proved of it.

    Attributes:
        apps: Containers of Open WebUI.
        migration: Its one-shot container.
        valkey: Valkey's container; None where somebody else runs it.
        postgres: Container of the database; None where it is SQLite.
        gateway: Container of the gateway; None where the application is published itself.
        expected: By container name: what ``docker inspect`` must show of it.
        triggers: Ids by container name: when one changes, the checks run again.
        depends_on: The resources that the checks wait for.
        door: The public endpoint: address and port on which the gateway is really published, whatever the public URL
            says. None where the URL says it.
        ca: Path in the gateway's container of the certificate to trust; None for those everybody trusts.
        valkey_login: How to ask Valkey; None where it asks for no password.
        isolation: The gateway's network, and the containers that must not answer from there; None where all share one.
        app_user: The application's account in Valkey; None where it has none of its own.
        account: Container and path of the file with the first account; None where none is configured.
        admin_password: Password of the first account, a secret; None where none is configured.
    """

    apps: Sequence[str]
    migration: str
    valkey: str | None
    expected: Mapping[str, dict[str, Any]]
    triggers: Mapping[str, pulumi.Input[str]]
    depends_on: Sequence[pulumi.Resource]
    postgres: str | None = None
    gateway: str | None = None
    door: Mapping[str, Any] | None = None
    ca: str | None = None
    valkey_login: Mapping[str, str] | None = None
    isolation: Mapping[str, Any] | None = None
    app_user: str | None = None
    account: Mapping[str, str] | None = None
    admin_password: pulumi.Output[str] | None = field(default=None, repr=False)

    @property
    def subject(self) -> dict[str, Any]:
        """What is verified, but for the URL and what is expected; for the verification and for `make verify`."""
        return {
            "apps": list(self.apps),
            "valkey": self.valkey,
            "postgres": self.postgres,
            "gateway": self.gateway,
            "migration": self.migration,
            "door": self.door,
            "ca": self.ca,
            "valkey_login": self.valkey_login,
            "isolation": self.isolation,
            "app_user": self.app_user,
            "account": self.account,
        }
