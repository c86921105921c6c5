"""An image is used if present, else pulled; built here only where no registry can be reached, or somebody asks for it.

Once here, a local build stays: the official image is other software, and taking it (`docker pull`) an upgrade.
"""

from __future__ import annotations

import contextlib
import os
import queue
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import docker
import docker.errors
import requests.exceptions

from docker_access import labels, logins
from docker_access.pulls import Layers, error_of, is_silence, way_out
from tooling.images import debian, version
from tooling.images.build import Workshop, build
from tooling.images.differences import names_of
from tooling.images.disk import shortage, to_build, to_pull
from tooling.images.errors import ImageError
from tooling.images.recipes import RECIPES, Recipe
from tooling.images.reference import Reference, parse
from tooling.machine.negative_cache import remember, silent
from tooling.machine.progress import progress, say
from tooling.machine.uv import CACHE

if TYPE_CHECKING:
    from collections.abc import Generator

    from docker.models.images import Image

BYTECODE: Final = "IMAGE_BYTECODE"
BUILD: Final = "BUILD_IMAGES"
"""Environment variable: 1 has missing images built here without asking a registry."""
PULL_STALL_SECONDS: Final = 60
"""How long a registry may send nothing."""
UNPACK_STALL_SECONDS: Final = 600
"""How long Docker may say nothing while it unpacks what has come."""


def ensure(
    client: docker.DockerClient,
    text: str,
    *,
    rebuild: bool = False,
    bytecode: bool | None = None,
    refuse_build: str = "",
) -> str:
    """Have the image ``text`` in Docker, and say how.

    Args:
        client: The Docker daemon; its timeout should be minutes, since an import answers only at its end.
        text: Image reference.
        rebuild: Build it even if it is there or could be pulled.
        bytecode: Whether a local build is to have Python's bytecode compiled into it, which the official image has
            not; one that differs is built anew. None for what the environment variable ``IMAGE_BYTECODE`` says, 1 or
            0; unset takes a local build as it is, and makes one without.
        refuse_build: Why none that was built here is taken, with the way out; empty where one is.

    Returns:
        One line for people: what was found or done.

    Raises:
        ImageError: It cannot be had, or is a version this project does not work with.
    """
    reference = parse(text)
    recipe = RECIPES.get(reference.name)
    bytecode = asked(BYTECODE, "boots quicker than the official image", "as that") if bytecode is None else bytecode
    if recipe and not reference.digest and version.is_version(reference.tag):
        recipe.wanted(reference)
    image = _present(client, reference)
    if rebuild and recipe:
        line = _build(client, reference, recipe, bytecode=bytecode)
        if image:
            _discard(client, image)
    elif image is None:
        line = _obtain(client, reference, recipe, bytecode=bytecode, refuse_build=refuse_build)
    else:
        line = _keep(client, reference, recipe, image, bytecode=bytecode, refuse_build=refuse_build)
    if recipe:
        image = client.images.get(str(reference))
        recipe.check((image.labels or {}).get(labels.IMAGE_VERSION, ""), str(reference))
    return line


def _present(client: docker.DockerClient, reference: Reference) -> Image | None:
    try:
        return client.images.get(str(reference))
    except docker.errors.ImageNotFound:
        return None


def asked(variable: str, yes: str, no: str) -> bool | None:
    """What an environment variable asks for: 1, 0, or nothing.

    Args:
        variable: Its name.
        yes: What 1 means, for the message.
        no: What 0 means.

    Raises:
        ImageError: It is another word.
    """
    said = os.environ.get(variable, "")
    if said not in {"", "0", "1"}:
        raise ImageError(f"{variable} is {said!r}. Set it to 1 ({yes}) or 0 ({no}), or unset it.")
    return {"0": False, "1": True}.get(said)


def _obtain(
    client: docker.DockerClient,
    reference: Reference,
    recipe: Recipe | None,
    *,
    bytecode: bool | None,
    refuse_build: str,
) -> str:
    build_asked = asked(BUILD, "images are built here", "only where no registry can be reached")
    buildable = recipe is not None and not reference.digest
    if buildable and build_asked:
        pulled = _Pulled(f"{BUILD}=1", unreachable=True)
    elif buildable and (silence := silent(reference.registry)):
        pulled = _Pulled(silence, unreachable=True)
    else:
        pulled = _pull(client, reference)
    if not pulled.failure:
        return f"{reference}: pulled in {pulled.seconds:.0f} s"
    cannot = "is not" if buildable and build_asked else "cannot be"
    absent = f"{reference} is not present and {cannot} pulled: {pulled.failure}"
    if recipe is None:
        known = ", ".join(sorted(RECIPES))
        raise ImageError(
            f"{absent}\nOnly images named {known} can be built on this machine. Name one in a registry it reaches, "
            "or bring it with `docker load`."
        )
    if not pulled.unreachable:
        raise ImageError(
            f"{absent}\n{way_out(pulled.failure, str(reference), reference.registry)} Its registry was reached, so "
            f"nothing is built in its place; {BUILD}=1 has it built here all the same, which is other software "
            "(docs/images.md)."
        )
    try:
        recipe.wanted(reference)
    except ImageError as error:
        raise ImageError(f"{absent}\n{error}") from None
    if refuse_build:
        raise ImageError(f"{absent}\n{refuse_build}")
    say(f"{reference}: not pulled ({pulled.failure})")
    return _make(client, reference, recipe, bytecode=bytecode)


def _keep(
    client: docker.DockerClient,
    reference: Reference,
    recipe: Recipe | None,
    image: Image,
    *,
    bytecode: bool | None,
    refuse_build: str,
) -> str:
    marks = image.labels or {}
    if labels.LOCAL_BUILD not in marks:
        return f"{reference}: present"
    if refuse_build:
        raise ImageError(f"{reference} was built on this machine, from {marks[labels.LOCAL_BUILD]}.\n{refuse_build}")
    if recipe and (fault := _unfit(marks, recipe, recipe.wanted(reference), bytecode=bytecode)):
        say(f"{reference}: the local build {fault}")
        line = _make(client, reference, recipe, bytecode=bytecode)
        _discard(client, image)
        return line
    return f"{reference}: present, built locally from {marks[labels.LOCAL_BUILD]}{_notes(marks)}"


def _unfit(marks: Mapping[str, str], recipe: Recipe, wanted: version.Wanted, *, bytecode: bool | None) -> str:
    """What is wrong with a local build that has these labels; empty if it is what would be built now."""
    built = marks.get(labels.IMAGE_VERSION, "")
    if not wanted.matches(built) and marks.get(labels.STANDS_IN_FOR) != wanted.version:
        return f"is {built or 'of no known version'}, not what is wanted now"
    if marks.get(labels.LOCAL_RECIPE) != str(recipe.revision):
        return f"was made by another recipe than this project's now (revision {recipe.revision})"
    if recipe.has_bytecode and bytecode not in {None, labels.LOCAL_BYTECODE in marks}:
        return f"is {'without' if bytecode else 'with'} bytecode, and is wanted {'with' if bytecode else 'without'}"
    return ""


def _notes(marks: Mapping[str, str]) -> str:
    """How a local build is not what its name says, to be read after what it is made from."""
    notes = ""
    if wanted := marks.get(labels.STANDS_IN_FOR):
        notes += f"; STANDS IN for {wanted}: this mirror has {marks.get(labels.IMAGE_VERSION)}"
    if labels.LOCAL_BYTECODE in marks:
        notes += "; with bytecode, for speed: it boots quicker than the official image"
    return notes


def _discard(client: docker.DockerClient, image: Image) -> None:
    """Remove a local build that another image took the name of, unless something still needs it."""
    with contextlib.suppress(docker.errors.APIError):
        image.reload()
        if not image.tags:
            client.images.remove(str(image.id))


@dataclass(frozen=True)
class _Pulled:
    """How a pull ended.

    Attributes:
        failure: Why the image is not there; empty where it is.
        seconds: How long it took.
        unreachable: The registry was not reached, or did not answer as one.
    """

    failure: str
    seconds: float = 0
    unreachable: bool = False


def _pull(client: docker.DockerClient, reference: Reference) -> _Pulled:
    """Pull with the login there is; where that one does not work, without: a public image needs none."""
    registry, login, trouble = reference.registry, {}, ""
    try:
        login = logins.login(registry)
    except logins.LoginError as error:
        trouble = str(error)
    else:
        pulled = _pull_as(login, client, reference)
        if not (login and logins.is_refusal(pulled.failure)):
            return pulled
        trouble = logins.refused(registry, pulled.failure)
    say(f"{reference}: {trouble}; asking for the image without a login")
    return _pull_as({}, client, reference)


def _pull_as(login: Mapping[str, Any], client: docker.DockerClient, reference: Reference) -> _Pulled:
    began = time.monotonic()
    failure, unreachable = "", False
    layers = Layers()
    with (
        progress(f"pulling {reference}") as stage,
        contextlib.closing(_events(client, reference, login, layers)) as events,
    ):
        try:
            for event in events:
                if failure := error_of(event):
                    break
                first = not layers.wanted
                layers.take(event)
                # Now the registry has answered, and has more than is here.
                if first and layers.wanted and (lacking := shortage(client, reference, to_pull(reference))):
                    raise ImageError(lacking)
                stage.text = f"{layers.complete} of {layers.total} layers complete"
            unreachable = is_silence(failure)
        except docker.errors.APIError as error:
            failure = str(error.explanation or error)
            unreachable = is_silence(failure)
        except queue.Empty:
            if layers.unpacking:
                failure = f"Docker said nothing for {UNPACK_STALL_SECONDS} s while it unpacked the layers"
            else:
                failure, unreachable = f"the registry sent nothing for {PULL_STALL_SECONDS} s", True
    # One that told the layers was reached, whatever became of them.
    unreachable = unreachable and not layers.total
    if unreachable:
        remember(reference.registry)
    return _Pulled(failure, time.monotonic() - began, unreachable)


def _events(
    client: docker.DockerClient, reference: Reference, login: Mapping[str, Any], layers: Layers
) -> Generator[dict[str, Any]]:
    """What Docker says of a pull; ``queue.Empty`` when it says nothing for too long, as far as the layers are.

    The SDK waits for ever and cannot be told otherwise, so somebody else does the waiting.
    """
    said: queue.Queue[dict[str, Any] | docker.errors.APIError | None] = queue.Queue()
    over = threading.Event()

    def listen() -> None:
        try:
            tag = reference.digest or reference.tag
            # Without `auth_config` the SDK looks for a login by itself.
            pulled = client.api.pull(reference.repository, tag=tag, stream=True, decode=True, auth_config=dict(login))
            for event in pulled:
                if over.is_set():  # hanging up ends the pull
                    return
                said.put(event)
            said.put(None)
        except docker.errors.APIError as error:
            said.put(error)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            said.put(docker.errors.APIError(str(error)))

    threading.Thread(target=listen, daemon=True).start()
    try:
        while True:
            event = said.get(timeout=UNPACK_STALL_SECONDS if layers.unpacking else PULL_STALL_SECONDS)
            if event is None:
                return
            if isinstance(event, docker.errors.APIError):
                raise event
            yield event
    finally:
        over.set()


def _make(client: docker.DockerClient, reference: Reference, recipe: Recipe, *, bytecode: bool | None) -> str:
    """Build an image, unless the same software in the same version was built under another tag: that gets this one."""
    wanted = recipe.wanted(reference)
    if wanted.exact:
        for image in client.images.list(filters={"label": labels.LOCAL_BUILD}):
            twin = next((tag for tag in image.tags if parse(tag).name == reference.name), None)
            if twin and not _unfit(image.labels, recipe, wanted, bytecode=bytecode):
                image.tag(reference.repository, reference.tag)
                origin = image.labels[labels.LOCAL_BUILD]
                return f"{reference}: the local build of {twin}, from {origin}{_notes(image.labels)}"
    return _build(client, reference, recipe, bytecode=bytecode)


def _build(client: docker.DockerClient, reference: Reference, recipe: Recipe, *, bytecode: bool | None) -> str:
    wanted = recipe.wanted(reference)
    if lacking := shortage(client, reference, to_build(reference), building=True):
        raise ImageError(lacking)
    title = f"building {recipe.software} {wanted.version} from {recipe.made_from}"
    say(f"{title}; it will be called {reference}")
    with tempfile.TemporaryDirectory(prefix="open-webui-image-") as folder, progress(title) as stage:
        work = Path(folder)
        # mmdebstrap may work as another user, which must be able to read the tree.
        work.chmod(0o755)
        workshop = Workshop(
            distribution=debian.this_machine(work), cache=CACHE / "images", work=work, stage=stage,
            bytecode=bool(bytecode),
        )  # fmt: skip
        blueprint = recipe.blueprint(wanted, workshop)
        recipe.check(blueprint.version, str(reference))
        marks = {**blueprint.marks, labels.LOCAL_RECIPE: str(recipe.revision)}
        differs = ", ".join(names_of(reference.name, {**marks, labels.STANDS_IN_FOR: blueprint.stands_in_for}))
        blueprint = replace(blueprint, marks={**marks, labels.LOCAL_DIFFERS: differs})
        build(client, workshop, blueprint, reference)
        image = client.images.get(str(reference))
        # Not what `inspect` says: in Docker's containerd store that counts the image packed and unpacked.
        size = sum(layer["Size"] for layer in image.history() or ())
        measured = f"{stage.seconds:.0f} s, {size / 1e6:.0f} MB"
        return f"{reference}: built locally from {blueprint.origin} in {measured}{_notes(image.labels)}"
