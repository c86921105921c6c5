"""Asks Docker: inspect, logs and bounded exec. The only module that talks to a daemon.

The daemon is the one ``DOCKER_HOST`` names, with ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``, as for ``docker``.
"""

from __future__ import annotations

import json
import socket
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import docker.errors
import requests

from docker_access import daemon, elsewhere, labels
from docker_access.background import bounded
from docker_access.client import api_client, failure_text
from docker_access.commands import files_in, run_inside, through
from docker_access.versions import TooNewError
from verification.checks.causes import Cause
from verification.evidence.container import Container, Image
from verification.inside.load import MOST, on_busy_host

API_SECONDS: Final = 30
"""How long Docker may take for one answer: on a machine at its limit it took more than ten seconds for a small file."""
LOG_LINES: Final = 20
MOST_BYTES: Final = 1 << 20
"""Of files with secrets, all in one folder together."""


class CouldNotAsk(Exception):  # noqa: N818 - it is an outcome of the verification, not a programming error
    """Nothing could be verified: by which cause, what was seen, and the way out."""

    def __init__(self, cause: Cause, seen: str, fix: str) -> None:
        super().__init__(f"{seen}\n{fix}")
        self.cause, self.seen, self.fix = cause, seen, fix


@dataclass(frozen=True, kw_only=True)
class Executed:
    """Outcome of a command run inside a container.

    Attributes:
        problem: Empty, or why it has no output: ``paused``, ``not-running``, ``timeout``, ``failed``.
        exit_code: Its exit code; 0 when it did not run.
        output: Standard output.
        error: Standard error, or Docker's words.
    """

    problem: str = ""
    exit_code: int = 0
    output: str = ""
    error: str = ""

    def answer(self) -> dict[str, Any]:
        """The JSON object in the last line of the output; raises ValueError where there is none."""
        *_, last = ["", *self.output.strip().splitlines()]
        answer = json.loads(last)
        if not isinstance(answer, dict):
            raise ValueError(f"{type(answer).__name__} instead of an object")  # noqa: TRY004 - not there, either way
        return answer

    @property
    def complaint(self) -> str:
        """The exit code and the last words, of a command that gave no answer."""
        return f"exit code {self.exit_code}: {(self.error or self.output).strip()[-300:]}"


class DockerView:
    """A Docker daemon, looked at through short calls.

    Raises:
        CouldNotAsk: The daemon does not answer.
    """

    def __init__(self) -> None:
        try:
            self._api = api_client(API_SECONDS)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise unreachable(error) from None

    def close(self) -> None:
        """Close the connections to the daemon."""
        self._api.close()

    def names(self) -> list[str]:
        """Names of all containers, running or not."""
        return sorted(
            name.lstrip("/") for item in self._require_answer(self._api.containers, all=True) for name in item["Names"]
        )

    def container(self, name: str) -> Container:
        """One container; its ``inspect`` is empty when there is none of that name."""
        return Container(name=name, inspect=self._inspected(self._api.inspect_container, name))

    def siblings(self, container: Container) -> list[str]:
        """Names of running containers of the same stack and role; none where no stack of this project has made it."""
        if not container.is_own:
            return []
        same = {key: container.labels[key] for key in (labels.PROJECT, labels.STACK, labels.ROLE)}
        found = self._require_answer(self._api.containers, filters=labels.filters(same))
        names = {name.lstrip("/") for item in found for name in item["Names"]}
        return sorted(names - {container.name})

    def labelled(self, wanted: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Names of the containers, running or not, and of the networks that carry these labels."""
        filters = labels.filters(wanted)
        containers = self._require_answer(self._api.containers, all=True, filters=filters)
        networks = self._require_answer(self._api.networks, filters=filters)
        found = {name.lstrip("/") for item in containers for name in item["Names"] if name.count("/") == 1}
        return sorted(found), sorted(str(item["Name"]) for item in networks)

    def network(self, name_or_id: str) -> dict[str, Any]:
        """What ``docker network inspect`` shows; empty where there is none."""
        return self._inspected(self._api.inspect_network, name_or_id)

    def volume(self, name: str) -> dict[str, Any]:
        """What ``docker volume inspect`` shows; empty where there is none."""
        return self._inspected(self._api.inspect_volume, name)

    def image_named(self, reference: str) -> dict[str, Any]:
        """What ``docker image inspect`` shows of an image by reference or id; empty where there is none."""
        return self._inspected(self._api.inspect_image, reference)

    def _inspected(self, call: Any, name: str) -> dict[str, Any]:
        try:
            return dict(self._require_answer(call, name))
        except docker.errors.NotFound:
            return {}

    def image(self, container: Container) -> Image | None:
        """The image a container was made from, or None when it is gone."""
        try:
            found = self._ask(self._api.inspect_image, container.inspect["Image"])
        except (docker.errors.APIError, KeyError):
            return None
        found_labels = (found.get("Config") or {}).get("Labels") or {}
        built = found_labels.get(labels.LOCAL_BUILD, "")
        return Image(
            reference=container.inspect["Config"]["Image"],
            id=found["Id"],
            version=found_labels.get(labels.IMAGE_VERSION, ""),
            # Docker's containerd store gives what was imported or loaded a RepoDigest too.
            origin=_origin(built, found_labels.get(labels.LOCAL_DIFFERS, "")),
        )

    def internal(self, network: str) -> bool:
        """Whether a network has no way out of this host; False where there is none of that name."""
        try:
            return bool(self._ask(self._api.inspect_network, network)["Internal"])
        except docker.errors.APIError:
            return False

    def read_file(self, name: str, path: str) -> str | None:
        """Text of a file in a container, whatever is or is not installed there; None where there is no such file."""
        return next(iter(self.read_files(name, path)), None)

    def read_files(self, name: str, path: str) -> list[str]:
        """Texts of a file, or of all files below a folder, in a container that need not run.

        None where there is no such file, and where one is larger than any that somebody wrote.
        """
        try:
            return list(self._ask(files_in, self._api, name, path, MOST_BYTES))
        except (docker.errors.APIError, tarfile.TarError):
            return []

    def log_tail(self, name: str) -> tuple[str, ...]:
        """Last lines of a container's log; empty when the log driver cannot be read."""
        try:
            text = self._ask(self._api.logs, name, tail=LOG_LINES)
        except docker.errors.APIError:
            return ()
        return tuple(text.decode(errors="replace").splitlines())

    def last_exit(self, container: Container) -> int | None:
        """Exit code of the run before the present one; None when the daemon no longer remembers.

        ``inspect`` says 0 while the container runs again, so the daemon's events are read, of which it keeps 256:
        https://docs.docker.com/reference/cli/docker/system/events/
        """
        filters = {"container": container.inspect["Id"], "event": "die"}
        until = int(started(container)) + 1

        def search() -> int | None:
            events = list(self._api.events(since=1, until=until, filters=filters, decode=True))
            return int(events[-1]["Actor"]["Attributes"]["exitCode"]) if events else None

        try:
            return bounded(search, API_SECONDS)
        except (docker.errors.APIError, requests.RequestException, TimeoutError):
            return None

    def logged(self, container: Container, line: str, *, within_seconds: int) -> bool | None:
        """Whether a line was logged soon after the container's last start; None when the log cannot be read."""
        start = int(started(container))

        def search() -> bool:
            return line.encode() in self._api.logs(container.name, since=start - 1, until=start + within_seconds)

        try:
            return bounded(search, API_SECONDS)
        except (docker.errors.APIError, requests.RequestException, TimeoutError):
            return None

    def execute(
        self, name: str, command: list[str], *, seconds: float, environment: Mapping[str, str] | None = None
    ) -> Executed:
        """Run a command inside a container, as :func:`run_inside` does.

        For ``seconds`` at the most, more on a busy host; how busy another host is only its containers see.
        """
        seconds = on_busy_host(seconds) if daemon.kind() == "local" else seconds * MOST
        try:
            ran = bounded(lambda: run_inside(self._api, name, command, environment=environment), seconds)
            return Executed(exit_code=ran.exit_code, output=ran.output, error=ran.error)
        except TimeoutError:
            return Executed(problem="timeout", error=f"no answer within {seconds:.0f} s")
        except docker.errors.APIError as error:
            words = str(error.explanation or error)
            problem = "paused" if "is paused" in words else "not-running" if "not running" in words else "failed"
            return Executed(problem=problem, error=words)
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            return Executed(problem="failed", error=str(error))

    @contextmanager
    def through(self, name: str, host: str, port: int) -> Iterator[socket.socket]:
        """A TCP connection from inside a container of Open WebUI, as :func:`docker_access.commands.through` makes it.

        Raises:
            OutOfReach: Docker does not get there.
            OSError: Nobody listens there, or the connection ended.
        """
        try:
            with through(self._api, name, host, port) as connection:
                yield connection
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise daemon.OutOfReach(f"{name}: {failure_text(error)}") from error

    def _ask(self, call: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except docker.errors.APIError:  # a RequestException too, and an answer
            raise
        except requests.RequestException as error:
            raise unreachable(error) from None

    def _require_answer(self, call: Any, *arguments: Any, **options: Any) -> Any:
        """Ask what Docker can answer as long as it works; that there is none of that name is such an answer."""
        try:
            return self._ask(call, *arguments, **options)
        except docker.errors.NotFound:
            raise
        except docker.errors.APIError as error:
            raise unreachable(error) from None


def _origin(built: str, differs: str) -> str:
    """Where an image comes from, and in what a local build is not as the official one."""
    if not built:
        return "not built here"
    differences = f", not as the official image in {differs} (docs/images.md)" if differs else ""
    return f"built locally from {built}{differences}"


def started(container: Container) -> float:
    """When a container was last started, in seconds since 1970 by the clock of its daemon."""
    return datetime.fromisoformat(container.state["StartedAt"]).timestamp()


def unreachable(error: Exception) -> CouldNotAsk:
    """Docker does not answer, or not in a version of its API that was tried."""
    if isinstance(error, TooNewError):
        return CouldNotAsk("docker-unreachable", *str(error).split(" Way out: "))
    where = daemon.address() or "its default socket"
    return CouldNotAsk(
        "docker-unreachable",
        f"Docker does not answer at {where}: {' '.join(failure_text(error).split())[:400]}",
        elsewhere.way_out()
        or "start it (`systemctl start docker`) or point DOCKER_HOST at a daemon that answers `docker version`",
    )
