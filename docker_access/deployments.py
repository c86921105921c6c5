"""Which state a stack's deployment on a Docker belongs to. ``ownership`` are the stack's labels, project and stack.

Project and stack have the same names in every checkout. So each state has an identity, and everything that is made from
it carries that as a label. An object with another identity belongs to another state, and is left alone.
docs/adr/0023-whose-a-deployment-is.md says why.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from docker_access import labels
from docker_access.surroundings import user_at_host

if TYPE_CHECKING:
    import docker

TAKE_OVER: Final = "TAKE_OVER"
"""Environment variable: ``1`` takes over what another state has deployed."""

SHOWN: Final = 5
"""How many names a message lists."""


class AnothersDeploymentError(Exception):
    """The deployment belongs to another state. It was not touched."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A state, as its objects name it in their labels.

    Attributes:
        identity: Random text; empty for a state that has made nothing, or that is older than identities.
        origin: Where the state is kept, for people: ``USER@HOST:FOLDER``, or the address of a shared backend.
    """

    identity: str
    origin: str

    @classmethod
    def new(cls) -> Owner:
        """The owner of a state that begins here."""
        return cls(identity=secrets.token_hex(8), origin=origin())

    @classmethod
    def of(cls, remembered: Mapping[str, Any], origin: str) -> Owner:
        """The owner that a state remembers in the outputs of its :class:`components.docker_host.DockerHost`, if any.

        ``origin`` is where it is kept, for a state that does not say so.
        """
        own = remembered.get("marks") or {}
        return cls(identity=own.get(labels.STATE, ""), origin=own.get(labels.ORIGIN) or origin)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything that is made from it."""
        return {labels.STATE: self.identity, labels.ORIGIN: self.origin}


def origin(environ: Mapping[str, str] = os.environ) -> str:
    """Where the state of a program that runs in this folder is kept, without a password.

    Only PULUMI_BACKEND_URL is looked at. A backend that only ``pulumi login`` names counts as this folder.
    """
    address = urlsplit(environ.get("PULUMI_BACKEND_URL", ""))
    if address.scheme in {"", "file"}:
        return f"{user_at_host()}:{address.path.removesuffix('/.pulumi-state') or Path.cwd()}"
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"


def is_kept_here(volume_labels: Mapping[str, str] | None, here: str) -> bool:
    """Whether a volume was made from a state that is, or was, kept in this place, or from an unknown one.

    The place is as :func:`origin` has it. The user in it does not count.
    """
    found = volume_labels or {}
    return labels.STATE not in found or _place(found.get(labels.ORIGIN, "")) == _place(here)


def _place(origin: str) -> str:
    return origin.partition("@")[2] or origin


def takes_over() -> bool:
    """Whether the user said to take over what another state has deployed: by ``1``, never by ``no`` or ``false``."""
    return os.environ.get(TAKE_OVER) == "1"


@dataclass(frozen=True, kw_only=True)
class StackObject:
    """An object in Docker that carries a stack's labels.

    Attributes:
        kind: ``container``, ``network`` or ``volume``.
        id: Its id in Docker; of a volume its name.
        name: Its name.
        since: When it was created, as Docker has it, to the minute.
        labels: All its labels.
        status: A container's status in Docker's word, such as ``running``; else empty.
    """

    kind: str
    id: str
    name: str
    since: str
    labels: Mapping[str, str]
    status: str = ""

    def __str__(self) -> str:
        """What it is, as in ``container open-webui-team``."""
        return f"{self.kind} {self.name}"


def refuse_anothers(client: docker.APIClient, ownership: Mapping[str, str], owner: Owner, *, begun: bool) -> None:
    """Refuse a stack's objects that belong to another state than the owner, unless the user takes them over.

    A container with another identity belongs to another state. For a state that begins, so does a network or a volume,
    unless the volume's state was kept in the same place: data outlive the state that they were made from. A state that
    has begun has networks and volumes of its own, which may carry another identity, as they are not re-created for it.
    Objects without an identity are older than identities: with ``begun``, they may have been made from this state.

    Raises:
        AnothersDeploymentError: There is one.
    """
    if takes_over():
        return
    anothers = [one for one in stack_objects(client, ownership) if _is_anothers(one, owner, begun=begun)]
    if anothers:
        raise AnothersDeploymentError(_message(ownership, anothers))


def stack_objects(client: docker.APIClient, ownership: Mapping[str, str]) -> Iterator[StackObject]:
    """The objects with a stack's labels, whichever state made them: containers, then networks, then volumes."""
    filters = labels.filters(ownership)
    for found in client.containers(all=True, filters=filters):
        since = dt.datetime.fromtimestamp(found["Created"], tz=dt.UTC).isoformat(timespec="minutes")
        name, its_labels, status = found["Names"][0].lstrip("/"), found["Labels"], found["State"]
        yield StackObject(kind="container", id=found["Id"], name=name, since=since, labels=its_labels, status=status)
    for found in client.networks(filters=filters):
        name, since, its_labels = found["Name"], found["Created"][:16], found["Labels"] or {}
        yield StackObject(kind="network", id=found["Id"], name=name, since=since, labels=its_labels)
    for found in client.volumes(filters=filters)["Volumes"] or ():
        name, since, its_labels = found["Name"], found.get("CreatedAt", "")[:16], found["Labels"] or {}
        yield StackObject(kind="volume", id=name, name=name, since=since, labels=its_labels)


def _is_anothers(one: StackObject, owner: Owner, *, begun: bool) -> bool:
    identity = one.labels.get(labels.STATE)
    if identity is None:
        return one.kind == "container" and not begun
    if identity == owner.identity:
        return False
    if one.kind == "container":
        return True
    return not owner.identity and (one.kind == "network" or not is_kept_here(one.labels, owner.origin))


def _message(ownership: Mapping[str, str], anothers: list[StackObject]) -> str:
    stack = ownership[labels.STACK]
    names = [str(one) for one in anothers]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    origins = sorted({one.labels.get(labels.ORIGIN, "") for one in anothers} - {""})
    since = min(one.since for one in anothers)
    what = f"stack {stack} of project {ownership[labels.PROJECT]} "
    what += "has data" if {one.kind for one in anothers} == {"volume"} else "is deployed"
    return (
        f"{what} on this Docker from another state, begun in "
        f"{', '.join(origins) or 'a place that is not known'}, since {since}: {', '.join(names[:SHOWN])}{more}. "
        "Nothing was changed. Ways out: work from that state (in that folder; or name the backend that has it, "
        f"PULUMI_BACKEND_URL=..., docs/teams.md); deploy a stack of another name (STACK=NAME); or, if that state is "
        f"lost or given up, say so with {TAKE_OVER}=1 (make up STACK={stack} {TAKE_OVER}=1): its containers are "
        "replaced, its data volumes stay and are used."
    )
