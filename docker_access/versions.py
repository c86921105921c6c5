"""Versions of Docker: those that were tried, and the version of the API in which a daemon is asked.

Everywhere ``answer`` is what the daemon answers to ``GET /version``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from docker.errors import DockerException

TRIED: Final = ("20.10", "26.1", "29.7")
"""Versions that the tests were run on, oldest first; docs/docker-versions.md says how, and what came of it."""

NEWEST_API: Final = "1.55"
"""Newest version of the API that was tried, the one of the last of :data:`TRIED`.

A daemon is not asked in a newer version, in which something that is read here may be gone.
Source: https://docs.docker.com/reference/api/engine/version-history/
"""


class TooNewError(DockerException):
    """This Docker does not speak any version of its API that was tried."""


def api_to_ask_in(answer: Mapping[str, Any]) -> str:
    """The newest version of the API that a daemon speaks and that was tried.

    Raises:
        TooNewError: It speaks only newer ones.
        KeyError: It names none.
        ValueError: It names something else than a version.
    """
    newest, oldest = str(answer["ApiVersion"]), str(answer.get("MinAPIVersion") or answer["ApiVersion"])
    if _numbers(oldest) > _numbers(NEWEST_API):
        raise TooNewError(
            f"Docker {answer.get('Version')} speaks versions {oldest} to {newest} of its API, and this project up to "
            f"{NEWEST_API}. Way out: a release of this project that was tried with it, or an older Docker (tried: "
            f"{', '.join(TRIED)})."
        )
    return min(newest, NEWEST_API, key=_numbers)


def engine_of(answer: Mapping[str, Any]) -> str:
    """The engine's name: ``Docker Engine``, or another's that answers in its place, such as ``Podman Engine``."""
    name = next((str(part["Name"]) for part in answer.get("Components") or () if part.get("Name")), "Engine")
    return "Docker Engine" if name == "Engine" else name


def engine_refusal(answer: Mapping[str, Any]) -> str:
    """Why nothing is deployed on an engine that answers in Docker's place, with the way out; else empty."""
    engine = engine_of(answer)
    if not engine.startswith("Podman"):
        return ""
    return (
        f"{engine} {answer.get('Version')} answers in Docker's place. Its networks, rights and logs differ from "
        "Docker's, so an update would fail half-way; this project was not tried on it. Name Docker's (DOCKER_HOST)."
    )


def version_advice(answer: Mapping[str, Any]) -> str:
    """Advice for a Docker that is older or newer than those that were tried, or for another engine; else empty."""
    version = str(answer.get("Version") or "of no known version")
    engine = engine_of(answer).removeprefix("Docker ")
    found = re.match(r"(\d+)\.(\d+)", version)
    if engine != "Engine":
        what = f"{engine} {version} answers in Docker's place"
    elif found and _numbers(TRIED[0]) <= _numbers(found[0]) < (int(TRIED[-1].partition(".")[0]) + 1,):
        return ""
    else:
        what = f"Docker {version} is here"
    return f"{what}, and this project was tried on Docker {', '.join(TRIED)} only: what fails may be due to that."


def _numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 1.9 comes before 1.41."""
    return tuple(int(number) for number in version.split("."))
