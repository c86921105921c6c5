"""Valkey: the websocket manager and shared state of Open WebUI.

Open, as the tutorial's compose file describes it, or locked down: accounts with the least they need, nothing without
a password, no root, no file it could write outside of its data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pulumi
import pulumi_docker as docker

from components.certificate import Certificate
from components.container import (
    ContainerSpec,
    Healthcheck,
    Join,
    LogRotation,
    PublishedPort,
    create_container,
    create_image,
    expected_inspect,
)
from components.files import SECRETS_PATH, Files, create_files
from components.limits import DEFAULTS, DEFAULTS_OF_SINGLE, Limits, pubsub_output_buffer, valkey_maxmemory_mib
from components.network import Network
from components.secret import Secret
from components.volume import DataVolume, have_volume
from docker_access import labels

PORT: Final = 6379
"""TCP port Valkey listens on in its container."""

SERVICE_NAME: Final = "redis"
"""Name by which Open WebUI finds Valkey on their network: the tutorial's compose service."""

DATA_PATH: Final = "/data"

HEALTHY_WITHIN_SECONDS: Final = 60
"""Valkey answers after 1 to 2 seconds; loading a large snapshot takes longer."""

HEALTHCHECK: Final = Healthcheck(
    test=("CMD-SHELL", "[ $(valkey-cli ping) = PONG ]"),
    interval="1s",
    timeout="3s",
    start_period="5s",
    retries=5,
)
"""The tutorial's. It compares the answer, because ``valkey-cli ping`` also exits 0 on an error."""

USER: Final = "999:1000"
"""The official image's ``valkey`` (https://github.com/valkey-io/valkey-container, variant alpine)."""

APP_ACCOUNT: Final = "openwebui"
VERIFY_ACCOUNT: Final = "verify"
HEALTH_ACCOUNT: Final = "health"
ACCOUNTS: Final = (APP_ACCOUNT, VERIFY_ACCOUNT, HEALTH_ACCOUNT)

CA_FILE: Final = "valkey-ca.pem"
"""Name of the file with the authority's certificate, in each container that connects over TLS."""

IDLE_SECONDS: Final = 1800
"""Valkey closes connections idle for so long; Open WebUI's REDIS_HEALTH_CHECK_INTERVAL is far below it. Subscribers are
not touched: https://valkey.io/topics/clients/"""


@dataclass(frozen=True, kw_only=True)
class Lockdown:
    """How Valkey is locked down.

    Attributes:
        files_name: Name in Docker of the volume with its accounts, and of the container that puts them there. Empty
            for the container's name and ``-files``.
        limits: What the container may use; 60 % of its memory are Valkey's ``maxmemory``.
        replicas_max: Number of replicas of Open WebUI there may ever be: they share the memory for events on their way.
        rights: What Open WebUI's account may do besides :data:`RIGHTS`, as words of Valkey's ``ACL SETUSER``.
        max_clients: Connections at once. Open files (``limits.nofile``) must be 32 more at least.
        tls: Only encrypted connections, under an authority of the stack's own.
        generations: By the name of a secret (``valkey-openwebui``, ``valkey-verify``, ``valkey-health``,
            ``valkey-tls``): any text, another one makes a new secret.

    Source: https://valkey.io/topics/acl/ and https://valkey.io/topics/encryption/
    """

    files_name: str = ""
    limits: Limits = DEFAULTS["valkey"]
    replicas_max: int = 8
    rights: Sequence[str] = ()
    max_clients: int = 10000
    tls: bool = False
    generations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ValkeyArgs:
    """Arguments of :class:`Valkey`.

    Attributes:
        image: Image reference of Valkey, official variant ``alpine`` or one with its users and paths.
        container_name: Name of the container.
        data: The volume with its snapshots and log.
        network: The network to join.
        service_name: Name it answers to there besides its container's. On a network with another container of that
            name, choose another: Docker's DNS would lead to either.
        save: Save policy, pairs of seconds and changes: a snapshot after so many seconds if so many keys changed.
            Empty turns snapshots off.
        debug_port: TCP port on 127.0.0.1 to publish Valkey on, 1 to 65535; None publishes nothing. Of no effect with
            ``lockdown``.
        limits: What the container may use. Of no effect with ``lockdown``, which has its own.
        lockdown: How it is locked down; None for an open one, which whoever reaches it can read and write.
        labels: Marks of ownership of what is created: Docker labels, key to value.

    Source: https://valkey.io/topics/persistence/
    """

    image: str
    container_name: str
    data: DataVolume
    network: Network
    service_name: str = SERVICE_NAME
    labels: Mapping[str, str] = field(default_factory=dict)
    save: Sequence[tuple[int, int]] = ((30, 1),)
    debug_port: int | None = None
    limits: Limits = DEFAULTS_OF_SINGLE["valkey"]
    lockdown: Lockdown | None = None


@dataclass(frozen=True, kw_only=True)
class ValkeyResources:
    """What a :class:`Valkey` made.

    Attributes:
        image: The image.
        volume: The data volume; None where it existed.
        container: The server's container.
        passwords: By account (``openwebui``, ``verify``, ``health``); none where it is not locked down.
        certificate: Its certificate; None without TLS.
        files: Accounts and certificate, in a volume; None where it is not locked down.
    """

    image: docker.RemoteImage
    volume: docker.Volume | None
    container: docker.Container
    passwords: Mapping[str, Secret] = field(default_factory=dict)
    certificate: Certificate | None = None
    files: Files | None = None


def valkey_command(save: Sequence[tuple[int, int]]) -> list[str]:
    """The server's command line.

    Args:
        save: Pairs of seconds and changes: a snapshot is written after so many seconds if so many keys changed.

    Source: https://valkey.io/topics/persistence/
    """
    words = [str(number) for pair in save for number in pair]
    return ["valkey-server", "--save", *(words or [""])]


def locked_command(save: Sequence[tuple[int, int]], lockdown: Lockdown) -> list[str]:
    """The command line of a server that is locked down.

    Nothing is ever evicted: Open WebUI keeps revoked tokens here, and one that is dropped is valid again.

    Source: https://docs.openwebui.com/tutorials/integrations/redis and https://valkey.io/topics/encryption/
    """
    hard, soft, seconds = pubsub_output_buffer(lockdown.limits, lockdown.replicas_max)
    command = [
        *valkey_command(save),
        "--aclfile", f"{SECRETS_PATH}/users.acl",
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--maxmemory", f"{valkey_maxmemory_mib(lockdown.limits)}mb",
        "--maxmemory-policy", "noeviction",
        "--maxclients", str(lockdown.max_clients),
        "--timeout", str(IDLE_SECONDS),
        "--tcp-keepalive", "60",
        "--client-output-buffer-limit", f"pubsub {hard}kb {soft}kb {seconds}",
    ]  # fmt: skip
    if not lockdown.tls:
        return command
    return [
        *command,
        "--port", "0",
        "--tls-port", str(PORT),
        "--tls-cert-file", f"{SECRETS_PATH}/cert.pem",
        "--tls-key-file", f"{SECRETS_PATH}/key.pem",
        "--tls-ca-cert-file", f"{SECRETS_PATH}/{CA_FILE}",
        "--tls-auth-clients", "no",
    ]  # fmt: skip


def locked_healthcheck(*, tls: bool) -> Healthcheck:
    """A probe by an account that may do nothing but PING; without ``-e`` a refusal would exit 0."""
    encrypted = f" --tls --cacert {SECRETS_PATH}/{CA_FILE}" if tls else ""
    line = (
        f"REDISCLI_AUTH=$(cat {SECRETS_PATH}/health) valkey-cli -e --user {HEALTH_ACCOUNT}{encrypted} ping"
        " | grep -qx PONG"
    )
    return Healthcheck(test=("CMD-SHELL", line), interval="2s", timeout="3s", start_period="10s", retries=5)


KEY_PREFIX: Final = "open-webui"
"""Open WebUI's REDIS_KEY_PREFIX, its default."""

RIGHTS: Final = {
    APP_ACCOUNT: (
        f"~{KEY_PREFIX}:* &socketio &socketio#* &{KEY_PREFIX}:tasks:commands &{KEY_PREFIX}:direct_completion "
        "-@all +ping +select +client|setinfo "
        "+get +set +del +exists +expire +incrby +decrby +strlen +append +mget "
        "+hset +hget +hdel +hexists +hlen +hkeys +hvals +hgetall +hscan +hmget +hincrby "
        "+sadd +srem +smembers +scard +rpush +lrange +llen +zadd +zrem +zcount "
        "+eval +evalsha +script|load +multi +exec +publish +subscribe +unsubscribe +psubscribe"
    ),
    VERIFY_ACCOUNT: "-@all +ping +info +pubsub|numsub +acl|log +client|list",
    HEALTH_ACCOUNT: "-@all +ping",
}
"""What each account may do, and no more. Commands of Open WebUI 0.12: its tasks, sockets, sign-outs and rate limits.

``tests/redis_calls.py`` reads them from an installed one, those of its Lua scripts included. 0.12.0 also tries
``HEXPIRE`` and goes on without: Valkey has it from 9.0 on, and an older one would not start with an ACL that names it.

0.12.0 listens to all rooms by their pattern, 0.12.4 to those of its sockets by name. ``PSUBSCRIBE`` takes none but a
pattern that stands here.

Source: https://valkey.io/topics/acl/
"""


def accounts_file(passwords: Mapping[str, str], rights: Sequence[str] = ()) -> str:
    """Valkey's ACL file: nobody without a password, and of the passwords their SHA-256.

    Args:
        passwords: By account.
        rights: Further rights of Open WebUI's account.
    """
    lines = ["user default off resetpass resetkeys resetchannels -@all"]
    for account in ACCOUNTS:
        digest = hashlib.sha256(passwords[account].encode()).hexdigest()
        granted = " ".join([RIGHTS[account], *(rights if account == APP_ACCOUNT else ())])
        lines.append(f"user {account} on #{digest} resetkeys resetchannels {granted}")
    return "\n".join(lines) + "\n"


class Valkey(pulumi.ComponentResource):
    """A Valkey server with its data volume and health check.

    Creates a ``docker.RemoteImage``, a ``docker.Volume`` and a ``docker.Container``, and is done once the container
    is healthy. Nothing is published on the host unless a debug port is asked for, and then on 127.0.0.1 only. Locked
    down, it also creates a :class:`components.secret.Secret` for each account, their files, and with TLS a
    :class:`components.certificate.Certificate`. Each Open WebUI needs a Valkey of its own: events of two would mix,
    whatever the database. An update fails where it is not healthy within 60 s.

    Args:
        name: Name of the Pulumi resource.
        args: What it is asked to be.
        opts: Pulumi's options.

    Attributes:
        container_id: Id of the container, once it is healthy.
        container_name: Name of the container.
        expected: What ``docker inspect`` must show of it, as :func:`components.container.expected_inspect` says.
        ca: Certificate of the authority that its own is under, PEM; None without TLS.
        login: How to ask it, for :class:`verification.resource.VerificationArgs` (``valkey_login``): user, and files
            inside its container; None where it asks for no password.
        app_user: Open WebUI's account, likewise (``app_user``); None where it has none.
        resources: What was made.
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
        args = _named(args)
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
        self.register_outputs(
            {"container_id": self.container_id, "container_name": self.container_name, "ca": self.ca},
        )

    def _secrets(
        self,
        name: str,
        args: ValkeyArgs,
        lockdown: Lockdown,
        image: docker.RemoteImage,
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


def _named(args: ValkeyArgs) -> ValkeyArgs:
    """With the names that were left to us."""
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
