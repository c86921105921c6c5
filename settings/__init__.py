"""The settings of one stack: read from Pulumi's configuration here and nowhere else, validated in previews too.

Defaults stand in ``Pulumi.yaml``; ``stacks/Pulumi.<stack>.yaml`` holds only what differs. The launcher validates the
same values before it makes anything, and does not wait for Pulumi to be imported for that.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, cast, get_args

from components import limits
from components.accounts import Admin
from components.embedding import embedding
from docker_access import labels
from settings import objects, outside
from settings import values as values_of
from settings.objects import Oidc, RoleLimits
from settings.rules import ACKNOWLEDGEMENTS, problems
from settings.values import OPEN_WEBUI_TRIED, Invalid, too_old

__all__ = [
    "KEYS",
    "OPEN_WEBUI_TRIED",
    "Admin",
    "Names",
    "Oidc",
    "RoleLimits",
    "Settings",
    "SettingsError",
    "Tls",
    "too_old",
]

T = TypeVar("T")
Topology = Literal["single", "replicated"]
TlsMode = Literal["off", "internal", "acme"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
DataOnDestroy = Literal["keep", "delete"]
VerificationMode = Literal["on", "always", "off"]

KEYS: Final = frozenset(
    {
        "topology",
        "production",
        "replicas",
        "replicasMax",
        "openWebuiImage",
        "valkeyImage",
        "postgresImage",
        "gatewayImage",
        "tutorialNames",
        "uiBindAddress",
        "uiPort",
        "httpPort",
        "publicUrl",
        "tls",
        "acmeEmail",
        "acmeDirectory",
        "acmeRoot",
        "trustedProxies",
        "corsAllowOrigin",
        "adminEmail",
        "adminName",
        "adminPassword",
        "enableSignup",
        "oidc",
        "extraEnvironment",
        "extraHosts",
        "caFile",
        "postgresMaxConnections",
        "valkeyDebugPort",
        "valkeySave",
        "valkeyMaxClients",
        "valkeyRights",
        "valkeyTls",
        "valkeyUrl",
        "limits",
        "networkName",
        "networkExternal",
        "edgeSubnet",
        "openWebuiVolume",
        "volumesExternal",
        "dataOnDestroy",
        "logLevel",
        "verification",
        "verificationTimeoutSeconds",
        "rotated",
        "acknowledged",
    },
)
"""Every config key there is, without the project's namespace."""

SECRET_KEYS: Final = frozenset({"adminPassword", "valkeyUrl"})
"""Keys whose values are never shown, and refused in plain text."""

SECRET: Final = re.compile(rf"{'|'.join(SECRET_KEYS)}|oidc\.clientSecret")
"""Places whose values are secret."""

HIDDEN: Final = re.compile(rf"{SECRET.pattern}|oidc|extraEnvironment(\..*)?", re.DOTALL)
"""Places whose values are not shown, because a part of them may be secret."""


class SettingsError(Exception):
    """One or more settings cannot work; the text names each, the value seen and a line that would."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names of the Docker objects of one stack; empty for those its topology does not have.

    A name ending in ``_files`` is that of a volume, and of the container that fills it.
    """

    network: str
    valkey: str
    valkey_volume: str
    open_webui: str
    open_webui_volume: str
    migration: str
    data_network: str = ""
    valkey_files: str = ""
    postgres: str = ""
    postgres_volume: str = ""
    postgres_socket: str = ""
    postgres_setup: str = ""
    open_webui_files: str = ""
    gateway: str = ""
    gateway_volume: str = ""
    gateway_files: str = ""

    @classmethod
    def of_tutorial(cls) -> Names:
        """Names that the tutorial's compose file and ``docker run`` line give."""
        return cls(
            network="openwebui-network",
            valkey="redis-valkey",
            valkey_volume="redis-data",
            open_webui="open-webui",
            open_webui_volume="open-webui",
            migration="open-webui-migration",
        )

    @classmethod
    def of_stack(cls, project: str, stack: str, topology: Topology = "single") -> Names:
        """Names that carry project and stack, so that stacks share a host.

        In ``replicated``, ``network`` is the gateway's and the replicas', and replicas are ``open_webui`` with ``-1``,
        ``-2`` and so on behind it.
        """
        prefix = f"{project}-{stack}"
        names = cls(
            network=f"{prefix}-network",
            valkey=f"{prefix}-valkey",
            valkey_volume=f"{prefix}-valkey-data",
            open_webui=prefix,
            open_webui_volume=f"{prefix}-data",
            migration=f"{prefix}-migration",
        )
        if topology == "single":
            return names
        return replace(
            names,
            network=f"{prefix}-edge",
            data_network=f"{prefix}-data",
            valkey_files=f"{prefix}-valkey-files",
            postgres=f"{prefix}-postgres",
            postgres_volume=f"{prefix}-postgres-data",
            postgres_socket=f"{prefix}-postgres-socket",
            postgres_setup=f"{prefix}-postgres-setup",
            open_webui_files=f"{prefix}-files",
            gateway=f"{prefix}-gateway",
            gateway_volume=f"{prefix}-gateway-data",
            gateway_files=f"{prefix}-gateway-files",
        )


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How the gateway gets its certificate.

    Attributes:
        mode: ``off`` (http), ``internal`` (from a CA of its own) or ``acme`` (from a public or named CA).
        email: Where the ACME CA writes to.
        directory: The ACME CA's directory URL; empty for Caddy's default.
        root: PEM of the ACME CA's root certificate; empty for one that machines trust anyway.
    """

    mode: TlsMode
    email: str = ""
    directory: str = ""
    root: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set for a stack.

    Attributes:
        project: Pulumi project.
        stack: Pulumi stack.
        topology: ``single`` (one Open WebUI on SQLite) or ``replicated`` (several on Postgres behind a gateway).
        production: The strict rules hold.
        replicas: Open WebUI containers.
        replicas_max: As many as there may ever be: connection pools are sized for them.
        names: Names of the Docker objects.
        open_webui_image: Image reference of Open WebUI.
        valkey_image: Image reference of Valkey.
        postgres_image: Image reference of Postgres with pgvector.
        gateway_image: Image reference of Caddy.
        ui_bind_address: IP address of the host on which the UI is published.
        ui_port: TCP port of the host on which the UI is published.
        http_port: TCP port of the host that redirects http to https, or None.
        public_url: What people open, without a slash at its end.
        tls: How the gateway gets its certificate.
        trusted_proxies: IP networks of proxies in front of the gateway, which are believed about who connects.
        edge_subnet: IPv4 network of gateway and replicas; empty in ``single``, where Docker chooses.
        postgres_max_connections: Postgres' ``max_connections``.
        valkey_debug_port: TCP port on 127.0.0.1 on which Valkey is published, or None.
        valkey_save: Save policy: pairs of seconds and changes; empty turns snapshots off.
        valkey_max_clients: Valkey's ``maxclients``.
        valkey_rights: What Open WebUI's account in Valkey may do besides what this project knows of.
        valkey_tls: Open WebUI and Valkey speak TLS.
        valkey_url: A Valkey or Redis elsewhere, without database number, or None for this stack's own.
        limits: What each container may use.
        admin: The administrator's account, or None.
        enable_signup: Anybody may ask for an account.
        cors_allow_origin: CORS_ALLOW_ORIGIN, origins with ``;`` between them.
        oidc: Sign-in through an OpenID Connect provider, or None.
        extra_environment: Further variables for Open WebUI; they may hold secrets.
        extra_hosts: Names that Open WebUI's containers know besides, to IPv4 addresses or ``host-gateway``.
        ca: Certificates of the authorities that they trust besides the public ones, PEM; empty for none.
        rotated: Secret names to text that, changed, makes the secret anew.
        acknowledged: What production would refuse otherwise.
        network_external: The network exists already and is only joined.
        adopted_volume: The volume of Open WebUI's data, where it exists already and is only used; else empty.
        volumes_external: All data volumes exist already and are only used.
        data_on_destroy: What ``destroy`` does with the data volumes.
        log_level: Open WebUI's GLOBAL_LOG_LEVEL.
        verification: When the proof runs.
        verification_timeout_seconds: How long the verification waits for Open WebUI to become healthy.
    """

    project: str
    stack: str
    topology: Topology
    production: bool
    replicas: int
    replicas_max: int
    names: Names
    open_webui_image: str
    valkey_image: str
    postgres_image: str
    gateway_image: str
    ui_bind_address: str
    ui_port: int
    http_port: int | None
    public_url: str
    tls: Tls
    trusted_proxies: tuple[str, ...]
    edge_subnet: str
    postgres_max_connections: int
    valkey_debug_port: int | None
    valkey_save: tuple[tuple[int, int], ...]
    valkey_max_clients: int
    valkey_rights: tuple[str, ...]
    valkey_tls: bool
    valkey_url: str | None = field(repr=False)
    limits: RoleLimits
    admin: Admin | None
    enable_signup: bool
    cors_allow_origin: str
    oidc: Oidc | None
    extra_environment: Mapping[str, str] = field(repr=False)
    extra_hosts: Mapping[str, str]
    ca: str
    rotated: Mapping[str, str]
    acknowledged: frozenset[str]
    network_external: bool
    adopted_volume: str
    volumes_external: bool
    data_on_destroy: DataOnDestroy
    log_level: LogLevel
    verification: VerificationMode
    verification_timeout_seconds: int

    @property
    def labels(self) -> dict[str, str]:
        """Docker labels that mark an object as this stack's."""
        return {labels.PROJECT: self.project, labels.STACK: self.stack}

    @property
    def url(self) -> str:
        """Where the UI answers."""
        return self.public_url

    @property
    def identity_headers(self) -> dict[str, str]:
        """Headers by which a proxy tells Open WebUI who somebody is, by the variable that names each."""
        return {
            name: value
            for name, value in self.extra_environment.items()
            if name.startswith("WEBUI_AUTH_TRUSTED_") and value
        }

    @property
    def embedding(self) -> str:
        """What makes vectors of documents, as :func:`embedding.embedding` names it."""
        return embedding(self.extra_environment)

    @property
    def replicated(self) -> bool:
        """Whether the topology is ``replicated``."""
        return self.topology == "replicated"

    @property
    def app_containers(self) -> list[str]:
        """Names of the containers that serve Open WebUI."""
        if not self.replicated:
            return [self.names.open_webui]
        return [f"{self.names.open_webui}-{number}" for number in range(1, self.replicas + 1)]

    @property
    def containers(self) -> list[str]:
        """Names of all containers, in the order in which they are needed."""
        names = self.names
        if not self.replicated:
            return [names.valkey, names.migration, names.open_webui]
        valkey = [] if self.valkey_url else [names.valkey_files, names.valkey]
        database = [names.postgres, names.postgres_setup, names.migration]
        return [
            *valkey,
            *database,
            names.open_webui_files,
            *self.app_containers,
            names.gateway_files,
            names.gateway,
        ]

    @property
    def volumes(self) -> list[str]:
        """Names of the volumes that hold data."""
        names = self.names
        if not self.replicated:
            return [names.valkey_volume, names.open_webui_volume]
        valkey = [] if self.valkey_url else [names.valkey_volume]
        return [*valkey, names.postgres_volume, names.open_webui_volume, names.gateway_volume]

    def is_external(self, volume: str) -> bool:
        """Whether a data volume exists already and is only used."""
        return self.volumes_external or volume == self.adopted_volume

    @property
    def networks(self) -> list[str]:
        """Names of the networks."""
        return [self.names.network, *([self.names.data_network] if self.replicated else [])]

    @property
    def images(self) -> dict[str, str]:
        """Image references by the role of the containers made from them."""
        needed = {"open-webui": self.open_webui_image}
        if not self.valkey_url:
            needed["valkey"] = self.valkey_image
        if self.replicated:
            needed |= {"postgres": self.postgres_image, "gateway": self.gateway_image}
        return needed

    @classmethod
    def from_config(cls) -> Settings:
        """The settings of the stack that the running program deploys.

        Raises:
            pulumi.RunError: naming every setting that cannot work; Pulumi shows it without a traceback.
        """
        import pulumi  # noqa: PLC0415 - half a second that the launcher saves
        from pulumi.runtime import config  # noqa: PLC0415 - the same

        # Either engine hands them over its own way: in memory, or in the environment.
        values = {**config.get_config_env(), **config.CONFIG.get()}
        secret = {*config.get_config_secret_keys_env(), *filter(config.is_config_secret, values)}
        try:
            return cls.of(pulumi.get_project(), pulumi.get_stack(), values, secret)
        except SettingsError as error:
            raise pulumi.RunError(str(error)) from None

    @classmethod
    def of(
        cls,
        project: str,
        stack: str,
        values: Mapping[str, str],
        secret: Collection[str] | None = None,
    ) -> Settings:
        """Validate the configuration of a stack.

        Args:
            project: Pulumi project.
            stack: Pulumi stack.
            values: ``<namespace>:<key>`` to text, objects and lists as JSON, secrets decrypted, defaults included;
                other namespaces are ignored.
            secret: Those of the keys whose values are encrypted in the stack file; None if unknown. A part of one that
                is an object may be named by its path (``<namespace>:extraEnvironment.NAME``).

        Raises:
            SettingsError: naming every setting that cannot work.
        """
        reader = _Reader(project, stack, values, secret)
        reader.refuse_unknown_keys()
        reader.refuse_plain_secrets()
        settings = _settings(reader, project, stack)
        reader.apply_rules(settings)
        reader.raise_problems()
        return settings


def _settings(reader: _Reader, project: str, stack: str) -> Settings:
    """The settings as they are written, each valid by itself."""
    read = reader.read
    topology = cast("Topology", read("topology", values_of.one_of(get_args(Topology))))
    replicated = topology == "replicated"
    names = Names.of_stack(project, stack, topology)
    if read("tutorialNames", values_of.boolean) and not replicated:
        names = Names.of_tutorial()
    if network_name := read("networkName", values_of.docker_name_or_empty):
        names = replace(names, network=network_name)
    if adopted_volume := read("openWebuiVolume", values_of.docker_name_or_empty):
        names = replace(names, open_webui_volume=adopted_volume)
    tls = Tls(
        mode=cast("TlsMode", read("tls", values_of.one_of(get_args(TlsMode)))),
        email=read("acmeEmail", values_of.plain_email_or_empty),
        directory=read("acmeDirectory", values_of.https_url_or_empty),
        root=read("acmeRoot", values_of.authorities_or_empty),
    )
    bind_address, ui_port = read("uiBindAddress", values_of.ip_address), read("uiPort", values_of.port)
    own_url = _url_of(bind_address, ui_port, tls.mode if replicated else "off")
    # Only what a browser calls the origin can be compared with what it sends.
    own_origin = values_of.origin(own_url, own_url)
    public_url = read("publicUrl", lambda value: values_of.origin(value, own_origin) if value else "")
    if not (replicated and public_url):
        public_url = own_origin if replicated else own_url
    admin = Admin(
        email=read("adminEmail", values_of.email_or_empty),
        name=read("adminName", values_of.text),
        password=read("adminPassword", values_of.password_or_empty),
    )
    of_topology = limits.DEFAULTS if replicated else limits.DEFAULTS_OF_SINGLE
    found_limits = reader.read_object("limits", partial(objects.read_limits, of_topology=of_topology))
    valkey_url = read("valkeyUrl", values_of.redis_url_or_empty)
    if replicated and valkey_url:
        del found_limits["valkey"]
    return Settings(
        project=project,
        stack=stack,
        topology=topology,
        production=read("production", values_of.boolean),
        replicas=read("replicas", values_of.whole_number(1, 32, "2" if replicated else "1")),
        replicas_max=read("replicasMax", values_of.whole_number(1, 32, "8")),
        names=names,
        open_webui_image=read("openWebuiImage", values_of.open_webui_image),
        valkey_image=read("valkeyImage", values_of.valkey_image),
        postgres_image=read("postgresImage", values_of.postgres_image),
        gateway_image=read("gatewayImage", values_of.gateway_image),
        ui_bind_address=bind_address,
        ui_port=ui_port,
        http_port=read("httpPort", values_of.port_or_zero("80")),
        public_url=public_url,
        tls=tls,
        trusted_proxies=read("trustedProxies", values_of.networks),
        edge_subnet=(read("edgeSubnet", values_of.subnet_or_empty) or _subnet_of(project, stack)) if replicated else "",
        postgres_max_connections=read("postgresMaxConnections", values_of.whole_number(1, 10000, "200")),
        valkey_debug_port=read("valkeyDebugPort", values_of.port_or_zero("6379")),
        valkey_save=read("valkeySave", values_of.save_policy),
        valkey_max_clients=read("valkeyMaxClients", values_of.whole_number(100, 1000000, "10000")),
        valkey_rights=read("valkeyRights", values_of.valkey_rights),
        valkey_tls=read("valkeyTls", values_of.boolean),
        valkey_url=valkey_url if replicated else None,
        limits=RoleLimits(**{role.replace("-", "_"): of_role for role, of_role in found_limits.items()}),
        admin=admin if admin.email else None,
        enable_signup=read("enableSignup", values_of.boolean),
        cors_allow_origin=read("corsAllowOrigin", values_of.origins_or_empty(public_url)) or public_url,
        oidc=reader.read_object("oidc", objects.read_oidc),
        extra_environment=MappingProxyType(
            reader.read_object("extraEnvironment", partial(objects.read_environment, replicated=replicated))
        ),
        extra_hosts=MappingProxyType(read("extraHosts", outside.extra_hosts)),
        ca=read("caFile", outside.ca_file),
        rotated=MappingProxyType(reader.read_object("rotated", objects.read_rotated)),
        acknowledged=reader.read_words("acknowledged", ACKNOWLEDGEMENTS),
        network_external=read("networkExternal", values_of.boolean),
        adopted_volume=adopted_volume,
        volumes_external=read("volumesExternal", values_of.boolean),
        data_on_destroy=cast("DataOnDestroy", read("dataOnDestroy", values_of.one_of(get_args(DataOnDestroy)))),
        log_level=cast("LogLevel", read("logLevel", values_of.one_of(get_args(LogLevel)))),
        verification=cast("VerificationMode", read("verification", values_of.one_of(get_args(VerificationMode)))),
        verification_timeout_seconds=read("verificationTimeoutSeconds", values_of.seconds),
    )


def _url_of(bind_address: str, port: int, tls: TlsMode) -> str:
    """Where the published port answers, seen from this host."""
    address = ipaddress.ip_address(bind_address)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004 - IPv4
    host = str(address) if address.version == 4 else f"[{address}]"  # noqa: PLR2004 - IPv4
    return f"{'http' if tls == 'off' else 'https'}://{host}:{port}"


def _subnet_of(project: str, stack: str) -> str:
    """A network of the stack's own among 256, always the same: the gateway's address in it is known beforehand."""
    return f"10.213.{hashlib.sha256(f'{project}-{stack}'.encode()).digest()[0]}.0/24"


class _Reader:
    """Reads single keys, and collects what is wrong so that all of it is said at once."""

    def __init__(
        self,
        project: str,
        stack: str,
        values: Mapping[str, str],
        secret: Collection[str] | None,
    ) -> None:
        self._project = project
        self._stack = stack
        prefix = f"{project}:"
        self._values = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        self._secret = None if secret is None else {key.removeprefix(prefix) for key in secret}
        self._unread: set[str] = set()
        self._problems: list[str] = []

    def read(self, key: str, parse: Callable[[str], T]) -> T:
        value = self._values.get(key)
        if value is None:
            raise SettingsError(f"{self._project}:{key} has no value: give its default back to Pulumi.yaml.")
        try:
            return parse(value)
        except Invalid as invalid:
            self._unread.add(key)
            self._say(key, "", invalid.rule, invalid.example)
            return parse(invalid.example)

    def read_object(self, key: str, parse: Callable[[dict[str, Any], objects.Refuse], T]) -> T:
        found = self.read(key, values_of.json_object)

        def refuse(path: str, rule: str, example: Any) -> None:
            self._unread.add(key)
            self._say(key, path, rule, example)

        return parse(found, refuse)

    def read_words(self, key: str, known: Mapping[str, str]) -> frozenset[str]:
        words = self.read(key, values_of.json_words)
        for word in sorted(words - known.keys()):
            close = difflib.get_close_matches(word, known, n=1)
            there_are = "; ".join(f"{one} ({meaning})" for one, meaning in known.items())
            rule = f"there is no {word!r}; there are {there_are}"
            self._unread.add(key)
            self._say(key, "", rule, sorted({*words - {word}, *close} & known.keys()))
        return words

    def refuse_unknown_keys(self) -> None:
        for key in sorted(self._values.keys() - KEYS):
            close = difflib.get_close_matches(key, KEYS, n=1)
            known = f"Did you mean {close[0]}?" if close else f"There are {', '.join(sorted(KEYS))}."
            hidden = key in (self._secret or ()) or SECRET_KEYS.intersection(close)
            seen = "" if hidden else f" ({self._values[key]!r})"
            self._problems.append(f"{self._project}:{key}{seen} is not a setting. {known}")

    def refuse_plain_secrets(self) -> None:
        if self._secret is None:
            return
        plain = {key for key in SECRET_KEYS if self._values.get(key)}
        if "clientSecret" in self._values.get("oidc", ""):
            plain.add("oidc.clientSecret")
        if self._values.get("production") == "true":
            plain.update(f"extraEnvironment.{name}" for name in self._named_like_secrets())
        for path in sorted(plain):
            key = path.partition(".")[0]
            of_its_parts = {one for one in self._secret if one.startswith(f"{key}.")}
            if path in of_its_parts or (not of_its_parts and key in self._secret):
                continue
            self._problems.append(
                f"{self._project}:{path} stands in plain text in the stack file, which is kept in git. "
                f"{self._encrypt(path)}",
            )

    def _named_like_secrets(self) -> list[str]:
        try:
            found = values_of.json_object(self._values.get("extraEnvironment", "{}"))
        except Invalid:
            return []
        return [name for name, value in found.items() if objects.is_secret(name, value)]

    def apply_rules(self, settings: Settings) -> None:
        for problem in problems(settings, self._values):
            if self._unread.isdisjoint({problem.key, *problem.about}):
                self._say(problem.key, problem.path, problem.rule, problem.example, problem.also)

    def _say(self, key: str, path: str, rule: str, example: Any, also: Mapping[str, str] | None = None) -> None:
        place = f"{key}.{path}" if path else key
        hidden = HIDDEN.fullmatch(place) or (key in (self._secret or ()) and key != "oidc")
        seen = "" if hidden else _seen(self._values[key], path)
        if example is None:
            way_out = ". Leave it out"
        elif SECRET.fullmatch(place):
            way_out = f". {self._encrypt(place)}"
        else:
            lines = [_lines([f"{self._project}:{key}", *filter(None, path.split("."))], example)]
            lines += [_lines([f"{self._project}:{other}"], value) for other, value in (also or {}).items()]
            way_out = ". For example\n" + "\n".join(lines)
        self._problems.append(f"{self._project}:{place}{seen}: {rule}{way_out}")

    def _encrypt(self, path: str) -> str:
        within = "--path " if "." in path else ""
        return f"Set it encrypted: python -m tooling.engine config set {within}{path} --secret --stack {self._stack}"

    def raise_problems(self) -> None:
        if self._problems:
            what = "a setting that cannot work" if len(self._problems) == 1 else "settings that cannot work"
            raise SettingsError(
                f"stacks/Pulumi.{self._stack}.yaml has {what}:\n" + "\n".join(f"  {p}" for p in self._problems)
            )


def _seen(value: str, path: str) -> str:
    """What stands at a place, for a message."""
    if not path:
        return f" is {value!r}"
    found = json.loads(value)
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return ""
        found = found[part]
    return f" is {json.dumps(found, ensure_ascii=False)}"


def _lines(path: Sequence[str], value: Any) -> str:
    """A value at its place, as it is to be written in a stack file."""
    indents = [" " * (4 + 2 * depth) for depth in range(len(path))]
    lines = [f"{indent}{key}:" for indent, key in zip(indents, path, strict=True)]
    return "\n".join(lines) + f" {_yaml(value)}"


def _yaml(value: Any) -> str:
    """The value as it is to be written in a stack file: quoted where YAML would read something else."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    plain = re.fullmatch(r"(?!on$|off$|\d+-)[\w/][\w./:@;+-]*(?<!:)", value, re.ASCII)
    return value if plain else json.dumps(value, ensure_ascii=False)
