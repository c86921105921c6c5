"""Where images built on this machine are not the official ones: the one table of it, and what may differ at all.

An item of a contract names the difference it is allowed for. docs/images.md shows the table; the report names its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from docker_access import labels


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that a local build does not do as the official image.

    Attributes:
        image: Names of the images it is about, as people say them.
        what: What is different.
        why: Why it must be.
        label: Only of a local build that has this label; empty for all.
    """

    image: str
    what: str
    why: str
    label: str = ""


DIFFERENCES: Final = {
    "local-models": Difference(
        image="Open WebUI",
        what="no local embeddings, reranking, speech recognition or OCR, and no models in the data folder",
        why="5 GB of machine learning libraries, and models that no package index has. Documents need a remote engine, "
        "such as RAG_EMBEDDING_ENGINE=openai; without one, uploading them fails and says so.",
    ),
    "document-tools": Difference(
        image="Open WebUI",
        what="no ffmpeg, pandoc, git or compiler: recordings above 20 MB and speech that is no MP3 fail with any "
        "engine, as do documents that need pandoc (EPUB, ODT) and tools whose packages are compiled",
        why="1 GB of packages. With a remote engine for speech, BYPASS_PYDUB_PREPROCESSING=true passes audio on "
        "unchanged.",
    ),
    "requirements": Difference(
        image="Open WebUI",
        what="what the package index's open-webui[postgres] depends on: no Playwright, no unstructured, no clients of "
        "vector databases but Chroma, pgvector and OpenSearch, no OpenTelemetry instrumentation",
        why="the image's own list of requirements, another one, is for what the rows above leave out too.",
    ),
    "python": Difference(
        image="Open WebUI",
        what="Python of the distribution, 3.11 (Debian) or 3.12 (Ubuntu), in place of the Python image's 3.12",
        why="Debian has no 3.12; Open WebUI supports both.",
    ),
    "bytecode": Difference(
        image="Open WebUI",
        what="compiled to bytecode: boots and migrates quicker than the official image",
        why="asked for, by BYTECODE=1.",
        label=labels.LOCAL_BYTECODE,
    ),
    "debian": Difference(
        image="Valkey, Caddy",
        what="Debian with glibc in place of Alpine with musl",
        why="built from Debian's or Ubuntu's packages. The programs that the deployment runs are there.",
    ),
    "debian-valkey": Difference(
        image="Valkey",
        what="the distribution's package: no VALKEY_DOWNLOAD_URL, and protected mode is turned off by the entry point "
        "and not in the program",
        why="nothing is compiled here; it differs only where the entry point is bypassed.",
    ),
    "debian-postgres": Difference(
        image="Postgres",
        what="the distribution's packages in place of postgresql.org's",
        why="its mirror is the one that is reached.",
    ),
    "jit": Difference(
        image="Postgres",
        what="no just-in-time compilation of queries",
        why="LLVM, 150 MB; the server goes on without.",
    ),
    "pg-wrapper": Difference(
        image="Postgres",
        what="no pg_wrapper: psql and the like are the programs themselves",
        why="Debian's way to run versions side by side needs Perl, 50 MB, and chooses among one.",
    ),
    "initdb-scripts": Difference(
        image="Postgres",
        what="no docker-ensure-initdb.sh and docker-enforce-initdb.sh",
        why="examples of the official image for Kubernetes and CI, which the entry point does not use.",
    ),
    "stands-in": Difference(
        image="Valkey, Postgres",
        what="another patch version than the tag names, of the same minor version; `make up` says which",
        why="a mirror has one patch version of each release.",
        label=labels.STANDS_IN_FOR,
    ),
}
"""By name."""

_CALLED: Final = {"open-webui": "Open WebUI", "valkey": "Valkey", "pgvector": "Postgres", "caddy": "Caddy"}


def difference_names(image: str, image_labels: Mapping[str, str]) -> list[str]:
    """Names of the differences that a local build has, by the name of its recipe and its labels."""
    return [
        name
        for name, known in DIFFERENCES.items()
        if _CALLED[image] in known.image.split(", ") and (not known.label or image_labels.get(known.label))
    ]


def table() -> str:
    """The differences in Markdown."""
    rows = [f"| `{name}` | {known.image} | {known.what} | {known.why} |" for name, known in DIFFERENCES.items()]
    return "\n".join(["| in the report | image | a local build has | why |", "|---|---|---|---|", *rows])
