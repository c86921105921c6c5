"""The arguments of Valkey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from components.building.volume import DataVolume
from components.limits import DEFAULTS, DEFAULTS_OF_SINGLE, Limits
from components.network import Network

SERVICE_NAME: Final = "redis"
"""Name by which Open WebUI finds Valkey on their network: the tutorial's compose service."""


@dataclass(frozen=True, kw_only=True)
class Lockdown:
    """Accounts, limits and TLS of a Valkey that is locked down.

    Attributes:
        files_name: Name in Docker of the volume with its accounts, and of the container that puts them there. Empty
            for the container's name and ``-files``.
        limits: How much the container may use. 60 % of its memory is Valkey's ``maxmemory``.
        replicas_max: Largest number of replicas there may ever be: they share the memory for events on their way.
        rights: Rights of Open WebUI's account beyond those this project knows of, as words of Valkey's ``ACL SETUSER``.
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
        service_name: Name it answers to on ``network`` besides its container's. Where another container there has that
            name, choose another: Docker's DNS would lead to either.
        save: Save policy, pairs of seconds and changes: a snapshot after so many seconds if so many keys changed.
            Empty turns snapshots off.
        debug_port: TCP port on 127.0.0.1 to publish Valkey on, 1 to 65535; None publishes nothing. Of no effect with
            ``lockdown``.
        limits: How much the container may use. Of no effect with ``lockdown``, which has its own.
        lockdown: Accounts and TLS; None for an open Valkey, which whoever reaches it can read and write.
        labels: Docker labels of what is created, key to value.

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
