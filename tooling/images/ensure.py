"""An image is used if present, else pulled; built here only where no registry can be reached, or somebody asks for it.

Once here, a local build stays: the official image is other software, and taking it (`docker pull`) an upgrade.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import docker
import docker.errors
from docker.models.images import Image

from docker_access import labels
from docker_access.pulls import way_out
from settings.references import Reference
from tooling.images import debian, version
from tooling.images.build import BuildContext, build
from tooling.images.differences import difference_names
from tooling.images.disk import shortage, to_build
from tooling.images.errors import ImageError
from tooling.images.pull import Pulled, pull
from tooling.images.recipes import RECIPES, Recipe
from tooling.images.reference import parse
from tooling.machine.negative_cache import recent_failure
from tooling.machine.progress import progress, say
from tooling.machine.uv import CACHE

BYTECODE: Final = "IMAGE_BYTECODE"
BUILD: Final = "BUILD_IMAGES"
"""Environment variable: 1 has missing images built here without asking a registry."""


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
            not; one that differs is built again. None for what the environment variable ``IMAGE_BYTECODE`` says, 1 or
            0; unset takes a local build as it is, and makes one without.
        refuse_build: Why none that was built here is taken, with the way out; empty where one is.

    Returns:
        One line for people: what was found or done.

    Raises:
        ImageError: It cannot be had, or is a version this project does not work with.
    """
    reference = parse(text)
    recipe = RECIPES.get(reference.name)
    bytecode = switch(BYTECODE, "boots quicker than the official image", "as that") if bytecode is None else bytecode
    if recipe and not reference.digest and version.is_version(reference.tag):
        recipe.constraint(reference)
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


def switch(variable: str, yes: str, no: str) -> bool | None:
    """Whether an environment variable switches something on (1) or off (0); None where it is not set.

    Raises:
        ImageError: It is another word.
    """
    value = os.environ.get(variable, "")
    if value not in {"", "0", "1"}:
        raise ImageError(f"{variable} is {value!r}. Set it to 1 ({yes}) or 0 ({no}), or unset it.")
    return {"0": False, "1": True}.get(value)


def _obtain(
    client: docker.DockerClient,
    reference: Reference,
    recipe: Recipe | None,
    *,
    bytecode: bool | None,
    refuse_build: str,
) -> str:
    build_asked = switch(BUILD, "images are built here", "only where no registry can be reached")
    buildable = recipe is not None and not reference.digest
    if buildable and build_asked:
        pulled = Pulled(f"{BUILD}=1", unreachable=True)
    elif buildable and (failure := recent_failure(reference.registry)):
        pulled = Pulled(failure, unreachable=True)
    else:
        pulled = pull(client, reference)
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
        recipe.constraint(reference)
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
    image_labels = image.labels or {}
    if labels.LOCAL_BUILD not in image_labels:
        return f"{reference}: present"
    if refuse_build:
        raise ImageError(
            f"{reference} was built on this machine, from {image_labels[labels.LOCAL_BUILD]}.\n{refuse_build}"
        )
    if recipe and (fault := _unfit(image_labels, recipe, recipe.constraint(reference), bytecode=bytecode)):
        say(f"{reference}: the local build {fault}")
        line = _make(client, reference, recipe, bytecode=bytecode)
        _discard(client, image)
        return line
    return f"{reference}: present, built locally from {image_labels[labels.LOCAL_BUILD]}{_notes(image_labels)}"


def _unfit(
    image_labels: Mapping[str, str], recipe: Recipe, constraint: version.VersionConstraint, *, bytecode: bool | None
) -> str:
    """What is wrong with a local build that has these labels; empty if it is what would be built now."""
    built = image_labels.get(labels.IMAGE_VERSION, "")
    if not constraint.matches(built) and image_labels.get(labels.STANDS_IN_FOR) != constraint.version:
        return f"is {built or 'of no known version'}, not what is asked for now"
    if image_labels.get(labels.LOCAL_RECIPE) != str(recipe.revision):
        return f"was made by another recipe than this project's now (revision {recipe.revision})"
    if recipe.has_bytecode and bytecode not in {None, labels.LOCAL_BYTECODE in image_labels}:
        return f"is {'without' if bytecode else 'with'} bytecode, and is asked for {'with' if bytecode else 'without'}"
    return ""


def _notes(image_labels: Mapping[str, str]) -> str:
    """How a local build is not what its name says, to be read after what it is made from."""
    notes = ""
    if asked_for := image_labels.get(labels.STANDS_IN_FOR):
        notes += f"; IN PLACE OF {asked_for}: this mirror has {image_labels.get(labels.IMAGE_VERSION)}"
    if labels.LOCAL_BYTECODE in image_labels:
        notes += "; with bytecode, for speed: it boots quicker than the official image"
    return notes


def _discard(client: docker.DockerClient, image: Image) -> None:
    """Remove a local build that another image took the name of, unless something still needs it."""
    with contextlib.suppress(docker.errors.APIError):
        image.reload()
        if not image.tags:
            client.images.remove(str(image.id))


def _make(client: docker.DockerClient, reference: Reference, recipe: Recipe, *, bytecode: bool | None) -> str:
    """Build an image, unless the same software in the same version was built under another tag: that gets this one."""
    constraint = recipe.constraint(reference)
    if constraint.exact:
        for image in client.images.list(filters={"label": labels.LOCAL_BUILD}):
            twin = next((tag for tag in image.tags if parse(tag).name == reference.name), None)
            if twin and not _unfit(image.labels, recipe, constraint, bytecode=bytecode):
                image.tag(reference.repository, reference.tag)
                origin = image.labels[labels.LOCAL_BUILD]
                return f"{reference}: the local build of {twin}, from {origin}{_notes(image.labels)}"
    return _build(client, reference, recipe, bytecode=bytecode)


def _build(client: docker.DockerClient, reference: Reference, recipe: Recipe, *, bytecode: bool | None) -> str:
    constraint = recipe.constraint(reference)
    if lacking := shortage(client, reference, to_build(reference), building=True):
        raise ImageError(lacking)
    title = f"building {recipe.software} {constraint.version} from {recipe.made_from}"
    say(f"{title}; it will be called {reference}")
    with tempfile.TemporaryDirectory(prefix="open-webui-image-") as folder, progress(title) as stage:
        work = Path(folder)
        # mmdebstrap may work as another user, which must be able to read the tree.
        work.chmod(0o755)
        context = BuildContext(
            distribution=debian.this_machine(work), cache=CACHE / "images", work=work, stage=stage,
            bytecode=bool(bytecode),
        )  # fmt: skip
        spec = recipe.image_spec(constraint, context)
        recipe.check(spec.version, str(reference))
        image_labels = {**spec.image_labels, labels.LOCAL_RECIPE: str(recipe.revision)}
        differs = ", ".join(
            difference_names(reference.name, {**image_labels, labels.STANDS_IN_FOR: spec.stands_in_for})
        )
        spec = replace(spec, image_labels={**image_labels, labels.LOCAL_DIFFERS: differs})
        build(client, context, spec, reference)
        image = client.images.get(str(reference))
        # Not what `inspect` says: in Docker's containerd store that counts the image packed and unpacked.
        size = sum(layer["Size"] for layer in image.history() or ())
        measured = f"{stage.seconds:.0f} s, {size / 1e6:.0f} MB"
        return f"{reference}: built locally from {spec.origin} in {measured}{_notes(image.labels)}"
