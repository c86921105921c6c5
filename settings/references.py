"""Image references, read as Docker reads them; and which of them this project can deploy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from settings.values import Invalid

OPEN_WEBUI_TRIED: Final = "ghcr.io/open-webui/open-webui:v0.12.4"
VALKEY_TRIED: Final = "docker.io/valkey/valkey:8.1.10-alpine"
POSTGRES_TRIED: Final = "docker.io/pgvector/pgvector:0.8.7-pg17"
GATEWAY_TRIED: Final = "docker.io/library/caddy:2.11.7-alpine"
OLDEST_OPEN_WEBUI: Final = (0, 12, 0)
"""Oldest Open WebUI whose events cross Valkey the way the verification proves (per-room channels, 0.12.0)."""
OLDEST_POSTGRES: Final = 17
"""Oldest major version of Postgres that has the locale provider which the data folder is made with."""
OLDEST_GATEWAY: Final = (2, 9)
"""Oldest Caddy that knows all of the gateway's configuration (``storage_clean_interval off``)."""

_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
# The first component is a host only if it looks like one; else capital letters would pass in it.
_REGISTRY: Final = rf"(?:localhost|{_LABEL}(?:\.{_LABEL})+|{_LABEL}(?=:)|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?P<repository>(?P<registry>{_REGISTRY}(?=/))?(?(registry)/){_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}))?",
    re.ASCII,
)
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image reference taken apart.

    Attributes:
        repository: Everything before tag and digest, as written: ``docker.io/valkey/valkey``.
        tag: The tag; ``latest`` where none is written, as Docker does.
        digest: ``sha256:...``, or empty.
        registry: Host of the registry; ``docker.io`` where none is written, as Docker does.
    """

    repository: str
    tag: str
    digest: str
    registry: str

    @property
    def name(self) -> str:
        """Last component of the repository: the software, whatever registry or mirror it is named from."""
        return self.repository.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse(text: str) -> Reference:
    """Take an image reference apart.

    Raises:
        Invalid: Docker would not take it.

    Source: https://github.com/distribution/reference/blob/main/reference.go and normalize.go
    """
    match = _REFERENCE.fullmatch(text)
    if match:
        repository, registry = match["repository"], match["registry"]
        # As Docker completes it.
        whole = repository if registry else f"docker.io/{repository if '/' in repository else f'library/{repository}'}"
        # What could be an image's id is none's name.
        if len(whole) <= _LONGEST_NAME and not re.fullmatch(r"[a-f0-9]{64}", repository):
            return Reference(
                repository=repository,
                tag=match["tag"] or "latest",
                digest=match["digest"] or "",
                registry=registry or "docker.io",
            )
    raise Invalid("this is not an image reference")


def parse_pinned(text: str) -> Reference:
    """Take an image reference with a tag or a digest apart.

    Raises:
        Invalid: It has neither, or Docker would not take it.
    """
    reference = parse(text)
    if text == reference.repository:
        raise Invalid("a tag or a digest is missing, so the image could be any", f"{text}:TAG")
    return reference


def valkey_image(value: str) -> str:
    """An image reference, of none of those that have no ``valkey-server``."""
    name = parse(value).name
    if re.match(r"redis|keydb|dragonfly", name):
        raise Invalid(
            f"an image of {name} has no valkey-server. Name Valkey's (it reads the data of Redis up to 7.2); or name a "
            "Redis that runs elsewhere in valkeyUrl"
        )
    parse_pinned(value)
    return value


def postgres_image(value: str) -> str:
    """An image reference of Postgres that names no major version older than 17."""
    parse_pinned(value)
    major = postgres_major(value)
    if 0 < major < OLDEST_POSTGRES:
        raise Invalid(
            f"it is Postgres {major}, and {OLDEST_POSTGRES} or later is needed, for the locale provider `builtin`"
        )
    return value


def postgres_major(reference: str) -> int:
    """The major version that a tag of pgvector (``0.8.7-pg17``) or Postgres (``17.5``) names; 0 where it names none."""
    found = parse(reference)
    named = re.search(r"(?:^|-)pg(\d+)", found.tag) or (found.name == "postgres" and re.match(r"(\d+)", found.tag))
    return int(named[1]) if named else 0


def gateway_image(value: str) -> str:
    """An image reference that names no version of Caddy older than 2.9; one of another name has versions of its own."""
    reference = parse_pinned(value)
    if reference.name == "caddy" and () < release(reference.tag)[:2] < OLDEST_GATEWAY:
        raise Invalid("Caddy before 2.9 does not know all of the gateway's configuration")
    return value


UNSUPPORTED: Final = {
    "ollama": "starts an Ollama beside Open WebUI, which the memory limit would kill and replicas could not share. Run "
    "Ollama by itself, and name it in OLLAMA_BASE_URL",
    "cuda": "computes on a graphics card that no container here is given, and is three times the size without one",
}
"""Variants of Open WebUI's image, by how a word of their tags begins, and why they cannot be deployed."""


def open_webui_image(value: str) -> str:
    """An image reference of Open WebUI that names no release older than 0.12.0, and no variant that cannot work."""
    reference = parse_pinned(value)
    words = reference.tag.split("-")
    for variant, reason in UNSUPPORTED.items():
        if any(word.startswith(variant) for word in words):
            plain = "-".join(word for word in words if not word.startswith(variant)) or "main"
            raise Invalid(f"the image for {variant} {reason}", f"{reference.repository}:{plain}")
    if too_old(reference.tag):
        raise Invalid("Open WebUI before 0.12.0 sends its events another way, which the verification cannot prove")
    return value


def floats(reference: str) -> bool:
    """Whether an image reference names whatever is newest, such as ``main``, ``8-alpine`` or ``v0.12``.

    A digest or a full version names one image (two numbers are a full version of Postgres), and so does a commit.
    """
    found = parse(reference)
    numbers = 2 if found.repository.endswith("postgres") else 3
    names_one = re.match(rf"v?\d+(\.\d+){{{numbers - 1}}}|(git|sha)-[0-9a-f]{{7}}", found.tag)
    return not (found.digest or names_one)


_RELEASE: Final = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[^\d.].*)?")


def release(version: str) -> tuple[int, ...]:
    """The three numbers of a release that a tag or a label names; none for ``main`` and the like."""
    found = _RELEASE.fullmatch(version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def too_old(version: str) -> bool:
    """Whether a tag or a label names a release of Open WebUI before 0.12.0; ``main`` and the like name none."""
    return () < release(version) < OLDEST_OPEN_WEBUI


def is_slim(reference: str) -> bool:
    """Whether a reference names Open WebUI's image without machine learning: ``slim``, ``main-slim``, ``v0.12.4-slim``.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/.github/workflows/docker.yaml
    """
    return "slim" in parse(reference).tag.split("-")
