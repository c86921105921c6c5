"""Versions of Docker: which were tried, and in which version of its API one is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from docker.errors import DockerException

TRIED: Final = ("20.10", "26.1", "29.7")
"""Versions that the tests were run on, oldest first; docs/docker-versions.md says how, and what came of it."""

NEWEST_API: Final = "1.55"
"""Newest version of the API that was tried, the one of the last of :data:`TRIED`.

A daemon is asked in no newer one, where something that is read here may be gone.
Source: https://docs.docker.com/reference/api/engine/version-history/
"""


class TooNewError(DockerException):
    """This Docker has given up every version of its API that was tried."""


def api_to_ask_in(told: Mapping[str, Any]) -> str:
    """The newest version of the API that a daemon speaks and that was tried.

    Args:
        told: What the daemon answers to ``GET /version``.

    Raises:
        TooNewError: It speaks newer ones alone.
        KeyError: It names none.
        ValueError: What it names is no version.
    """
    newest, oldest = str(told["ApiVersion"]), str(told.get("MinAPIVersion") or told["ApiVersion"])
    if _numbers(oldest) > _numbers(NEWEST_API):
        raise TooNewError(
            f"Docker {told.get('Version')} speaks versions {oldest} to {newest} of its API, and this project up to "
            f"{NEWEST_API}. Way out: a release of this project that was tried with it, or an older Docker (tried: "
            f"{', '.join(TRIED)})."
        )
    return min(newest, NEWEST_API, key=_numbers)


def engine_of(told: Mapping[str, Any]) -> str:
    """The engine's name: ``Docker Engine``, or another's that answers in its place, such as ``Podman Engine``.

    Args:
        told: What the daemon answers to ``GET /version``.
    """
    name = next((str(part["Name"]) for part in told.get("Components") or () if part.get("Name")), "Engine")
    return "Docker Engine" if name == "Engine" else name


def refused(told: Mapping[str, Any]) -> str:
    """Why an engine that answers in Docker's place is not deployed on, with the way out; empty for any other.

    Args:
        told: What the daemon answers to ``GET /version``.
    """
    engine = engine_of(told)
    if not engine.startswith("Podman"):
        return ""
    return (
        f"{engine} {told.get('Version')} answers in Docker's place. Its networks, rights and logs are others than "
        "Docker's, so an update would end half-way; this project was not tried on it. Name Docker's (DOCKER_HOST)."
    )


def untried(told: Mapping[str, Any]) -> str:
    """What is to be said of a Docker that is older or newer than those tried, or another engine; else empty.

    Args:
        told: What the daemon answers to ``GET /version``.
    """
    version = str(told.get("Version") or "of no known version")
    engine = engine_of(told).removeprefix("Docker ")
    found = re.match(r"(\d+)\.(\d+)", version)
    if engine != "Engine":
        what = f"{engine} {version} answers in Docker's place"
    elif found and _numbers(TRIED[0]) <= _numbers(found[0]) < (int(TRIED[-1].partition(".")[0]) + 1,):
        return ""
    else:
        what = f"Docker {version} is here"
    return f"{what}, and this project was tried on Docker {', '.join(TRIED)} only: what fails may be due to that."


def _numbers(version: str) -> tuple[int, ...]:
    """As numbers: 1.9 comes before 1.41."""
    return tuple(int(number) for number in version.split("."))
