"""What both topologies share: the stack's data volumes, and what is handed on to the verification and the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import pulumi

from components import DataVolume
from settings import Settings
from verification.resource import VerificationArgs

Secrets = Mapping[str, pulumi.Output[str]]
"""By the place of a text in the settings (``adminPassword``, ``valkeyUrl``, ``oidc.clientSecret``,
``extraEnvironment.NAME``): the output that takes its place."""

NO_SECRETS: Final[Secrets] = MappingProxyType({})


def extra_environment(settings: Settings, secrets: Secrets) -> dict[str, pulumi.Input[str]]:
    """The further variables of the settings, with outputs in place of their texts."""
    return {name: secrets.get(f"extraEnvironment.{name}", text) for name, text in settings.variables.items()}


def data_volume(settings: Settings, name: str) -> DataVolume:
    """The data volume of that name, as the settings want it."""
    return DataVolume(name=name, external=settings.is_external(name), keep=settings.data_on_destroy == "keep")


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What a topology declared.

    Attributes:
        verification: The arguments of its verification, but for what the settings say of that.
        depends_on: The resources that the checks wait for.
        admin_password: Password of the first account, a secret; None where none is configured.
    """

    verification: VerificationArgs
    depends_on: Sequence[pulumi.Resource]
    admin_password: pulumi.Output[str] | None = field(default=None, repr=False)

    @property
    def subject(self) -> dict[str, Any]:
        """What is verified, but for the URL and what is expected: for `make verify`."""
        left_out = {"url", "expected", "wait_timeout_seconds", "always", "triggers"}
        return {name: value for name, value in vars(self.verification).items() if name not in left_out}
