"""Whose a stack's deployment on a Docker is.

Project and stack have the same names in every checkout. So each state has an identity of its own, which everything
that is made from it carries as a label: what carries another one is another state's, and is left alone.
docs/adr/0023-whose-a-deployment-is.md says why.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from docker_access import labels
from docker_access.surroundings import user_name

if TYPE_CHECKING:
    import docker

TAKE_OVER: Final = "TAKE_OVER"
"""Environment variable; ``1`` takes over what another state has deployed."""

SHOWN: Final = 5
"""How many names a message lists."""


class AnothersDeploymentError(Exception):
    """What is deployed belongs to another state; it was not touched."""

    # Pulumi prints the type with its module in front of the text; an exception of builtins goes without.
    __module__ = "builtins"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A state, as what is made from it names it.

    Attributes:
        identity: Random; empty for a state that has made nothing, or nothing since there are identities.
        origin: Where it is kept, for people: ``USER@HOST:FOLDER``, or the address of a shared backend.
    """

    identity: str
    origin: str

    @classmethod
    def new(cls) -> Owner:
        """The owner of a state that begins here."""
        return cls(identity=secrets.token_hex(8), origin=origin())

    @classmethod
    def of(cls, remembered: Mapping[str, Any], origin: str) -> Owner:
        """The owner that a state remembers.

        Args:
            remembered: Outputs of its :class:`components.docker_host.DockerHost`; empty where there are none.
            origin: Where it is kept, where it does not say.
        """
        marks = remembered.get("marks") or {}
        return cls(identity=marks.get(labels.STATE, ""), origin=marks.get(labels.ORIGIN) or origin)

    @property
    def marks(self) -> dict[str, str]:
        """Its labels."""
        return {labels.STATE: self.identity, labels.ORIGIN: self.origin}


def origin(environ: Mapping[str, str] = os.environ) -> str:
    """Where the state of a program that runs in this folder is kept; without a password in it.

    ``pulumi login`` is not asked: a backend that only it names is taken for the folder.
    """
    address = urlsplit(environ.get("PULUMI_BACKEND_URL", ""))
    if address.scheme in {"", "file"}:
        return f"{user_name()}@{socket.gethostname()}:{address.path.removesuffix('/.pulumi-state') or Path.cwd()}"
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"


def is_kept_here(volume_labels: Mapping[str, str] | None, here: str) -> bool:
    """Whether a volume was made from a state that is, or was, kept in this place; or from none that is known.

    Args:
        volume_labels: Its labels.
        here: The place, as :func:`origin` has it. Which of its users worked there does not count.
    """
    marks = volume_labels or {}
    return labels.STATE not in marks or _place(marks.get(labels.ORIGIN, "")) == _place(here)


def _place(origin: str) -> str:
    return origin.partition("@")[2] or origin


def takes_over(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user said to take over what another state has deployed: by ``1``, never by ``no`` or ``false``."""
    return environ.get(TAKE_OVER) == "1"


@dataclass(frozen=True, kw_only=True)
class Made:
    """Something in Docker that carries a stack's labels.

    Attributes:
        kind: ``container``, ``network`` or ``volume``.
        id: Its id in Docker; of a volume its name.
        name: Its name.
        since: When it was made, as Docker has it, to the minute.
        marks: All its labels.
        status: Of a container Docker's word for it, as ``running``; else empty.
    """

    kind: str
    id: str
    name: str
    since: str
    marks: Mapping[str, str]
    status: str = ""

    def __str__(self) -> str:
        """What it is, as in ``container open-webui-team``."""
        return f"{self.kind} {self.name}"


def refuse_anothers(
    client: docker.APIClient, ownership: Mapping[str, str], owner: Owner, *, begun: bool, take_over: bool | None = None
) -> None:
    """See that what is there of a stack was made from this state, or may be used by it.

    A container of another state is another's. A network or volume is, for a state that begins, unless the volume's was
    kept where this one is: data outlive the state they were made from. A state that has begun has its own; they may
    carry another's identity, as they are not made anew for it. What carries none is from before there were any.

    Args:
        client: A client of Docker.
        ownership: The stack's labels, project and stack.
        owner: This state.
        begun: Whether what carries no identity may have been made from this state.
        take_over: Whether to let it be; by default what :func:`takes_over` says.

    Raises:
        AnothersDeploymentError: It was made from another state.
    """
    if takes_over() if take_over is None else take_over:
        return
    anothers = [one for one in made(client, ownership) if _is_anothers(one, owner, begun=begun)]
    if anothers:
        raise AnothersDeploymentError(_message(ownership, anothers))


def made(client: docker.APIClient, ownership: Mapping[str, str]) -> Iterator[Made]:
    """What is there of a stack, whichever state made it: containers, then networks, then volumes.

    Args:
        client: A client of Docker.
        ownership: The stack's labels, project and stack.
    """
    filters: Any = {"label": [f"{key}={value}" for key, value in sorted(ownership.items())]}
    for found in client.containers(all=True, filters=filters):
        since = dt.datetime.fromtimestamp(found["Created"], tz=dt.UTC).isoformat(timespec="minutes")
        name, marks, status = found["Names"][0].lstrip("/"), found["Labels"], found["State"]
        yield Made(kind="container", id=found["Id"], name=name, since=since, marks=marks, status=status)
    for found in client.networks(filters=filters):
        name, since, marks = found["Name"], found["Created"][:16], found["Labels"] or {}
        yield Made(kind="network", id=found["Id"], name=name, since=since, marks=marks)
    for found in client.volumes(filters=filters)["Volumes"] or ():
        name, since, marks = found["Name"], found.get("CreatedAt", "")[:16], found["Labels"] or {}
        yield Made(kind="volume", id=name, name=name, since=since, marks=marks)


def _is_anothers(one: Made, owner: Owner, *, begun: bool) -> bool:
    identity = one.marks.get(labels.STATE)
    if identity is None:
        return one.kind == "container" and not begun
    if identity == owner.identity:
        return False
    if one.kind == "container":
        return True
    return not owner.identity and (one.kind == "network" or not is_kept_here(one.marks, owner.origin))


def _message(ownership: Mapping[str, str], anothers: list[Made]) -> str:
    stack = ownership[labels.STACK]
    names = [str(one) for one in anothers]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    origins = sorted({one.marks.get(labels.ORIGIN, "") for one in anothers} - {""})
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
