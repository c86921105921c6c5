"""The verification as a Pulumi resource: the last one, after everything it proves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi.dynamic

from verification.checks import CHECKS_VERSION
from verification.provider import DEFAULT_WAIT_SECONDS, VerificationProvider


@dataclass(frozen=True, kw_only=True)
class VerificationArgs:
    """What to prove, and when to prove it again."""

    apps: list[pulumi.Input[str]]
    """Names of the containers of Open WebUI, one a replica."""

    valkey: pulumi.Input[str] | None
    """Name of Valkey's container; None where Valkey is none of this Docker's containers."""

    postgres: pulumi.Input[str] | None = None
    """Name of Postgres' container, if there is one."""

    gateway: pulumi.Input[str] | None = None
    """Name of the gateway's container, if there is one: ``url`` leads through it."""

    migration: pulumi.Input[str] | None = None
    """Name of the one-shot migration container, if there is one: it must have exited with 0."""

    url: pulumi.Input[str] | None = None
    """Address people open, for example ``http://127.0.0.1:3000``; None where nothing is asked through one."""

    door: pulumi.Input[Mapping[str, Any]] | None = None
    """Where ``url`` is really published: ``{"address": "127.0.0.1", "port": 8443}``; None for the URL's own."""

    ca: pulumi.Input[str] | None = None
    """File inside the gateway's container with the CA of its certificate; None for this host's own CAs."""

    valkey_login: pulumi.Input[Mapping[str, str]] | None = None
    """Account to ask Valkey with: ``{"user", "password_file", "ca_file"}``, files inside Valkey's container.

    An empty ``ca_file`` says that Valkey speaks no TLS. None where it asks for no password.
    """

    isolation: pulumi.Input[Mapping[str, Any]] | None = None
    """``{"edge": network, "private": [container, ...]}``: these must not answer from the gateway's network.

    None where everything shares a network.
    """

    app_user: pulumi.Input[str] | None = None
    """Account of the apps in Valkey, which must have been denied nothing; None where they have none of their own."""

    account: pulumi.Input[Mapping[str, str]] | None = None
    """Where the administrator's account stands: ``{"container", "path"}``, shell lines in a file inside a container.

    None for the ``WEBUI_ADMIN_EMAIL`` and ``WEBUI_ADMIN_PASSWORD`` that Open WebUI's containers have, if they do.
    """

    expected: Mapping[str, pulumi.Input[dict[str, Any]]] = field(default_factory=dict)
    """By container name: dotted ``docker inspect`` path to the value asked for. Lists compare as sets, except commands.

    A key in brackets may hold dots, and picks one variable: ``Config.Env[WEBSOCKET_MANAGER]``.
    """

    wait_timeout_seconds: pulumi.Input[int] = DEFAULT_WAIT_SECONDS
    """How long Open WebUI may take to answer, in seconds."""

    always: bool = False
    """Run on every update, not only when something changed."""

    triggers: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    """Ids, images, hashes: when one changes, the checks run again."""


class Verification(pulumi.dynamic.Resource, module="verification", name="Verification"):
    """Proves the deployment; an update over a deployment that is not proved fails with the report.

    Guarantees:
        - It exists in the state only after every ``must`` check passed.
        - It runs again when an input changed or a container was restarted since.

    Args:
        name: Name of the Pulumi resource.
        args: What to prove.
        opts: Pulumi's options; ``depends_on`` names everything it is to wait for.
    """

    report: pulumi.Output[dict[str, Any]]
    """The report, in the shape of ``python -m verification --json``."""

    open_webui_version: pulumi.Output[str]
    """Version Open WebUI tells."""

    valkey_version: pulumi.Output[str]
    """Version Valkey tells; empty where it may not be asked."""

    images: pulumi.Output[dict[str, Any]]
    """By container: ``reference``, ``id``, ``version`` and ``origin`` (built locally from what, or not built here)."""

    def __init__(self, name: str, args: VerificationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # What is asked for may hold secrets; it stays sealed in the state even where Pulumi cannot tell.
        # Nothing of it is anywhere but in the state: to delete it, Pulumi need not start the host of its provider.
        own = pulumi.ResourceOptions(additional_secret_outputs=["expected"], retain_on_delete=True)
        super().__init__(
            VerificationProvider(),
            name,
            {
                **vars(args),
                "expected": dict(args.expected),
                "checks_version": CHECKS_VERSION,
                "report": None,
                "open_webui_version": None,
                "valkey_version": None,
                "images": None,
            },
            pulumi.ResourceOptions.merge(opts, own),
        )
