"""Open WebUI: a one-shot container that migrates the database, then one or more replicas, wired to Valkey by name.

``args`` has its arguments, ``containers`` describes its containers, and ``environment`` and ``variables`` have what
they are given. ``migrate`` runs in the one-shot container.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker

from components.building.container import create_container, create_image
from components.building.files import SECRETS_PATH, Files, create_files
from components.building.one_shot import succeeded
from components.building.spec import expected_inspect, texts_sha256
from components.building.volume import have_volume
from components.open_webui.args import OpenWebUIArgs, Replication
from components.open_webui.containers import (
    ACCOUNT_FILE,
    ENVIRONMENT_FILE,
    MIGRATE_FILE,
    PANEL_FILE,
    PANEL_FILL_FILE,
    PRIVATE_CA,
    preparing,
    replicated_specs,
    single_specs,
)
from components.open_webui.variables import account_variables, embedding_label, secret_variables, valkey_addresses
from components.panel_settings import PanelSettings
from components.schema import Schema
from components.secret import Secret
from components.valkey.command import CA_FILE
from docker_access import labels


@dataclass(frozen=True, kw_only=True)
class OpenWebUIResources:
    """The resources that an :class:`OpenWebUI` makes.

    Attributes:
        image: The image.
        volume: The data volume; None where it existed.
        secret_key: WEBUI_SECRET_KEY, which signs sessions.
        schema: The id of everything that the replicas must agree on.
        migration: The one-shot container that migrates the database.
        containers: The application's containers, in the order of their names.
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
    migration that succeeded, and all of it is stopped before a migration that changes anything. Where only the
    migration's container is gone, as after ``docker system prune``, it is re-created while the application goes on. The
    component is done once the containers run: whether they work, the verification says.

    Args:
        name: Name of the Pulumi resource.
        args: Image, names, network, Valkey and replicas of Open WebUI.
        opts: Pulumi's options.

    Attributes:
        container_ids: Ids of the application's containers, by name.
        migration_name: Name of the one-shot container.
        admin_password: Password of the first account, a secret; None where none is configured.
        account: Where the verification finds that account: a container and a file in it, as
            :class:`verification.resource.VerificationArgs` takes it (``account``); None where none is configured.
        expected: By container name: what ``docker inspect`` must show of it, by dotted path.
        resources: The resources that it makes.

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
        args = _with_names(args)
        replication = args.replication
        child = pulumi.ResourceOptions(parent=self)
        image = create_image(f"{name}-image", args.image, parent=self)
        mounted, volume = have_volume(f"{name}-data", args.data, owner=args.labels, parent=self)
        secret_key = Secret(
            f"{name}-secret-key", size_bytes=32, generation=args.generations.get("secret-key"), opts=child
        )
        migration_spec, specs = replicated_specs(name, args, replication) if replication else single_specs(name, args)
        volumes: dict[str, pulumi.Input[str]] = {args.data.name: mounted}
        secret_environment: dict[str, pulumi.Input[str]] | None = {
            **args.extra_environment,
            **valkey_addresses(args.valkey, secret=True),
            "WEBUI_SECRET_KEY": secret_key.value,
        }
        file_labels: dict[str, pulumi.Input[str]] = {}
        migration_labels: dict[str, pulumi.Input[str]] = {}
        replica_labels: dict[str, pulumi.Input[str]] = {}
        agreed: dict[str, pulumi.Input[str]] = {"image": image.image_id}
        authorities = _authority_files(args)
        app_uploads = {} if replication else authorities
        uploads: dict[str, pulumi.Input[str]] = {**app_uploads, **_programs(args)}
        files = admin_secret = self.admin_password = None
        secret_files: dict[str, pulumi.Input[str]] = {}
        if replication:
            admin_secret, self.admin_password = _admin_password(name, args, replication, child)
            secret_files[ENVIRONMENT_FILE] = secret_variables(args, replication, secret_key.value)
            files = create_files(
                f"{name}-files",
                name=replication.files_name,
                contents={**secret_files, **authorities},
                image=image,
                image_reference=args.image,
                labels=args.labels,
                parent=self,
            )
            volumes[replication.files_name] = files.volume
            secret_environment = None
            file_labels = {labels.FILES_SHA256: files.sha256}
            replica_labels = {labels.EMBEDDING: embedding_label(args.extra_environment)}
            environment = texts_sha256(next(iter(specs.values())).environment)
            database = replication.postgres.container_id
            agreed |= {"database": database, "environment": environment, "files": files.sha256}
            migration_labels = {
                # The migration does not wait for the database's setup: it loads Open WebUI meanwhile.
                labels.DATABASE_ID: database,
                # Replicas of different settings must not serve together. Another hash re-creates the migration, which
                # stops all of them first.
                labels.REPLICAS_SHA256: environment,
            }
            if replication.admin and self.admin_password:
                secret_files[ACCOUNT_FILE] = account_variables(replication.admin, self.admin_password)
                uploads[ACCOUNT_FILE] = secret_files[ACCOUNT_FILE]
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
            follows=replication.postgres.container_id if replication else None,
        )
        secrets = [*(secret_environment or {}).values(), *secret_files.values()]
        prepared = [replication.postgres.ready] if replication else []
        migrated = succeeded(migration, name=args.migration_name, secrets=[*secrets, *prepared])
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
                follows=ready,
            )
            for resource_name, spec in specs.items()
        }
        _panel_settings(name, args, list(containers.values()), child)
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


def _panel_settings(
    name: str, args: OpenWebUIArgs, containers: Sequence[docker.Container], child: pulumi.ResourceOptions
) -> None:
    """What the arguments say of the panel's settings, if they say anything; asked in the first container."""
    if args.said:
        PanelSettings(
            f"{name}-panel",
            container_id=containers[0].id,
            command=preparing(variables=[ENVIRONMENT_FILE]) if args.replication else (),
            said=args.said,
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=containers)),
        )


def _programs(args: OpenWebUIArgs) -> dict[str, str]:
    """Texts of the programs that run in the one-shot container, by the paths of their files there."""
    filling = [PANEL_FILE, PANEL_FILL_FILE] if args.replication or args.said else []
    needed = [*([MIGRATE_FILE] if args.replication else []), *filling]
    return {file: Path(__file__).with_name(file.rpartition("/")[2]).read_text(encoding="utf-8") for file in needed}


def _ready(
    schema: Schema, migration: docker.Container, replication: Replication | None, migrated: pulumi.Output[str]
) -> pulumi.Output[str]:
    """The schema's id, known once the one-shots have succeeded; in a preview, known before.

    In a preview the result of a one-shot that is gone is unknown. Were the id unknown too, the preview would announce
    that the replicas are replaced, although they stay.
    """
    if not pulumi.runtime.is_dry_run():
        return pulumi.Output.all(schema.id, migrated).apply(lambda found: str(found[0]))
    one_shots = [migration, *([replication.postgres.resources.setup] if replication else [])]
    return pulumi.Output.all(schema.id, *(one.urn for one in one_shots)).apply(lambda found: str(found[0]))


def _with_names(args: OpenWebUIArgs) -> OpenWebUIArgs:
    """The arguments, with names and origins where none were given."""
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


def _authority_files(args: OpenWebUIArgs) -> dict[str, pulumi.Input[str]]:
    """The certificates of the authorities that Open WebUI trusts, by the paths of their files."""
    files = {PRIVATE_CA: args.ca, f"{SECRETS_PATH}/{CA_FILE}": args.valkey.ca}
    return {path: ca for path, ca in files.items() if ca}


def _admin_password(
    name: str, args: OpenWebUIArgs, replication: Replication, child: pulumi.ResourceOptions
) -> tuple[Secret | None, pulumi.Output[str] | None]:
    """The secret of the first account, where one is generated, and its password, where there is an account."""
    if not replication.admin:
        return None, None
    if replication.admin.password is not None:
        return None, pulumi.Output.secret(replication.admin.password)
    generation = args.generations.get("admin-password")
    generated = Secret(f"{name}-admin-password", size_bytes=16, generation=generation, opts=child)
    return generated, generated.value
