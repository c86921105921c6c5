"""The façade: the whole stack as one component, whose arguments are the settings by the same names.

Pulumi makes the schema of the package from the types here. It takes no strings for types, so annotations are no strings
in this module (no ``from __future__ import annotations``), and no dataclasses for arguments: it hands over a dict.

Source: https://github.com/pulumi/pulumi/blob/v3.272.0/sdk/python/lib/pulumi/provider/experimental/analyzer.py
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Required, TypedDict

import pulumi

from preflight import preflight
from settings import Settings, SettingsError
from topologies import deploy, prove

PACKAGE: Final = "open-webui-valkey"
TYPE: Final = f"{PACKAGE}:index:OpenWebUIStack"

MAY_BE_OUTPUTS: Final = re.compile(
    r"adminPassword|valkeyUrl|oidc\.clientSecret|extraEnvironment\.(?!WEBUI_AUTH|RAG_EMBEDDING_(ENGINE|MODEL)$)\w+"
)
"""Places whose values nothing is decided by before the deployment; all others must be known then."""

PLACEHOLDERS: Final = {"valkeyUrl": "rediss://valkey.invalid:6379"}
"""What stands for an output while the settings are validated, where not any text will do."""


class Limits(TypedDict, total=False):
    """How much the containers of one role may use."""

    memory: int
    """Memory in MiB."""
    cpus: float
    """CPU time, in CPUs."""
    pids: int
    """Processes and threads."""
    nofile: int
    """Open files and sockets of one process."""


class Oidc(TypedDict, total=False):
    """Sign-in through an OpenID Connect provider."""

    provider_url: Required[str]
    """URL of its discovery document."""
    client_id: Required[str]
    """Id of the client that is registered there."""
    client_secret: Required[pulumi.Input[str]]
    """Secret of that client."""
    provider_name: str
    """Text of the button on the sign-in page."""
    scopes: str
    """Scopes, separated by spaces."""
    enable_signup: bool
    """Whoever signs in for the first time gets an account."""
    merge_accounts_by_email: bool
    """Whoever has an account with the same e-mail address signs in to that one."""


class OpenWebUIStackArgs(TypedDict, total=False):
    """The settings of the stack. ``Pulumi.yaml`` describes each, and has its default."""

    topology: str
    production: bool
    replicas: int
    replicas_max: int
    open_webui_image: str
    valkey_image: str
    postgres_image: str
    gateway_image: str
    tutorial_names: bool
    ui_bind_address: str
    ui_port: int
    http_port: int
    public_url: str
    tls: str
    acme_email: str
    acme_directory: str
    acme_root: str
    trusted_proxies: list[str]
    cors_allow_origin: str
    admin_email: str
    admin_name: str
    admin_password: pulumi.Input[str]
    enable_signup: bool
    oidc: Oidc
    extra_environment: dict[str, pulumi.Input[str]]
    extra_hosts: list[str]
    ca_file: str
    postgres_max_connections: int
    valkey_debug_port: int
    valkey_save: str
    valkey_max_clients: int
    valkey_rights: str
    valkey_tls: bool
    valkey_url: pulumi.Input[str]
    # May not be an output, for all its type: the SDK for Go does not compile with a map of plain objects.
    limits: dict[str, pulumi.Input[Limits]]
    network_name: str
    network_external: bool
    edge_subnet: str
    open_webui_volume: str
    volumes_external: bool
    data_on_destroy: str
    ollama: str
    panel_settings: bool
    log_level: str
    verification: str
    verification_timeout_seconds: int
    rotated: dict[str, str]
    acknowledged: list[str]


class OpenWebUIStack(pulumi.ComponentResource):
    """Open WebUI with Valkey as its websocket manager on Docker, proved after every deployment.

    A stack of yours has one at most: names, labels and the identity of what it makes come from project and stack.
    """

    url: pulumi.Output[str]
    """Where the UI answers."""
    app_containers: pulumi.Output[list[str]]
    """Names of the containers of Open WebUI."""
    admin_password: pulumi.Output[str] | None
    """Password of the first account, a secret; none where no account is configured."""
    report: pulumi.Output[dict[str, Any]] | None
    """The report of the verification; none where it is off."""
    open_webui_version: pulumi.Output[str] | None
    """The version that Open WebUI tells; none where the verification is off."""
    valkey_version: pulumi.Output[str] | None
    """The version that Valkey tells; none where the verification is off."""

    def __init__(self, name: str, args: OpenWebUIStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        values, secrets = configuration(args)
        settings = _settings(name, values)
        preflight(settings)
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        deployed = deploy(settings, child, secrets)
        verification = prove(settings, deployed, child)
        self.url = pulumi.Output.from_input(settings.public_url)
        self.app_containers = pulumi.Output.from_input(settings.app_containers)
        self.admin_password = deployed.admin_password
        self.report = verification.report if verification else None
        self.open_webui_version = verification.open_webui_version if verification else None
        self.valkey_version = verification.valkey_version if verification else None
        self.register_outputs(
            {
                "url": self.url,
                "appContainers": self.app_containers,
                "adminPassword": self.admin_password,
                "report": self.report,
                "openWebuiVersion": self.open_webui_version,
                "valkeyVersion": self.valkey_version,
            }
        )


def configuration(args: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, pulumi.Output[str]]]:
    """The arguments as an engine hands over the configuration of a stack, and the outputs among them by their places.

    Raises:
        pulumi.RunError: An output is where a value must be known before the deployment.
    """
    secrets: dict[str, pulumi.Output[str]] = {}
    given = {_camel_case(name): _known(_camel_case(name), value, secrets) for name, value in args.items()}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}, secrets


def _camel_case(name: str) -> str:
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def _known(place: str, value: Any, secrets: dict[str, pulumi.Output[str]]) -> Any:
    """A value of which all is known: outputs become secrets, and a text stands for each."""
    if isinstance(value, pulumi.Output):
        if not MAY_BE_OUTPUTS.fullmatch(place):
            raise pulumi.RunError(
                f"{place} is a secret or an output of a resource, and must be known before anything is deployed: write "
                "the value itself. Outputs are taken for adminPassword, valkeyUrl, oidc.clientSecret and for values of "
                "extraEnvironment, but not for its WEBUI_AUTH_* and RAG_EMBEDDING_*."
            )
        secrets[place] = value
        return PLACEHOLDERS.get(place, "an output")
    if isinstance(value, Mapping):
        # The members of oidc have names of Python here; those of other objects are the user's.
        names = {name: _camel_case(name) if place == "oidc" else name for name in value}
        return {names[name]: _known(f"{place}.{names[name]}", item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_known(f"{place}.{at}", item, secrets) for at, item in enumerate(value)]
    # Pulumi hands over all numbers as floats.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _settings(name: str, values: Mapping[str, str]) -> Settings:
    """The validated settings.

    Raises:
        pulumi.RunError: Arguments cannot work; with the way out, in the words of the settings.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    try:
        return Settings.of(project, stack, {f"{project}:{key}": value for key, value in values.items()})
    except SettingsError as error:
        text = str(error).replace(f"stacks/Pulumi.{stack}.yaml", f"OpenWebUIStack {name}").replace(f"{project}:", "")
        raise pulumi.RunError(text) from None
