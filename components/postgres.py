"""Postgres with pgvector: the database that replicas of Open WebUI share.

Nobody knows the superuser's password: it is random, made at the first start and stored nowhere. What only a superuser
may do, a one-shot container does over the server's Unix socket. The two share that socket in a volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pulumi
import pulumi_docker as docker

from components.building.container import create_container, create_image
from components.building.one_shot import succeeded
from components.building.spec import ContainerSpec, Healthcheck, Join, expected_inspect
from components.building.volume import DataVolume, create_volume, have_volume
from components.limits import DEFAULTS, ONE_SHOT, Limits
from components.network import Network
from components.secret import Secret
from docker_access import labels

PORT: Final = 5432
"""TCP port Postgres listens on in its container."""

SERVICE_NAME: Final = "postgres"
"""Name by which Open WebUI finds Postgres on their network."""

ROLE: Final = "openwebui"
"""Open WebUI's role: it owns its database and has no other rights."""

DATABASE: Final = "openwebui"

DATA_PATH: Final = "/var/lib/postgresql/data"
SOCKET_PATH: Final = "/var/run/postgresql"
SETUP_FILE: Final = "/setup/setup.sql"

USER: Final = "999:999"
"""The official image's ``postgres`` (https://github.com/docker-library/postgres, Debian variants)."""

STOP_GRACE_SECONDS: Final = 60
"""A fast shutdown writes a checkpoint first."""

PSQL: Final = f"psql --quiet --no-psqlrc --host {SOCKET_PATH} --username postgres --dbname postgres"
SETUP: Final = f"""tries=600
until [ -n "$({PSQL} --no-align --tuples-only --command 'SHOW listen_addresses' 2> /tmp/said)" ]; do
    tries=$((tries - 1))
    if [ $tries = 0 ]; then
        echo "Postgres has not opened its doors within two minutes. Its log says why. psql says:"
        cat /tmp/said
        exit 1
    fi
    sleep 0.2
done
exec {PSQL} --file {SETUP_FILE}
"""
"""Waits for Postgres, then prepares it. A first start takes 3 seconds; recovering a large database takes longer.

While the image prepares the data folder, another server answers on the socket: the one that listens at no address."""

HEALTHCHECK: Final = Healthcheck(
    # Over TCP, because the server that runs while the image prepares the data folder has a socket only.
    test=("CMD", "pg_isready", "--quiet", "--host", "127.0.0.1", "--username", ROLE, "--dbname", DATABASE),
    interval="5s",
    timeout="3s",
    start_period="1m0s",
    retries=5,
)

INITDB: Final = (
    "--auth-local=trust",
    "--auth-host=scram-sha-256",
    "--data-checksums",
    # Postgres' own collation: another image brings another C library, whose order of letters would corrupt indexes.
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
"""How the data folder is made: https://www.postgresql.org/docs/17/app-initdb.html"""

SHARED_MEMORY_MIB: Final = 128
"""For parallel queries; Docker's 64 MiB are too little for them (https://hub.docker.com/_/postgres)."""


@dataclass(frozen=True, kw_only=True)
class PostgresArgs:
    """Arguments of :class:`Postgres`.

    Attributes:
        image: Image reference, of Postgres 17 or later with the extension pgvector, Debian variant.
        container_name: Name of the container.
        setup_name: Name of the one-shot container that makes role, database and extension. Empty for the container's
            name and ``-setup``.
        data: The volume with the database.
        socket_volume_name: Name of the volume with the Unix socket. Empty for the container's name and ``-socket``.
        network: The network to join.
        service_name: Name it answers to on ``network`` besides its container's. Where another container there has that
            name, choose another: Docker's DNS would lead to either.
        limits: How much the container may use. A quarter of its memory is Postgres' ``shared_buffers``. Postgres needs
            128 MiB and 2 MiB a connection, and 20 processes more than connections.
        max_connections: Connections at once.
        generation: Any text; another one makes another password.
        labels: Docker labels of what is created, key to value.

    Source: https://github.com/pgvector/pgvector and https://hub.docker.com/_/postgres
    """

    image: str
    container_name: str
    data: DataVolume
    network: Network
    setup_name: str = ""
    socket_volume_name: str = ""
    service_name: str = SERVICE_NAME
    limits: Limits = DEFAULTS["postgres"]
    labels: Mapping[str, str] = field(default_factory=dict)
    max_connections: int = 200
    generation: str | None = None


@dataclass(frozen=True, kw_only=True)
class PostgresResources:
    """The resources that a :class:`Postgres` makes.

    Attributes:
        image: The image.
        volume: The data volume; None where it existed.
        password: Password of Open WebUI's role.
        container: The server's container.
        setup: The one-shot container that prepares the database.
    """

    image: docker.RemoteImage
    volume: docker.Volume | None
    password: Secret
    container: docker.Container
    setup: docker.Container


def postgres_command(limits: Limits, max_connections: int) -> list[str]:
    """The server's command line: a quarter of its memory for shared buffers.

    Source: https://www.postgresql.org/docs/17/runtime-config-resource.html
    """
    return [
        "postgres",
        "-c", f"max_connections={max_connections}",
        "-c", f"shared_buffers={limits.memory // 4}MB",
        # A statement that fails is not logged: it may be the one that sets the password.
        "-c", "log_min_error_statement=panic",
    ]  # fmt: skip


def setup_sql(password: str) -> str:
    """The SQL that psql runs as superuser: role, password, database, extension. It may run any number of times.

    The extension is created here because the role may not: it is not a trusted extension.

    Args:
        password: Hexadecimal digits, which need no quoting.

    Source: https://www.postgresql.org/docs/17/sql-createextension.html
    """
    return f"""\\set ON_ERROR_STOP on
SELECT 'CREATE ROLE {ROLE}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') \\gexec
ALTER ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD '{password}';
SELECT 'CREATE DATABASE {DATABASE} OWNER {ROLE}'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
ALTER DATABASE {DATABASE} OWNER TO {ROLE};
REVOKE ALL ON DATABASE {DATABASE}, postgres, template1 FROM PUBLIC;
\\connect {DATABASE}
SET client_min_messages TO warning;
CREATE EXTENSION IF NOT EXISTS vector;
ALTER EXTENSION vector UPDATE;
"""  # noqa: S608 - constants, and a password of digits


class Postgres(pulumi.ComponentResource):
    """A Postgres server with pgvector, and a database in it that belongs to Open WebUI's role.

    Creates a ``docker.RemoteImage``, two ``docker.Volume`` (data, socket), a :class:`components.secret.Secret` (the
    role's password), a ``docker.Container`` for the server, and one that waits for it, prepares the database and exits.
    A new password, because it was rotated or the state was lost, is set on the data that is there.

    Args:
        name: Name of the Pulumi resource.
        args: Image, names, network and limits of the server.
        opts: Pulumi's options.

    Attributes:
        container_id: Id of the server's container.
        container_name: Its name.
        setup_name: Name of the one-shot container.
        ready: Id of the one-shot container, known once it has succeeded; an application waits for it.
        url: Address of the database for a container on its network, ``postgresql://...``, a secret.
        expected: What ``docker inspect`` must show of the server's container, by dotted path.
        resources: The resources that it makes.

    Raises:
        pulumi.RunError: The one-shot container failed, for example because Postgres did not answer within 2 minutes;
            with its exit code and the end of its log.
    """

    container_id: pulumi.Output[str]
    container_name: str
    setup_name: str
    ready: pulumi.Output[str]
    url: pulumi.Output[str]
    expected: dict[str, Any]
    resources: PostgresResources

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("openwebui:components:Postgres", name, None, opts)
        args = _with_names(args)
        spec = ContainerSpec(
            name=args.container_name,
            role="postgres",
            image=args.image,
            networks=[Join(network=args.network, aliases=(args.service_name,))],
            labels=args.labels,
            command=postgres_command(args.limits, args.max_connections),
            environment={
                "PGDATA": DATA_PATH,
                # The image asks for a password, and nobody uses it: this file has another one at each reading.
                "POSTGRES_PASSWORD_FILE": "/proc/sys/kernel/random/uuid",
                "POSTGRES_INITDB_ARGS": " ".join(INITDB),
            },
            volumes={args.data.name: DATA_PATH, args.socket_volume_name: SOCKET_PATH},
            user=USER,
            read_only=True,
            tmpfs={"/tmp": "uid=999,gid=999,mode=1777,size=64m"},  # noqa: S108 - in the container
            limits=args.limits,
            shm_size=SHARED_MEMORY_MIB,
            stop_grace_seconds=STOP_GRACE_SECONDS,
            healthcheck=HEALTHCHECK,
        )
        setup_spec = ContainerSpec(
            name=args.setup_name,
            role="postgres-setup",
            image=args.image,
            networks=(),
            labels=args.labels,
            command=("sh", "-c", SETUP),
            volumes={args.socket_volume_name: SOCKET_PATH},
            user=USER,
            limits=ONE_SHOT,
            restart="no",
        )
        image = create_image(f"{name}-image", args.image, parent=self)
        data, volume = have_volume(f"{name}-data", args.data, owner=args.labels, parent=self)
        socket = create_volume(f"{name}-socket", name=args.socket_volume_name, owner=args.labels, parent=self).name
        password = Secret(f"{name}-password", generation=args.generation, opts=pulumi.ResourceOptions(parent=self))
        container = create_container(
            f"{name}-container",
            spec,
            parent=self,
            image=image,
            volumes={args.data.name: data, args.socket_volume_name: socket},
        )
        setup = create_container(
            f"{name}-setup",
            setup_spec,
            parent=self,
            image=image,
            volumes={args.socket_volume_name: socket},
            uploads={SETUP_FILE: password.value.apply(setup_sql)},
            extra_labels={labels.DATABASE_ID: container.id},
        )
        self.ready = succeeded(setup, name=args.setup_name, secrets=[password.value])
        self.url = pulumi.Output.concat(
            f"postgresql://{ROLE}:", password.value, f"@{args.service_name}:{PORT}/{DATABASE}"
        )
        self.container_id = container.id
        self.container_name = args.container_name
        self.setup_name = args.setup_name
        self.expected = expected_inspect(spec)
        self.resources = PostgresResources(
            image=image, volume=volume, password=password, container=container, setup=setup
        )
        self.register_outputs(
            {
                "container_id": self.container_id,
                "container_name": self.container_name,
                "setup_name": self.setup_name,
                "ready": self.ready,
                "url": self.url,
            }
        )


def _with_names(args: PostgresArgs) -> PostgresArgs:
    """The arguments, with names where none were given."""
    return replace(
        args,
        setup_name=args.setup_name or f"{args.container_name}-setup",
        socket_volume_name=args.socket_volume_name or f"{args.container_name}-socket",
    )
