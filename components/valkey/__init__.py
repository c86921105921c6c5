"""Valkey: the websocket manager and shared state of Open WebUI.

It is open, as the tutorial's compose file describes it, or locked down: each account may do only what it needs, nobody
gets in without a password, nothing runs as root, and only the data folder can be written.

``args`` has its arguments, ``acl`` writes its accounts, and ``command`` its command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pulumi
import pulumi_docker as docker

from components.building.container import create_container, create_image
from components.building.files import SECRETS_PATH, Files, create_files
from components.building.spec import ContainerSpec, Join, LogRotation, PublishedPort, expected_inspect
from components.building.volume import have_volume
from components.certificate import Certificate
from components.secret import Secret
from components.valkey.acl import ACCOUNTS, APP_ACCOUNT, HEALTH_ACCOUNT, VERIFY_ACCOUNT, accounts_file
from components.valkey.args import Lockdown, ValkeyArgs
from components.valkey.command import CA_FILE, HEALTHCHECK, PORT, locked_command, locked_healthcheck, valkey_command
from docker_access import labels

DATA_PATH: Final = "/data"

HEALTHY_WITHIN_SECONDS: Final = 60
"""Valkey answers after 1 to 2 seconds; loading a large snapshot takes longer."""

USER: Final = "999:1000"
"""The official image's ``valkey`` (https://github.com/valkey-io/valkey-container, variant alpine)."""


@dataclass(frozen=True, kw_only=True)
class ValkeyResources:
    """The resources that a :class:`Valkey` makes.

    Attributes:
        image: The image.
        volume: The data volume; None where it existed.
        container: The server's container.
        passwords: By account (``openwebui``, ``verify``, ``health``): its password; empty without ``lockdown``.
        certificate: Its certificate; None without TLS.
        files: Accounts and certificate, in a volume; None without ``lockdown``.
    """

    image: docker.RemoteImage
    volume: docker.Volume | None
    container: docker.Container
    passwords: Mapping[str, Secret] = field(default_factory=dict)
    certificate: Certificate | None = None
    files: Files | None = None


class Valkey(pulumi.ComponentResource):
    """A Valkey server with its data volume and health check.

    Creates a ``docker.RemoteImage``, a ``docker.Volume`` and a ``docker.Container``, and is done once the container
    is healthy. Nothing is published on the host unless a debug port is asked for, and then on 127.0.0.1 only. Locked
    down, it also creates a :class:`components.secret.Secret` for each account, their files, and with TLS a
    :class:`components.certificate.Certificate`. Each Open WebUI needs a Valkey of its own: events of two would mix,
    whatever the database. An update fails where the container is not healthy within 60 s.

    Args:
        name: Name of the Pulumi resource.
        args: Image, names, network, snapshots and lockdown of the server.
        opts: Pulumi's options.

    Attributes:
        container_id: Id of the container, once it is healthy.
        container_name: Name of the container.
        expected: What ``docker inspect`` must show of the container, by dotted path.
        ca: Certificate of the authority that its own is under, PEM; None without TLS.
        login: The account that the verification asks Valkey with: user, and files inside the container, as
            :class:`verification.resource.VerificationArgs` takes it (``valkey_login``); None without ``lockdown``.
        app_user: Open WebUI's account, as that takes it too (``app_user``); None without ``lockdown``.
        resources: The resources that it makes.
    """

    container_id: pulumi.Output[str]
    container_name: str
    expected: dict[str, Any]
    ca: pulumi.Output[str] | None
    login: dict[str, str] | None
    app_user: str | None
    resources: ValkeyResources

    def __init__(self, name: str, args: ValkeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("openwebui:components:Valkey", name, None, opts)
        args = _with_names(args)
        image = create_image(f"{name}-image", args.image, parent=self)
        mounted, volume = have_volume(f"{name}-data", args.data, owner=args.labels, parent=self)
        volumes: dict[str, pulumi.Input[str]] = {args.data.name: mounted}
        if args.lockdown:
            spec = _locked_spec(args, args.lockdown)
            self._passwords, certificate, files = self._secrets(name, args, args.lockdown, image)
            volumes[args.lockdown.files_name] = files.volume
        else:
            spec, self._passwords, certificate, files = _open_spec(args), {}, None, None
        container = create_container(
            f"{name}-container",
            spec,
            parent=self,
            image=image,
            volumes=volumes,
            extra_labels={labels.FILES_SHA256: files.sha256} if files else None,
            depends_on=[files.container] if files else (),
            wait_seconds=HEALTHY_WITHIN_SECONDS,
        )
        self.container_id = container.id
        self.container_name = args.container_name
        self.expected = expected_inspect(spec)
        self.ca = certificate.ca_pem if certificate else None
        self.login = _login(args.lockdown) if args.lockdown else None
        self.app_user = APP_ACCOUNT if args.lockdown else None
        self._service_name = args.service_name
        self.resources = ValkeyResources(
            image=image,
            volume=volume,
            container=container,
            passwords=self._passwords,
            certificate=certificate,
            files=files,
        )
        self.register_outputs({"container_id": self.container_id, "container_name": self.container_name, "ca": self.ca})

    def _secrets(
        self, name: str, args: ValkeyArgs, lockdown: Lockdown, image: docker.RemoteImage
    ) -> tuple[dict[str, Secret], Certificate | None, Files]:
        child = pulumi.ResourceOptions(parent=self)
        passwords = {
            account: Secret(f"{name}-{account}", generation=lockdown.generations.get(f"valkey-{account}"), opts=child)
            for account in ACCOUNTS
        }
        values = pulumi.Output.all(**{account: secret.value for account, secret in passwords.items()})
        contents: dict[str, pulumi.Input[str]] = {
            f"{SECRETS_PATH}/users.acl": values.apply(lambda found: accounts_file(found, lockdown.rights)),
            f"{SECRETS_PATH}/verify": passwords[VERIFY_ACCOUNT].value,
            f"{SECRETS_PATH}/health": passwords[HEALTH_ACCOUNT].value,
        }
        certificate = None
        if lockdown.tls:
            certificate = Certificate(
                f"{name}-certificate",
                host=args.service_name,
                generation=lockdown.generations.get("valkey-tls"),
                opts=child,
            )
            contents |= {
                f"{SECRETS_PATH}/{CA_FILE}": certificate.ca_pem,
                f"{SECRETS_PATH}/cert.pem": certificate.cert_pem,
                f"{SECRETS_PATH}/key.pem": certificate.key_pem,
            }
        files = create_files(
            f"{name}-files",
            name=lockdown.files_name,
            contents=contents,
            image=image,
            image_reference=args.image,
            labels=args.labels,
            parent=self,
        )
        return passwords, certificate, files

    def url(self, database: int) -> pulumi.Input[str]:
        """Address of one of Valkey's databases, for a container on the same network; a secret if it holds a password.

        Args:
            database: Number of the database, 0 to 15.
        """
        if not self._passwords:
            return f"redis://{self._service_name}:{PORT}/{database}"
        scheme, trust = ("rediss", f"?ssl_ca_certs={SECRETS_PATH}/{CA_FILE}") if self.ca else ("redis", "")
        password = self._passwords[APP_ACCOUNT].value
        return pulumi.Output.concat(
            f"{scheme}://{APP_ACCOUNT}:", password, f"@{self._service_name}:{PORT}/{database}{trust}"
        )


def _with_names(args: ValkeyArgs) -> ValkeyArgs:
    """The arguments, with a name for the files where none was given."""
    if not args.lockdown or args.lockdown.files_name:
        return args
    return replace(args, lockdown=replace(args.lockdown, files_name=f"{args.container_name}-files"))


def _login(lockdown: Lockdown) -> dict[str, str]:
    return {
        "user": VERIFY_ACCOUNT,
        "password_file": f"{SECRETS_PATH}/{VERIFY_ACCOUNT}",
        "ca_file": f"{SECRETS_PATH}/{CA_FILE}" if lockdown.tls else "",
    }


def _open_spec(args: ValkeyArgs) -> ContainerSpec:
    return ContainerSpec(
        name=args.container_name,
        role="valkey",
        image=args.image,
        networks=[Join(network=args.network, aliases=(args.service_name,))],
        labels=args.labels,
        command=valkey_command(args.save),
        volumes={args.data.name: DATA_PATH},
        ports=[PublishedPort(address="127.0.0.1", host_port=args.debug_port, container_port=PORT)]
        if args.debug_port
        else (),
        # The image starts as root, gives /data to its own user and becomes that user.
        capabilities=("CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID"),
        limits=args.limits,
        healthcheck=HEALTHCHECK,
        log=LogRotation(max_size="1m", max_file="1"),
    )


def _locked_spec(args: ValkeyArgs, lockdown: Lockdown) -> ContainerSpec:
    return ContainerSpec(
        name=args.container_name,
        role="valkey",
        image=args.image,
        networks=[Join(network=args.network, aliases=(args.service_name,))],
        labels=args.labels,
        command=locked_command(args.save, lockdown),
        volumes={args.data.name: DATA_PATH, lockdown.files_name: SECRETS_PATH},
        user=USER,
        read_only=True,
        limits=lockdown.limits,
        healthcheck=locked_healthcheck(tls=lockdown.tls),
    )
