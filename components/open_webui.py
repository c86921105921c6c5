"""Open WebUI: a one-shot container that migrates the database, then one or more replicas, wired to Valkey by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import pulumi
import pulumi_docker as docker

from components.accounts import Admin, Oidc
from components.container import (
    ContainerSpec,
    Healthcheck,
    Join,
    PublishedPort,
    create_container,
    create_image,
    environment_sha256,
    expected_inspect,
    succeeded,
)
from components.embedding import DEFAULTS as EMBEDDING
from components.embedding import embedding
from components.files import SECRETS_PATH, Files, create_files
from components.limits import DEFAULTS, DEFAULTS_OF_SINGLE, Limits, Pools, database_pools, threads, upload_space_mib
from components.network import Network
from components.open_webui_environment import (
    DATA_PATH,
    STATIC_PATH,
    as_shell,
    base_environment,
    ca_environment,
    migration_environment,
    replicated_environment,
)
from components.postgres import Postgres
from components.schema import Schema
from components.secret import Secret
from components.valkey import CA_FILE
from components.volume import DataVolume, have_volume
from docker_access import labels

PORT: Final = 8080
"""TCP port Open WebUI listens on in its container."""

MIGRATE: Final = ("python3", "-c", "import open_webui.config")
"""Importing the configuration runs the migrations and nothing else (``run_migrations`` in open_webui/config.py)."""

SERVE: Final = ("bash", "start.sh")
"""The image's own command: https://github.com/open-webui/open-webui/blob/v0.12.4/Dockerfile"""

HEALTHCHECK: Final = Healthcheck(
    # A proxy that Open WebUI is told of has no way to it.
    test=("CMD", *f"curl --noproxy * --silent --fail --output /dev/null http://127.0.0.1:{PORT}/ready".split()),
    interval="5s",
    timeout="5s",
    start_period="5m0s",
    retries=3,
)
"""``/ready`` also asks the database and Valkey; ``/health`` stays 200 when both are gone."""

USER: Final = "1000:1000"

STATIC_MIB: Final = 64
"""Room for the assets in memory: they take less than 1 MiB, and pictures an administrator adds are few."""

ENVIRONMENT_FILE: Final = f"{SECRETS_PATH}/open-webui.env"
"""Variables that ``docker inspect`` is not to show: what is given to a container as its environment, it shows."""

ACCOUNT_FILE: Final = "/migration/account.env"
MIGRATE_FILE: Final = "/migration/migrate.py"


PRIVATE_CA: Final = f"{SECRETS_PATH}/private-ca.pem"
"""Where the private authorities are put."""

CA_BUNDLE: Final = "/tmp/ca-bundle.pem"  # noqa: S108 - in the container
"""Where they are joined with the public ones that the image brings."""


def preparing(*, variables: Sequence[str] = (), ca: str = "") -> tuple[str, ...]:
    """The beginning of a command line that runs the rest when all is prepared; empty where nothing is to be.

    The shell is replaced by what it starts, so that signals reach that.

    Args:
        variables: Files with variables, which the rest has.
        ca: Private authorities, PEM, if any: they join the public ones.
    """
    steps = ["set -a", *(f". {file}" for file in variables), "set +a"] if variables else []
    if ca:
        steps.append(f'cat "$(python3 -m certifi)" {PRIVATE_CA} > {CA_BUNDLE}')
    return ("sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh") if steps else ()


class Addressed(Protocol):
    """A Valkey or Redis, wherever it is.

    Attributes:
        ca: Certificate of the authority that its own is under, PEM; None for those everybody knows.
    """

    ca: pulumi.Output[str] | None

    def url(self, database: int) -> pulumi.Input[str]:
        """Address of one of its databases."""


class ExternalValkey:
    """A Valkey or Redis that somebody else runs.

    It must be this Open WebUI's alone: events of two would mix, whatever the database.

    Args:
        url: ``redis://`` or ``rediss://``, with user and password if need be, without a database.

    Attributes:
        ca: None: its certificate is under an authority that everybody knows, or one of :attr:`OpenWebUIArgs.ca`.
    """

    ca: pulumi.Output[str] | None = None

    def __init__(self, url: pulumi.Input[str]) -> None:
        self._url = url

    def url(self, database: int) -> pulumi.Input[str]:
        """Address of one of its databases, a secret.

        Args:
            database: Number of the database, 0 to 15.
        """
        return pulumi.Output.secret(self._url).apply(lambda url: f"{url.rstrip('/')}/{database}")


POOLS: Final = database_pools(8, 200)


@dataclass(frozen=True, kw_only=True)
class Replication:
    """What replicas behind a gateway need.

    Attributes:
        names: Names of the containers, one a replica.
        files_name: Name in Docker of the volume with their secrets, and of the container that puts them there. Empty
            for ``container_name`` and ``-files``.
        postgres: Their database.
        data_network: The network with Valkey and Postgres, where ``network`` is the gateway's alone; None for
            ``network``.
        pools: Connections each has to the database; see :func:`limits.database_pools`. The default is for 8 replicas
            and Postgres' default ``max_connections``.
        limits: What each container may use.
        trusted_gateway: IP address whose ``X-Forwarded-*`` headers are believed: the gateway's on ``network``. The
            default believes nobody.
        public_url: Where people open it, without a path: ``https://chat.example.com``. Cookies are marked secure where
            it is https.
        cors_allow_origin: Origins a browser may come from, separated by ``;``. Empty for ``public_url`` alone.
        enable_signup: Anybody may ask for an account.
        admin: The first account; None leaves it to who signs up first, if ``enable_signup`` lets them.
        oidc: Sign-in by a provider; None for e-mail and password alone.
        oidc_client_secret: Its client's secret.
    """

    names: Sequence[str]
    postgres: Postgres
    public_url: str
    data_network: Network | None = None
    files_name: str = ""
    pools: Pools = POOLS
    limits: Limits = DEFAULTS["open-webui"]
    trusted_gateway: str = "127.0.0.1"
    cors_allow_origin: str = ""
    enable_signup: bool = False
    admin: Admin | None = None
    oidc: Oidc | None = None
    oidc_client_secret: pulumi.Input[str] = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class OpenWebUIArgs:
    """Arguments of :class:`OpenWebUI`.

    Attributes:
        image: Image reference of Open WebUI, 0.12.0 or later.
        container_name: Name of the application's container. Replicas have names of their own.
        migration_name: Name of the one-shot container that migrates the database. Empty for ``container_name`` and
            ``-migration``.
        data: The volume with uploads, and with the database where that is SQLite.
        network: The network to join.
        valkey: The Valkey that carries its events and shared state: a :class:`components.valkey.Valkey`, which is
            waited for, or an :class:`ExternalValkey`.
        bind_address: IP address of the host to publish the UI on, where it is not replicated; ``0.0.0.0`` is every one.
        port: TCP port of the host to publish the UI on, 1 to 65535, where it is not replicated. None publishes nothing:
            containers on ``network`` reach it at port 8080.
        log_level: GLOBAL_LOG_LEVEL: ``DEBUG``, ``INFO``, ``WARNING``, ``ERROR`` or ``CRITICAL``.
        limits: What the container may use where it is not replicated.
        replication: Replicas behind a gateway; None makes one container with SQLite.
        extra_environment: Further variables, name to value, of which this component sets none itself; secrets, as far
            as anybody knows. Replicas read them from a file; of a single container ``docker inspect`` shows them.
        extra_hosts: Names that the containers know besides, to IPv4 addresses or ``host-gateway``, this host.
        ca: Certificates of authorities that are trusted besides the public ones, PEM; empty for none.
        generations: By the name of a secret (``secret-key``, ``admin-password``): any text, another one makes a new
            secret. A new ``secret-key`` signs everybody out.
        depends_on: What must exist before the application starts.
        labels: Marks of ownership of what is created: Docker labels, key to value.

    Source: https://docs.openwebui.com/getting-started/env-configuration
    """

    image: str
    container_name: str
    data: DataVolume
    network: Network
    valkey: Addressed
    migration_name: str = ""
    bind_address: str = "127.0.0.1"
    port: int | None = 3000
    log_level: str = "INFO"
    limits: Limits = DEFAULTS_OF_SINGLE["open-webui"]
    replication: Replication | None = None
    extra_environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict, repr=False)
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""
    generations: Mapping[str, str] = field(default_factory=dict)
    depends_on: Sequence[pulumi.Resource] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OpenWebUIResources:
    """What an :class:`OpenWebUI` made.

    Attributes:
        image: The image.
        volume: The data volume; None where it existed.
        secret_key: WEBUI_SECRET_KEY, which signs sessions.
        schema: What the replicas agree on.
        migration: The one-shot container.
        containers: The application's containers, in the order of their names' list.
        files: The replicas' secrets, in a volume; None where it is not replicated.
        admin_password: Generated password of the first account; None where none is generated.
    """

    image: docker.RemoteImage
    volume: docker.Volume | None
    secret_key: Secret
    schema: Schema
    migration: docker.Container
    containers: Sequence[docker.Container]
    files: Files | None = None
    admin_password: Secret | None = None


class OpenWebUI(pulumi.ComponentResource):
    """Open WebUI with its data volume and its secret key.

    Creates a ``docker.RemoteImage``, a ``docker.Volume``, a :class:`components.secret.Secret` (WEBUI_SECRET_KEY,
    64 hexadecimal digits, generated once), a :class:`components.schema.Schema`, a ``docker.Container`` that migrates
    the database and exits, and the application's ``docker.Container``, one or more. The application starts only after a
    migration that succeeded, and all of it is stopped before one that changes anything; where only the migration's
    container is gone, as after ``docker system prune``, it is made anew while the application goes on. It is done once
    the containers run: that they work is the verification's to say.

    Args:
        name: Name of the Pulumi resource.
        args: What it is asked to be.
        opts: Pulumi's options.

    Attributes:
        container_ids: Ids of the application's containers, by name.
        migration_name: Name of the one-shot container.
        admin_password: Password of the first account, a secret; None where none is configured.
        account: Where that account stands, for :class:`verification.resource.VerificationArgs` (``account``): a
            container and a file in it; None where none is configured.
        expected: By container name: what ``docker inspect`` must show of it.
        resources: What was made.

    Raises:
        pulumi.RunError: The migration failed; with its exit code and the end of its log.
    """

    container_ids: dict[str, pulumi.Output[str]]
    migration_name: str
    admin_password: pulumi.Output[str] | None
    account: dict[str, str] | None
    expected: dict[str, dict[str, Any]]
    resources: OpenWebUIResources

    def __init__(self, name: str, args: OpenWebUIArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("openwebui:components:OpenWebUI", name, None, opts)
        args = _named(args)
        replication = args.replication
        child = pulumi.ResourceOptions(parent=self)
        image = create_image(f"{name}-image", args.image, parent=self)
        mounted, volume = have_volume(f"{name}-data", args.data, owner=args.labels, parent=self)
        secret_key = Secret(
            f"{name}-secret-key", size_bytes=32, generation=args.generations.get("secret-key"), opts=child
        )
        migration_spec, specs = _replicated_specs(name, args, replication) if replication else _single_specs(name, args)
        volumes: dict[str, pulumi.Input[str]] = {args.data.name: mounted}
        secret_environment: dict[str, pulumi.Input[str]] | None = {
            **args.extra_environment,
            **_valkey_variables(args.valkey, sealed=True),
            "WEBUI_SECRET_KEY": secret_key.value,
        }
        file_labels: dict[str, pulumi.Input[str]] = {}
        migration_labels: dict[str, pulumi.Input[str]] = {}
        replica_labels: dict[str, pulumi.Input[str]] = {}
        agreed: dict[str, pulumi.Input[str]] = {"image": image.image_id}
        trust = _trusted(args)
        app_uploads = {} if replication else trust
        uploads: dict[str, pulumi.Input[str]] = {**app_uploads}
        files = admin_secret = self.admin_password = None
        shown_to_it: dict[str, pulumi.Input[str]] = {}
        if replication:
            admin_secret, self.admin_password = _admin_password(name, args, replication, child)
            shown_to_it[ENVIRONMENT_FILE] = _secret_variables(args, replication, secret_key.value)
            files = create_files(
                f"{name}-files",
                name=replication.files_name,
                contents={**shown_to_it, **trust},
                image=image,
                image_reference=args.image,
                labels=args.labels,
                parent=self,
            )
            volumes[replication.files_name] = files.volume
            secret_environment = None
            file_labels = {labels.FILES_SHA256: files.sha256}
            replica_labels = {labels.EMBEDDING: _embedding(args.extra_environment)}
            of_replicas = environment_sha256(next(iter(specs.values())).environment)
            database = replication.postgres.container_id
            agreed |= {"database": database, "environment": of_replicas, "files": files.sha256}
            migration_labels = {
                # It loads Open WebUI while the database is prepared, and waits for that to let it in.
                labels.DATABASE_ID: database,
                # Replicas of different settings must not serve together: a migration stops them all first.
                labels.REPLICAS_SHA256: of_replicas,
            }
            uploads = {MIGRATE_FILE: Path(__file__).with_name("migrate.py").read_text(encoding="utf-8")}
            if replication.admin and self.admin_password:
                shown_to_it[ACCOUNT_FILE] = _account_variables(replication.admin, self.admin_password)
                uploads[ACCOUNT_FILE] = shown_to_it[ACCOUNT_FILE]
        schema = Schema(f"{name}-schema", **agreed, opts=child)
        migration = create_container(
            f"{name}-migration",
            migration_spec,
            parent=self,
            image=image,
            volumes=volumes,
            secret_environment=secret_environment,
            uploads=uploads,
            extra_labels={**file_labels, **migration_labels},
            depends_on=[schema, *([files.container] if files else [])],
            gate=replication.postgres.container_id if replication else None,
        )
        prepared = [replication.postgres.ready] if replication else []
        given = [*(secret_environment or {}).values(), *shown_to_it.values(), *prepared]
        migrated = succeeded(migration, name=args.migration_name, secrets=given)
        ready = _ready(schema, migration, replication, migrated)
        waited_for = [*args.depends_on, *([args.valkey] if isinstance(args.valkey, pulumi.Resource) else [])]
        containers = {
            resource_name: create_container(
                resource_name,
                spec,
                parent=self,
                image=image,
                volumes=volumes,
                secret_environment=secret_environment,
                uploads=app_uploads,
                extra_labels={labels.SCHEMA_ID: ready, **file_labels, **replica_labels},
                depends_on=waited_for,
                gate=ready,
            )
            for resource_name, spec in specs.items()
        }
        self.container_ids = {spec.name: containers[resource_name].id for resource_name, spec in specs.items()}
        self.migration_name = args.migration_name
        has_account = replication and replication.admin
        self.account = {"container": args.migration_name, "path": ACCOUNT_FILE} if has_account else None
        self.expected = {spec.name: expected_inspect(spec) for spec in specs.values()}
        self.resources = OpenWebUIResources(
            image=image,
            volume=volume,
            secret_key=secret_key,
            schema=schema,
            migration=migration,
            containers=list(containers.values()),
            files=files,
            admin_password=admin_secret,
        )
        self.register_outputs(
            {
                "container_ids": self.container_ids,
                "migration_name": self.migration_name,
                "admin_password": self.admin_password,
            }
        )


def _ready(
    schema: Schema, migration: docker.Container, replication: Replication | None, migrated: pulumi.Output[str]
) -> pulumi.Output[str]:
    """The schema's id, once the one-shots have brought it about; in a preview, as if they had.

    There one that is gone would be unknown, and so would be whether the replicas stay.
    """
    if not pulumi.runtime.is_dry_run():
        return pulumi.Output.all(schema.id, migrated).apply(lambda found: str(found[0]))
    one_shots = [migration, *([replication.postgres.resources.setup] if replication else [])]
    return pulumi.Output.all(schema.id, *(one.urn for one in one_shots)).apply(lambda found: str(found[0]))


def _named(args: OpenWebUIArgs) -> OpenWebUIArgs:
    """With the names that were left to us, and the origins."""
    found = replace(args, migration_name=args.migration_name or f"{args.container_name}-migration")
    if not (replication := args.replication):
        return found
    return replace(
        found,
        replication=replace(
            replication,
            files_name=replication.files_name or f"{args.container_name}-files",
            cors_allow_origin=replication.cors_allow_origin or replication.public_url,
        ),
    )


def _trusted(args: OpenWebUIArgs) -> dict[str, pulumi.Input[str]]:
    """The files of the authorities it trusts, by where they lie."""
    files = {PRIVATE_CA: args.ca, f"{SECRETS_PATH}/{CA_FILE}": args.valkey.ca}
    return {path: ca for path, ca in files.items() if ca}


def _valkey_variables(valkey: Addressed, *, sealed: bool) -> dict[str, pulumi.Input[str]]:
    """Where Valkey is: those addresses that hold a password, or those that do not."""
    addresses = {"WEBSOCKET_REDIS_URL": valkey.url(1), "REDIS_URL": valkey.url(0)}
    return {name: url for name, url in addresses.items() if isinstance(url, str) != sealed}


def _admin_password(
    name: str,
    args: OpenWebUIArgs,
    replication: Replication,
    child: pulumi.ResourceOptions,
) -> tuple[Secret | None, pulumi.Output[str] | None]:
    if not replication.admin:
        return None, None
    if replication.admin.password is not None:
        return None, pulumi.Output.secret(replication.admin.password)
    generation = args.generations.get("admin-password")
    generated = Secret(f"{name}-admin-password", size_bytes=16, generation=generation, opts=child)
    return generated, generated.value


def _embedding(extra: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """What makes vectors of documents; no secret, although the variables beside it may be."""
    chosen = {name: extra.get(name, default) for name, default in EMBEDDING.items()}
    return pulumi.Output.unsecret(pulumi.Output.all(**chosen).apply(embedding))


def _secret_variables(
    args: OpenWebUIArgs,
    replication: Replication,
    secret_key: pulumi.Output[str],
) -> pulumi.Output[str]:
    """What the migration and every replica read at their start, as shell lines."""
    variables: dict[str, pulumi.Input[str]] = {
        **args.extra_environment,
        "WEBUI_SECRET_KEY": secret_key,
        "WEBSOCKET_REDIS_URL": args.valkey.url(1),
        "REDIS_URL": args.valkey.url(0),
        "DATABASE_URL": replication.postgres.url,
    }
    if replication.oidc:
        variables["OAUTH_CLIENT_SECRET"] = replication.oidc_client_secret
    return pulumi.Output.secret(pulumi.Output.all(**variables).apply(as_shell))


def _account_variables(admin: Admin, password: pulumi.Output[str]) -> pulumi.Output[str]:
    """What only the migration reads, as shell lines: the first account, which it creates."""
    account: dict[str, pulumi.Input[str]] = {
        "WEBUI_ADMIN_EMAIL": admin.email,
        "WEBUI_ADMIN_NAME": admin.name,
        "WEBUI_ADMIN_PASSWORD": password,
    }
    return pulumi.Output.secret(pulumi.Output.all(**account).apply(as_shell))


def _single_specs(name: str, args: OpenWebUIArgs) -> tuple[ContainerSpec, dict[str, ContainerSpec]]:
    """The migration and one container whose port is published."""
    environment = {
        **base_environment(log_level=args.log_level),
        **{name: str(url) for name, url in _valkey_variables(args.valkey, sealed=False).items()},
        **(ca_environment(CA_BUNDLE) if args.ca else {}),
    }
    environment = {name: value for name, value in environment.items() if name not in args.extra_environment}
    prepare = preparing(ca=args.ca)
    migration = ContainerSpec(
        name=args.migration_name,
        role="migration",
        image=args.image,
        networks=[Join(network=args.network)],
        labels=args.labels,
        command=(*prepare, *MIGRATE),
        environment=migration_environment(environment),
        volumes={args.data.name: DATA_PATH},
        hosts=args.extra_hosts,
        limits=Limits(memory=args.limits.memory),
        restart="no",
    )
    container = ContainerSpec(
        name=args.container_name,
        role="open-webui",
        image=args.image,
        networks=[Join(network=args.network)],
        labels=args.labels,
        # The image's own, where nothing comes before it.
        command=(*prepare, *SERVE) if prepare else None,
        environment=environment,
        volumes={args.data.name: DATA_PATH},
        hosts=args.extra_hosts,
        ports=[PublishedPort(address=args.bind_address, host_port=args.port, container_port=PORT)] if args.port else (),
        limits=args.limits,
        healthcheck=HEALTHCHECK,
    )
    return migration, {f"{name}-container": container}


def _replicated_specs(
    name: str,
    args: OpenWebUIArgs,
    replication: Replication,
) -> tuple[ContainerSpec, dict[str, ContainerSpec]]:
    """The migration and the replicas, on both networks: outwards over the gateway's, inwards over the data network."""
    environment = replicated_environment(
        log_level=args.log_level,
        public_url=replication.public_url,
        cors_allow_origin=replication.cors_allow_origin,
        enable_signup=replication.enable_signup,
        pools=replication.pools,
        oidc=replication.oidc,
        compute_threads=threads(replication.limits),
    )
    environment |= ca_environment(CA_BUNDLE) if args.ca else {}
    environment = {name: value for name, value in environment.items() if name not in args.extra_environment}
    networks = [Join(network=network) for network in (args.network, replication.data_network) if network]
    volumes = {args.data.name: DATA_PATH, replication.files_name: SECRETS_PATH}
    secret_files = [ENVIRONMENT_FILE, *([ACCOUNT_FILE] if replication.admin else [])]
    owned = f"uid={USER.split(':')[0]},gid={USER.split(':')[1]},mode=1777"
    assets = f"{owned},size={STATIC_MIB}m"
    uploads = f"{owned},size={upload_space_mib(replication.limits)}m"
    migration = ContainerSpec(
        name=args.migration_name,
        role="migration",
        image=args.image,
        networks=networks,
        labels=args.labels,
        command=(*preparing(variables=secret_files, ca=args.ca), "python3", MIGRATE_FILE),
        environment=migration_environment(environment),
        volumes=volumes,
        hosts=args.extra_hosts,
        # It begins as root, to own a fresh data folder.
        user="0:0",
        capabilities=("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID"),
        tmpfs={STATIC_PATH: assets},
        limits=Limits(memory=replication.limits.memory),
        restart="no",
    )
    serve = (
        "python3", "-m", "uvicorn", "open_webui.main:app", "--host", "0.0.0.0", "--port", str(PORT),  # noqa: S104
        "--forwarded-allow-ips", replication.trusted_gateway,
    )  # fmt: skip
    replicas = {
        f"{name}-{number}": ContainerSpec(
            name=container_name,
            role="open-webui",
            image=args.image,
            networks=networks,
            labels=args.labels,
            command=(*preparing(variables=[ENVIRONMENT_FILE], ca=args.ca), *serve),
            environment=environment,
            volumes=volumes,
            hosts=args.extra_hosts,
            user=USER,
            read_only=True,
            tmpfs={"/tmp": uploads, STATIC_PATH: assets},  # noqa: S108 - in the container, in memory
            limits=replication.limits,
            init=True,
            healthcheck=HEALTHCHECK,
        )
        for number, container_name in enumerate(replication.names, start=1)
    }
    return migration, replicas
