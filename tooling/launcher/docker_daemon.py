"""Docker: used if it answers, else installed from the distribution and started, with or without systemd.

Where people have another Docker that nobody named, nothing is installed or started: a message says how to name it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import docker
import docker.errors
import requests.exceptions

from docker_access import daemon, elsewhere
from docker_access.client import docker_client, failure_text
from docker_access.logins import LoginError
from docker_access.polling import poll
from docker_access.versions import TooNewError, engine_of, engine_refusal
from tooling.errors import ToolError
from tooling.launcher.consent import agreed, at_a_terminal
from tooling.machine.host import apt_install, root_prefix, run
from tooling.machine.progress import progress, say
from tooling.machine.uv import CACHE

CALL_SECONDS: Final = 900
"""Timeout of one call: the import of an image answers only at its end."""
START_SECONDS: Final = 60
_SERVICE_SECONDS: Final = 15
_LOG: Final = CACHE / "dockerd.log"
_SOCKET: Final = Path("/var/run/docker.sock")
_POLL_SECONDS: Final = 0.3


def ensure_docker() -> docker.DockerClient:
    """A client of a Docker daemon that answers.

    Raises:
        ToolError: There is none and none can be started, or what answers is no Docker.
    """
    client, failure = _connect()
    if client is None:
        if os.environ.get("DOCKER_HOST"):
            raise ToolError(
                f"Docker does not answer at DOCKER_HOST={daemon.address()}: {failure}\n"
                "Start that one, or unset DOCKER_HOST to use Docker on this machine."
            )
        _refuse_beside_another(failure)
        if _SOCKET.exists() and not os.access(_SOCKET, os.W_OK):
            raise ToolError(_no_permission())
        how = _install_if_missing()
        client = _start()
        say(f"docker: {how} {_engine_and_version(client.version())}")
    else:
        at = "" if daemon.kind() == "local" else f" at {daemon.address()}"
        answer = client.version()
        say(f"docker: {_engine_and_version(answer)} answers{at}")
        if why := engine_refusal(answer):
            raise ToolError(why)
        if other := elsewhere.of_context():
            say(f"docker: {other.what} is not used; to use its Docker: {other.line}")
    return client


def _engine_and_version(answer: Mapping[str, Any]) -> str:
    return f"{engine_of(answer)} {answer['Version']}"


def _refuse_beside_another(failure: str) -> None:
    """Stop where there is a Docker that nobody named: another one beside it would have none of its containers.

    Raises:
        ToolError: There is one, or Podman and no Docker that could be started.
    """
    context = elsewhere.of_context()
    other = context or elsewhere.of_a_user()
    # A socket that nobody may write to is a Docker's; one that may be is what is left of whatever listened there.
    docker_is_here = _dockerd() or (_SOCKET.exists() and not os.access(_SOCKET, os.W_OK))
    if other is None or (other.what == elsewhere.PODMAN and docker_is_here):
        return
    where = other.variables.get("DOCKER_HOST", "")
    begin = (
        f"Docker does not answer at {_SOCKET} ({failure}), and {other.what} is here{f' at {where}' if where else ''}"
    )
    if other.what == elsewhere.PODMAN:
        raise ToolError(
            f"{begin}. This project was not tried on Podman, and installs no Docker beside it. Install Docker Engine "
            "yourself (https://docs.docker.com/engine/install), or set DOCKER_HOST to one that runs."
        )
    forget = f"`rm {where.removeprefix('unix://')}`"
    if context:
        forget = "`unset DOCKER_CONTEXT`" if os.environ.get("DOCKER_CONTEXT") else "`docker context use default`"
    raise ToolError(
        f"{begin}. Nothing is installed or started beside it. If it is gone for good: {forget}. To use it, "
        f"see that it runs (`docker version`), then:\n  {other.line}"
    )


def _connect() -> tuple[docker.DockerClient | None, str]:
    """A client, or None with why Docker does not answer; one that answers and is too new is nothing to start."""
    try:
        client = docker_client(CALL_SECONDS)
        client.ping()
    except (TooNewError, LoginError) as error:
        raise ToolError(str(error)) from None
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        return None, failure_text(error)
    return client, ""


def _no_permission() -> str:
    return (
        f"user {os.environ.get('USER') or os.geteuid()} may not talk to Docker ({_SOCKET}). Run `sudo usermod --append "
        "--groups docker $USER`, then log in again; or run make as root."
    )


def _install_if_missing() -> str:
    if _dockerd():
        return "started"
    _ask_to_install()
    failure = apt_install("docker.io")
    if failure:
        raise ToolError(
            f"Docker is not installed and could not be installed: {failure}\n"
            "Install Docker Engine (https://docs.docker.com/engine/install), or set DOCKER_HOST to one that runs."
        )
    if not shutil.which("docker"):
        # A package of its own from Debian 13 on. People want it; nothing here depends on it.
        apt_install("docker-cli")
    return "installed and started"


def _ask_to_install() -> None:
    """Say what installing means, and ask the user at a terminal; ``YES=1`` is the answer beforehand.

    Raises:
        ToolError: The answer is no.
    """
    say(
        "docker: not installed. As root, `apt-get install docker.io` installs the distribution's Docker: a daemon that "
        "runs as root and starts with the machine. No package is removed."
    )
    if os.environ.get("YES") != "1" and at_a_terminal() and not agreed("Install it?"):
        raise ToolError("Docker was not installed. Set DOCKER_HOST to one that runs, or answer y (YES=1).")


def _dockerd() -> str | None:
    return shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")


def _start() -> docker.DockerClient:
    prefix = root_prefix()
    if prefix is None:
        raise ToolError(
            "Docker is installed and not running; starting it needs root, or sudo without a password. "
            "Run `sudo systemctl start docker` (or `sudo service docker start`), then this again."
        )
    with progress("docker: starting") as stage:
        for command in _services():
            stage.text = " ".join(command)
            if not run([*prefix, *command]):
                client = _wait(_SERVICE_SECONDS, lambda: True)
                if client:
                    return client
        stage.text = "dockerd in the background"
        return _start_dockerd(prefix)


def _services() -> list[list[str]]:
    """How the machine's own init starts Docker, if it has one that would."""
    if Path("/run/systemd/system").is_dir():
        return [["systemctl", "start", "docker"]]
    if Path("/etc/init.d/docker").exists() and shutil.which("service"):
        return [["service", "docker", "start"]]
    return []


def _start_dockerd(prefix: list[str]) -> docker.DockerClient:
    _LOG.parent.mkdir(parents=True, exist_ok=True)
    with _LOG.open("wb") as log:
        # A session of its own: Ctrl-C of this command is not for the daemon, which stays.
        daemon = subprocess.Popen(
            [*prefix, _dockerd() or "dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    client = _wait(START_SECONDS, lambda: daemon.poll() is None)
    if client:
        return client
    ended = daemon.poll()
    what = f"ended with exit code {ended}" if ended is not None else f"did not answer within {START_SECONDS} s"
    last = "\n  ".join(_LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
    raise ToolError(
        f"dockerd {what}. The end of {_LOG.relative_to(CACHE.parent)}:\n  {last}\n"
        "In a container Docker needs --privileged. Correct what the log names, start Docker, or set DOCKER_HOST."
    )


def _wait(seconds: float, alive: Callable[[], bool]) -> docker.DockerClient | None:
    """A client once Docker answers; None where it does not in time, or is no longer ``alive``."""
    for _ in poll(seconds, every_seconds=_POLL_SECONDS):
        client, _failure = _connect()
        if client:
            return client
        if _SOCKET.exists() and not os.access(_SOCKET, os.W_OK) and os.geteuid() != 0:
            raise ToolError(_no_permission())
        if not alive():
            break
    return None
