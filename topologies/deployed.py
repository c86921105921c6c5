"""What a topology hands on: to the verification, and to the stack's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Names of what was deployed, and what is to be proved of it.

    Attributes:
        apps: Containers of Open WebUI.
        migration: Its one-shot container.
        valkey: Valkey's container; None where somebody else runs it.
        postgres: Container of the database; None where it is SQLite.
        gateway: Container of the gateway; None where the application is published itself.
        expected: By container: what ``docker inspect`` must show of it.
        triggers: Ids: when one changes, the checks run again.
        depends_on: What the checks wait for.
        door: Address and port on which the gateway is published, whatever the public URL says.
        ca: Path in the gateway's container of the certificate to trust; None for those everybody trusts.
        valkey_login: How to ask Valkey; None where it asks for no password.
        isolation: The gateway's network, and the containers that must be out of its reach.
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
        """What the verification is about, without the URL and what is expected: for it, and for `make verify`."""
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
