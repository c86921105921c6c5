"""The descriptions of Open WebUI's containers: the migration, and what serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from components.building.files import SECRETS_PATH
from components.building.spec import ContainerSpec, Healthcheck, Join, PublishedPort
from components.limits import Limits, threads, upload_space_mib
from components.open_webui.args import OpenWebUIArgs, Replication
from components.open_webui.environment import (
    DATA_PATH,
    STATIC_PATH,
    base_environment,
    ca_environment,
    migration_environment,
    replicated_environment,
)
from components.open_webui.variables import valkey_addresses

PORT: Final = 8080
"""TCP port Open WebUI listens on in its container."""

MIGRATE: Final = ("python3", "-c", "import open_webui.config")
"""Importing the configuration runs the migrations and nothing else (``run_migrations`` in open_webui/config.py)."""

SERVE: Final = ("bash", "start.sh")
"""The image's own command: https://github.com/open-webui/open-webui/blob/v0.12.4/Dockerfile"""

HEALTHCHECK: Final = Healthcheck(
    # Without --noproxy, curl asks the proxy that Open WebUI may be told of, which has no way to this address.
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
"""Variables that ``docker inspect`` must not show, as it does those that a container is given as its environment."""

ACCOUNT_FILE: Final = "/migration/account.env"
MIGRATE_FILE: Final = "/migration/migrate.py"
PANEL_FILE: Final = "/migration/panel.py"
PANEL_FILL_FILE: Final = "/migration/panel_fill.py"

PRIVATE_CA: Final = f"{SECRETS_PATH}/private-ca.pem"
"""The private certification authorities."""

CA_BUNDLE: Final = "/tmp/ca-bundle.pem"  # noqa: S108 - in the container
"""The private authorities and the public ones that the image brings, joined."""


def preparing(*, variables: Sequence[str] = (), ca: str = "") -> tuple[str, ...]:
    """The beginning of a command line: it prepares, then runs the rest. Empty where there is nothing to prepare.

    The shell gives way to the program that it starts, so that signals reach that program.

    Args:
        variables: Files with variables for the rest.
        ca: Private certification authorities, PEM, which join the public ones; empty for none.
    """
    steps = ["set -a", *(f". {file}" for file in variables), "set +a"] if variables else []
    if ca:
        steps.append(f'cat "$(python3 -m certifi)" {PRIVATE_CA} > {CA_BUNDLE}')
    return ("sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh") if steps else ()


def single_specs(name: str, args: OpenWebUIArgs) -> tuple[ContainerSpec, dict[str, ContainerSpec]]:
    """The migration, and one container by the name of its resource. Its port is published."""
    environment = {
        **base_environment(log_level=args.log_level),
        **({} if args.panel_settings else {"ENABLE_PERSISTENT_CONFIG": "false"}),
        **{name: str(url) for name, url in valkey_addresses(args.valkey, secret=False).items()},
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
        command=(*prepare, *(("python3", PANEL_FILL_FILE) if args.said else MIGRATE)),
        environment=migration_environment(environment, args.said),
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
        # Where nothing comes before it, the image's own command does the same.
        command=(*prepare, *SERVE) if prepare else None,
        environment=environment,
        volumes={args.data.name: DATA_PATH},
        hosts=args.extra_hosts,
        ports=[PublishedPort(address=args.bind_address, host_port=args.port, container_port=PORT)] if args.port else (),
        limits=args.limits,
        healthcheck=HEALTHCHECK,
    )
    return migration, {f"{name}-container": container}


def replicated_specs(
    name: str, args: OpenWebUIArgs, replication: Replication
) -> tuple[ContainerSpec, dict[str, ContainerSpec]]:
    """The migration, and the replicas by the names of their resources.

    All are on both networks: the gateway's, by which they reach the world, and the data network.
    """
    environment = replicated_environment(
        log_level=args.log_level,
        public_url=replication.public_url,
        cors_allow_origin=replication.cors_allow_origin,
        enable_signup=replication.enable_signup,
        panel_settings=args.panel_settings,
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
        environment=migration_environment(environment, args.said),
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
