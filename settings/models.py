"""Every setting there is: its key, type, bounds, default and meaning, a group of them a model.

To add a setting, add a field, then run ``make reference``: it writes ``Pulumi.yaml``, ``docs/settings.md`` and
``stacks/schema.json``. The attributes of ``Settings`` and the words of :mod:`settings.refusal` follow too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from settings import references, values
from settings.blocks import ACKNOWLEDGEMENTS, SECRET_NAMES, Acknowledged, LimitsBlock, OidcOrNone, Rotated
from settings.field_types import (
    Block,
    DockerName,
    Email,
    Flag,
    Mark,
    PlainEmail,
    Port,
    PortOrNone,
    Replicated,
    Secret,
    Single,
    Variables,
    keys,
    marked,
    unless_empty,
)

Topology = Literal["single", "replicated"]
_BUILT: Final = "It is built locally under this name where no registry can be reached."


class Deployment(Block):
    """What is deployed."""

    topology: Topology = Field(
        "single",
        description="single (one Open WebUI on SQLite, as in the tutorial) or replicated (several on Postgres behind a "
        "gateway, with a locked-down Valkey).",
    )
    production: Flag = Field(
        default=False,
        description="Refuse what a team must not run on: floating tags, images built locally, a plain http URL, open "
        "sign-up, data removed on destroy, a deployment without verification.",
    )
    replicas: int = Field(
        1,
        ge=1,
        le=32,
        description="Containers of Open WebUI. More than one needs topology replicated, and replicasMax is the most.",
    )
    replicas_max: Replicated[int] = Field(
        8,
        ge=1,
        le=32,
        description="The most replicas that you will ever scale to. The pools of database connections "
        "are sized for this number, so that scaling restarts no container.",
    )


class Images(Block):
    """Images."""

    open_webui_image: Annotated[str, AfterValidator(references.open_webui_image)] = Field(
        "ghcr.io/open-webui/open-webui:main",
        description=f"Image of Open WebUI, 0.12.0 or later. {_BUILT}",
        examples=[references.OPEN_WEBUI_TRIED],
    )
    valkey_image: Annotated[str, AfterValidator(references.valkey_image)] = Field(
        "docker.io/valkey/valkey:8.0.1-alpine",
        description=f"Image of Valkey (not of Redis, which has no valkey-server). {_BUILT}",
        examples=[references.VALKEY_TRIED],
    )
    postgres_image: Replicated[Annotated[str, AfterValidator(references.postgres_image)]] = Field(
        references.POSTGRES_TRIED, description=f"Image of Postgres 17 or later with pgvector. {_BUILT}"
    )
    gateway_image: Replicated[Annotated[str, AfterValidator(references.gateway_image)]] = Field(
        references.GATEWAY_TRIED, description=f"Image of Caddy, 2.9 or later. {_BUILT}"
    )


class Entry(Block):
    """Where people reach Open WebUI."""

    ui_bind_address: Annotated[str, AfterValidator(values.ip_address)] = Field(
        "127.0.0.1",
        description="Address of this host on which the UI is published. 0.0.0.0 publishes it to the network.",
    )
    ui_port: Port = Field(3000, description="Port of this host on which the UI is published.")
    http_port: Replicated[PortOrNone] = Field(
        0,
        validate_default=True,
        description="Port of this host that redirects http to https; it needs tls.",
        examples=[80],
    )
    given_public_url: Replicated[Annotated[str, unless_empty(values.origin)]] = Field(
        "",
        description="The URL that people open, such as https://chat.example.com. Cookies, CORS and the certificate "
        "follow from it. Empty derives it from uiBindAddress, uiPort and tls.",
        examples=["https://chat.example.com"],
    )
    tls: Replicated[Literal["off", "internal", "acme"]] = Field(
        "off",
        description="How the gateway gets a certificate: off (none, it speaks http), internal (from a CA of its own) "
        "or acme (from a public CA, such as Let's Encrypt).",
    )
    acme_email: Replicated[PlainEmail] = Field(
        "", description="The address that the CA writes to, with tls acme.", examples=["admin@example.com"]
    )
    acme_directory: Replicated[Annotated[str, unless_empty(values.https_url)]] = Field(
        "",
        description="Directory URL of another ACME CA, with tls acme. Empty is Caddy's default.",
        examples=["https://ca.example.com/acme/acme/directory"],
    )
    acme_root: Replicated[Annotated[str, AfterValidator(values.authorities)]] = Field(
        "",
        description="The root certificate of a private ACME CA (acmeDirectory), PEM. The gateway and the verification "
        "trust it.",
    )
    trusted_proxies: Replicated[Annotated[tuple[str, ...], AfterValidator(values.networks)]] = Field(
        (),
        description="IP addresses and networks (CIDR) of proxies in front of the gateway. They are believed about who "
        "connects, by which scheme, and about headers that WEBUI_AUTH_TRUSTED_* name; nobody else is. 127.0.0.1 is a "
        "proxy on this host.",
        examples=[["192.0.2.7"]],
    )
    given_cors_allow_origin: Replicated[Annotated[str, unless_empty(values.origins)]] = Field(
        "", description="Web origins that may use the API, with ; between them. Empty is the public URL alone."
    )


class Accounts(Block):
    """Who can sign in."""

    admin_email: Replicated[Email] = Field(
        "",
        description="E-mail address of the administrator, whose account is made on the first start.",
        examples=["admin@example.com"],
    )
    admin_name: Replicated[Annotated[str, AfterValidator(values.line)]] = Field(
        "Admin", description="The administrator's name."
    )
    admin_password: Replicated[Secret[Annotated[str, unless_empty(values.password)]]] = Field(
        "", description="The administrator's password, a secret. Empty has one generated."
    )
    enable_signup: Replicated[Flag] = Field(
        default=False, description="Let anybody who reaches the UI ask for an account."
    )
    given_oidc: Replicated[OidcOrNone] = Field(
        {},
        validate_default=True,
        description="Sign-in through OpenID Connect: providerUrl, clientId, clientSecret (a secret), providerName, "
        "scopes, enableSignup, mergeAccountsByEmail.",
    )


class Application(Block):
    """Open WebUI's environment."""

    extra_environment: Variables = Field(
        {},
        repr=False,
        description="Further variables for Open WebUI, each with its value. A variable that this project sets is "
        "refused.",
        examples=[{"NAME": "TEXT"}],
    )
    ollama: Annotated[str, unless_empty(values.ollama)] = Field(
        "",
        description="Where models of Ollama are: host (an Ollama on this host), a URL, or off. Empty leaves it to Open "
        "WebUI and its admin panel.",
        examples=[values.OLLAMA_HERE],
    )
    panel_settings: Flag = Field(
        default=True,
        description="Keep what is saved in Open WebUI's admin panel. What this file says (enableSignup, publicUrl, "
        "extraEnvironment) is written there at each up and wins. false: this file's alone; what is saved in the panel "
        "is lost as a container restarts.",
    )
    extra_hosts: Annotated[
        Mapping[str, str],
        BeforeValidator(values.extra_hosts),
        WithJsonSchema({"type": "array", "items": {"type": "string"}}),
    ] = Field(
        [],
        validate_default=True,
        description="Further names of hosts for Open WebUI's containers, as for docker run --add-host; "
        f"{values.HOST_NAME}:{values.HOST_GATEWAY} is this host.",
        examples=[[f"{values.HOST_NAME}:{values.HOST_GATEWAY}"]],
    )
    ca: Annotated[str, unless_empty(values.authorities_in_file)] = Field(
        "",
        alias="caFile",
        description="A PEM file of private certification authorities, which Open WebUI trusts besides the public ones. "
        "The path is absolute, or begins in the project's directory.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO",
        description="Open WebUI's GLOBAL_LOG_LEVEL: DEBUG, INFO, WARNING, ERROR or CRITICAL. The tutorial's log line "
        "needs DEBUG.",
    )


class Databases(Block):
    """Postgres and Valkey."""

    postgres_max_connections: Replicated[int] = Field(200, ge=1, le=10000, description="Postgres' max_connections.")
    valkey_debug_port: Single[PortOrNone] = Field(
        0,
        validate_default=True,
        description="Port on 127.0.0.1 on which Valkey is published for debugging.",
        examples=[6379],
    )
    valkey_save: Annotated[
        tuple[tuple[int, int], ...], BeforeValidator(values.save_policy), WithJsonSchema({"type": "string"})
    ] = Field(
        "30 1",
        validate_default=True,
        description='Valkey\'s save policy, pairs of SECONDS CHANGES: "30 1" saves after 30 seconds if 1 key changed. '
        "Empty turns snapshots off.",
    )
    valkey_max_clients: Replicated[int] = Field(10000, ge=100, le=1000000, description="Valkey's maxclients.")
    valkey_rights: Replicated[
        Annotated[tuple[str, ...], BeforeValidator(values.valkey_rights), WithJsonSchema({"type": "string"})]
    ] = Field(
        "",
        validate_default=True,
        description='Further rights of Open WebUI\'s account in Valkey, as in ACL SETUSER: "+lpop ~other:* &other". A '
        "newer version may need them, or a function of your own.",
        examples=["+lpop"],
    )
    valkey_tls: Replicated[Flag] = Field(
        default=False, description="Have Open WebUI and Valkey speak TLS, with a CA generated for the stack."
    )
    valkey_url: Replicated[Secret[Annotated[str, unless_empty(values.redis_url)]]] = Field(
        "",
        description="A Valkey or Redis elsewhere instead of this stack's own, a secret, such as "
        "rediss://user:password@host:6379. No other stack may use it.",
        examples=["rediss://openwebui:PASSWORD@valkey.example.com:6379"],
    )


class DockerObjects(Block):
    """Containers, networks and volumes."""

    given_limits: LimitsBlock = Field(
        {},
        validate_default=True,
        alias="limits",
        description="The most that containers may use, as memory (MiB), cpus, pids and nofile of open-webui (each "
        "replica), valkey and, in replicated, postgres and gateway. What is not given keeps its default; single limits "
        "memory alone, and there 0 is no limit.",
    )
    tutorial_names: Single[Flag] = Field(
        default=False,
        description="Name containers, network and volumes as the tutorial does (redis-valkey, open-webui, ...) instead "
        "of after the stack. One stack of a host can have these names.",
    )
    network_name: DockerName = Field(
        "",
        description="Name of the Docker network. Empty derives it from the stack (or the tutorial).",
        examples=["openwebui-network"],
    )
    network_external: Single[Flag] = Field(
        default=False,
        description="Join a network that exists already (the tutorial's external) instead of creating one.",
    )
    given_edge_subnet: Replicated[Annotated[str, unless_empty(values.subnet)]] = Field(
        "",
        description="IPv4 network of gateway and replicas, a private one of size /24 to /28. Empty derives a "
        "10.213.x.0/24 from the stack's name.",
        examples=["10.213.7.0/24"],
    )
    adopted_volume: Single[DockerName] = Field(
        "",
        alias="openWebuiVolume",
        description="A volume that holds Open WebUI's data already, such as open-webui or compose's chat_open-webui. "
        "It is used in place and never removed. Empty has one created.",
        examples=["open-webui"],
    )
    volumes_external: Flag = Field(
        default=False,
        description="Use data volumes that exist already, made by hand or by compose, instead of creating them. They "
        "are never removed.",
    )
    data_on_destroy: Literal["keep", "delete"] = Field(
        "keep", description="What `destroy` does with the data volumes: keep or delete them."
    )


class Operation(Block):
    """How the stack is verified, rotated and guarded."""

    verification: Literal["on", "always", "off"] = Field(
        "on", description='When the verification runs: "on" (something changed), "always" (every up) or "off".'
    )
    verification_timeout_seconds: int = Field(
        600,
        ge=1,
        le=3600,
        description="How long the verification waits for Open WebUI to become healthy.",
        json_schema_extra={"x-unit": "seconds"},
    )
    rotated: Replicated[Rotated] = Field(
        {},
        description="Secrets to replace by new ones, each with any word that you have not used for it before, such as "
        f"a date. The names are {', '.join(SECRET_NAMES)}.",
        examples=[{"secret-key": "2026-01-31"}],
    )
    acknowledged: Acknowledged = Field(
        frozenset(),
        description="Risks that you accept. What a word names is then not refused. The words are "
        f"{', '.join(ACKNOWLEDGEMENTS)}.",
    )


GROUPS: Final = (Deployment, Images, Entry, Accounts, Application, Databases, DockerObjects, Operation)


class Given(Operation, DockerObjects, Databases, Application, Accounts, Entry, Images, Deployment):
    """A stack file with the defaults of what it leaves out, each value valid by itself."""


FIELDS: Final = keys(Given)
"""By key: the name of its field in :class:`Given`, and the field."""

KEYS: Final = frozenset(FIELDS)
"""Every config key there is, without the project's namespace."""

SECRETS: Final = frozenset(marked(Given, Mark.SECRET))
"""Keys, and places within objects as ``oidc.clientSecret``, whose values are never shown and refused in plain text."""

SECRET_KEYS: Final = SECRETS & KEYS
ONLY_REPLICATED: Final = tuple(marked(Given, Mark.REPLICATED))
ONLY_SINGLE: Final = tuple(marked(Given, Mark.SINGLE))
