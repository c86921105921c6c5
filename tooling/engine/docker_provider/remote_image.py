"""``docker:index/remoteImage:RemoteImage``: an image of this name, local if there is one, else pulled.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_image.go
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from docker_access.pulls import error_of, is_unreachable
from tooling.engine.docker_provider.client import NOT_FOUND, Call, Docker, DockerRefused, docker_errors, look
from tooling.engine.docker_provider.properties import META, block, boolean, mapping, set_of, string
from tooling.engine.docker_provider.recording import recorded, time_limits
from tooling.engine.docker_provider.refreshing import refreshed_inputs
from tooling.engine.provider import ProviderError, State
from tooling.pulumi_files.values import Properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TYPE: Final = "docker:index/remoteImage:RemoteImage"
DELETE_BEFORE_REPLACE: Final = False
PROGRESS_SECONDS: Final = 2.0
"""Time between two progress lines of a pull."""

TABLE: Final = {
    "build": block({}, known=False),
    "forceRemove": boolean(),
    "imageId": string(computed=True, output_only=True),
    "keepLocally": boolean(),
    "name": string(replaces=True, required=True),
    "platform": string(replaces=True),
    "pullTriggers": set_of(replaces=True),
    "repoDigest": string(computed=True, output_only=True),
    "triggers": mapping(replaces=True),
}

_ID_LENGTH: Final = len("sha256:") + 64


def create(call: Call, inputs: Properties) -> State:
    """Make sure that the image is on this machine.

    Raises:
        ProviderError: It is neither here nor can it be had.
    """
    found = ensure(call, inputs["name"], platform=inputs.get("platform"))
    asked = {**inputs, **_observed(inputs["name"], found)}
    outputs = recorded(TABLE, asked, settled=False, meta=time_limits(call.timeout_seconds))
    return State(id=found["Id"] + inputs["name"], inputs=inputs, outputs=outputs)


def read(call: Call, image_id: str, inputs: Properties, outputs: Properties) -> State | None:
    """The image that carries the name now; its id changes when another image was tagged with it."""
    # An image that is only looked up has no inputs: its id ends in the name.
    name = outputs.get("name") or inputs.get("name") or image_id[_ID_LENGTH:]
    found = inspect(call.docker, name)
    if found is None:
        return None
    asked = {**(outputs if "name" in outputs else inputs), "name": name}
    now = recorded(
        TABLE, {**asked, **_observed(name, found)}, settled=False, meta=outputs.get(META) or time_limits(None)
    )
    return State(id=found["Id"] + name, inputs=refreshed_inputs(TABLE, inputs, now), outputs=now)


def update(call: Call, image_id: str, old_outputs: Properties, new_inputs: Properties) -> Properties:
    """Record how the image is to be removed; pull it if it is gone."""
    del image_id, old_outputs
    return create(call, new_inputs).outputs


def delete(call: Call, image_id: str, inputs: Properties, outputs: Properties) -> None:
    """Remove the name from this machine, unless ``keepLocally``."""
    del image_id
    facts = outputs if "name" in outputs else inputs
    if facts.get("keepLocally"):
        return
    try:
        with docker_errors(f"remove the image {facts['name']} (keepLocally leaves it on this machine)"):
            call.docker.api.remove_image(facts["name"], force=bool(facts.get("forceRemove")))
    except DockerRefused as error:
        if error.status != NOT_FOUND:
            raise


def find(call: Call, inputs: Properties) -> str | None:
    """Id of the image, if it is here: an image has no owner."""
    found = inspect(call.docker, inputs["name"])
    return found["Id"] + inputs["name"] if found else None


def inspect(docker: Docker, name: str) -> dict[str, Any] | None:
    """What Docker knows of a local image; None if there is none of that name."""
    return look(f"inspect the image {name}", lambda: docker.api.inspect_image(name))  # type: ignore[no-untyped-call]  # stubs


def ensure(call: Call, name: str, *, platform: str | None = None) -> dict[str, Any]:
    """The local image of that name, pulled if need be with progress lines.

    Raises:
        ProviderError: It cannot be had.
    """
    found = inspect(call.docker, name)
    if found is not None:
        return found
    if name.startswith("sha256:"):
        raise ProviderError(f"there is no image {name} on this machine. Refresh the stack to look it up again.")
    call.log(f"pulling {name}")
    try:
        with docker_errors(f"pull the image {name}"):
            messages = call.docker.api.pull(name, stream=True, decode=True, platform=platform or None)
            follow_pull(name, messages, call.log)
    except DockerRefused as error:
        raise pull_failure(name, error.said) from error
    found = inspect(call.docker, name)
    if found is None:
        raise ProviderError(f"the image {name} was pulled and is not there. Try `docker pull {name}`.")
    return found


def follow_pull(name: str, messages: Iterable[dict[str, Any]], log: Callable[[str], None]) -> None:
    """Read a pull to its end, telling every few seconds how far it is.

    Raises:
        ProviderError: The pull failed.
    """
    layers: dict[str, tuple[int, int]] = {}
    done: set[str] = set()
    told = time.monotonic()
    for message in messages:
        if said := error_of(message):
            raise pull_failure(name, said)
        layer, detail = message.get("id", ""), message.get("progressDetail") or {}
        if detail.get("total") and message.get("status") == "Downloading":
            layers[layer] = (detail["current"], detail["total"])
        if message.get("status") in {"Pull complete", "Already exists"}:
            done.add(layer)
        if time.monotonic() - told >= PROGRESS_SECONDS and layers:
            told = time.monotonic()
            current, total = (sum(pair[i] for pair in layers.values()) / 1e6 for i in (0, 1))
            everything = len(done | layers.keys())
            log(f"pulling {name}: {len(done)} of {everything} layers, {current:.0f} of {total:.0f} MB")
    log(f"pulled {name}")


def pull_failure(name: str, said: str) -> ProviderError:
    """Tell a registry that cannot be reached from an image that does not exist, by what Docker said."""
    if is_unreachable(said):
        return ProviderError(
            f"the image {name} is not on this machine, and its registry does not answer: {said}. "
            "`make setup STACK=NAME` builds the images of a stack locally; or load the image with `docker load`."
        )
    if re.search(r"not found|does not exist|denied|manifest unknown|unauthorized", said, re.IGNORECASE):
        return ProviderError(
            f"the image {name} does not exist, or needs a login: {said}. "
            "Check its name and tag, or log in with `docker login`."
        )
    return ProviderError(f"the image {name} could not be pulled: {said}. Try `docker pull {name}`.")


def _observed(name: str, found: dict[str, Any]) -> Properties:
    return {
        "id": found["Id"] + name,
        "imageId": found["Id"],
        "repoDigest": _repo_digest(name, found.get("RepoDigests") or []),
    }


def _repo_digest(name: str, digests: list[str]) -> str:
    # The part before the first colon, as in the plugin, even where that is a registry's port.
    untagged = name.partition(":")[0]
    own = [digest for digest in digests if digest.startswith(untagged)] if len(digests) > 1 else []
    return next(iter(own + digests), "")
