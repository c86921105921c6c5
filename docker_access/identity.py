"""Which Docker answers, and whether the stack lives on it.

Every operation begins with a refresh (``options.refresh: always``). On a machine that cannot see the stack's
containers, such as a runner that previews a pull request, a refresh would find all of them gone: the preview would
announce a new deployment, and an update would forget the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import docker

from docker_access import labels
from docker_access.deployments import takes_over

LIVES_ELSEWHERE: Final = "lives on another Docker host"
"""What the refusal of another Docker host says under either engine; reports of previews find it by that."""


class OtherDockerHostError(Exception):
    """The Docker that answers is not the one that the stack lives on. It was not touched."""


def identity(client: docker.APIClient) -> dict[str, str]:
    """``engine``, Docker's id of itself, empty where it has none, and ``name``, that of its machine.

    The id is made when Docker first starts, and kept with its data.
    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemInfo
    """
    info = client.info()
    return {"engine": info.get("ID") or "", "name": info.get("Name") or ""}


def refuse_another(
    client: docker.APIClient, recorded: Mapping[str, Any], ownership: Mapping[str, str]
) -> dict[str, str]:
    """Refuse a Docker that is not the stack's: neither the recorded one, nor one that has something of the stack.

    Args:
        client: A client of the Docker that answers.
        recorded: What the state remembers: :func:`identity` of the Docker of the last update, and its own ``marks``.
        ownership: The stack's labels.

    Returns:
        :func:`identity` of the Docker that answers.

    Raises:
        OtherDockerHostError: It is another, with nothing of the stack but what another state made.
    """
    here = identity(client)
    if not recorded["engine"] or not here["engine"] or recorded["engine"] == here["engine"]:
        return here
    if not _has_any(client, ownership, (recorded.get("marks") or {}).get(labels.STATE)):
        raise OtherDockerHostError(_message(recorded, here, ownership))
    return here


def _has_any(client: docker.APIClient, ownership: Mapping[str, str], state: str | None) -> bool:
    """Whether the stack has anything there that is not another state's, or that the user takes over."""
    filters = labels.filters(ownership)
    found = [
        *client.containers(all=True, filters=filters),
        *(client.volumes(filters=filters)["Volumes"] or ()),
        *client.networks(filters=filters),
    ]
    states = [(one["Labels"] or {}).get(labels.STATE) for one in found]
    return bool(states) and (takes_over() or not {state, None}.isdisjoint(states))


def _message(recorded: Mapping[str, Any], here: Mapping[str, str], ownership: Mapping[str, str]) -> str:
    stack = ownership[labels.STACK]
    create = " ".join(
        ["docker volume create", *(f"--label {label}" for label in labels.filters(ownership)["label"]), "NAME"]
    )
    return (
        f"stack {stack} {LIVES_ELSEWHERE}: on {recorded['name']} (Docker {recorded['engine']}). The Docker "
        f"that answers is on {here['name']} ({here['engine']}) and has nothing of the stack that is this state's; "
        "everything would seem gone. Way out: name the right one (DOCKER_HOST=ssh://USER@HOST); or preview against the "
        f"state alone (pulumi preview --refresh=false --stack {stack}); or, if the stack is to move here, restore its "
        f"data volumes first ({create})."
    )
