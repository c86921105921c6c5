"""Looks at an image: at its configuration and its files, and at throw-away containers of it without a network."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import docker
import docker.errors
import requests.exceptions
from docker.models.containers import Container
from docker.models.images import Image

from docker_access import labels
from docker_access.commands import run_inside
from docker_access.polling import poll
from tooling.images.archive import ABSENT, Files
from tooling.images.contract_file import Contract, Item, as_text
from tooling.machine.progress import Stage

READY_SECONDS: Final = 60
"""How long a container may take until it answers, where its contract does not say."""
EXIT_SECONDS: Final = 30
"""How long a container may take that is to end by itself."""
_NOT_SET: Final = "not set"


class Examination:
    """One image under examination; ``stage`` tells people what is going on."""

    def __init__(self, client: docker.DockerClient, image: Image, stage: Stage) -> None:
        self._client = client
        self._image = str(image.id)
        self._config: dict[str, Any] = image.attrs["Config"]
        self._local = labels.LOCAL_BUILD in (image.labels or {})
        self._stage = stage
        self.environment = dict(entry.split("=", 1) for entry in self._config.get("Env") or [])

    def all(self, contract: Contract, cases: Collection[str] | None) -> Iterator[tuple[Item, str]]:
        """Every item with what the image has."""
        yield from self._configuration(contract)
        self._stage.text = "reading its files"
        yield from self._files(contract, self._read_files())
        for case in contract.content.get("containers") or []:
            if cases is None or case["what"] in cases:
                self._stage.text = f"running it: {case['what']}"
                yield from self._container(contract, case)

    def _configuration(self, contract: Contract) -> Iterator[tuple[Item, str]]:
        for key, entry in contract.section("config").items():
            yield contract.item(key, entry), as_text(self._setting(key))
        expected = contract.section("environment")
        for name, entry in expected.items():
            yield (
                contract.item(f"variable {name}", entry),
                as_text(self.environment[name]) if name in self.environment else _NOT_SET,
            )
        further = ", ".join(sorted(self.environment.keys() - expected.keys())) or "none"
        yield contract.item("further variables", {"source": next(iter(contract.sources))}, "none"), further

    def _setting(self, key: str) -> Any:
        value = self._config.get(key)
        if key == "Healthcheck":
            value = (value or {}).get("Test")
        return sorted(value) if isinstance(value, dict) else value

    def _read_files(self) -> Files:
        container = self._client.containers.create(self._image, ["true"], network_mode="none")
        try:
            content: Any = container.export()  # typed as text, and is bytes
            files = Files(content)
            # What stands behind the archive's end is read too: a stream that is left keeps its connection.
            for _ in content:
                pass
            return files
        finally:
            container.remove(force=True, v=True)

    def _files(self, contract: Contract, files: Files) -> Iterator[tuple[Item, str]]:
        for path, entry in contract.section("paths").items():
            yield contract.item(path, entry), files.describe(path)
        for what, entry in contract.section("nowhere").items():
            if entry.get("only") != "local" or self._local:
                yield contract.item(what, entry, "nowhere"), files.matching(contract.filled(entry["is"])) or "nowhere"
        folders = self.environment.get("PATH", "").split(":")
        for name, entry in contract.section("programs").items():
            there = any(files.is_program(f"{folder}/{name}") for folder in folders)
            yield contract.item(f"program {name}", entry, "on PATH"), "on PATH" if there else "not on PATH"
        for name, entry in contract.section("users").items():
            yield contract.item(f"user {name}", entry), files.users.get(name, ABSENT)

    def _container(self, contract: Contract, case: Mapping[str, Any]) -> Iterator[tuple[Item, str]]:
        with self._running(case) as container:
            failure = self._wait_until_ready(container, case) if "ready" in case else ""
            log = "" if "ready" in case else self._ended(container)
            for what, entry in case["asks"].items():
                found = failure or (_ask(self._client, container, entry) if "run" in entry else log)
                yield contract.item(f"{case['what']}: {what}", entry), found

    @contextlib.contextmanager
    def _running(self, case: Mapping[str, Any]) -> Iterator[Container]:
        options: dict[str, Any] = {
            "network_mode": "none",
            "entrypoint": case.get("entrypoint"),
            "environment": case.get("environment"),
            "user": case.get("user"),
            "tmpfs": case.get("tmpfs"),
            # An image's own check would only be in the way.
            "healthcheck": {"test": ["NONE"]},
        }
        if case.get("bare"):
            options |= {"cap_drop": ["ALL"], "read_only": True, "security_opt": ["no-new-privileges"]}
            options["cap_add"] = case.get("capabilities")
        container = self._client.containers.create(self._image, case.get("command"), **options)
        try:
            with contextlib.suppress(docker.errors.APIError):
                # What cannot even be started has an exit code that says so.
                container.start()
            yield container
        finally:
            container.remove(force=True, v=True)

    def _wait_until_ready(self, container: Container, case: Mapping[str, Any]) -> str:
        """Empty once the container answers; else why it does not."""
        seconds = case.get("seconds", READY_SECONDS)
        for _ in poll(seconds, every_seconds=0.2):
            container.reload()
            if container.status != "running":
                return f"it does not run: {self._ended(container)}"
            if container.exec_run(case["ready"]).exit_code == 0:
                return ""
        return f"it did not answer within {seconds} s: {_log(container)}"

    def _ended(self, container: Container) -> str:
        try:
            code = container.wait(timeout=EXIT_SECONDS)["StatusCode"]
        except (requests.exceptions.RequestException, docker.errors.APIError):
            return f"it did not end within {EXIT_SECONDS} s: {_log(container)}"
        return f"exit {code}\n{_log(container)}"


def _ask(client: docker.DockerClient, container: Container, entry: Mapping[str, Any]) -> str:
    """What a command in a container prints; a failure of it too."""
    ran = run_inside(client.api, str(container.id), entry["run"], user=entry.get("as", ""))
    printed = f"{ran.output}{ran.error}".strip()
    return printed if ran.exit_code == 0 else f"exit {ran.exit_code}: {printed}"


def _log(container: Container) -> str:
    return container.logs(tail=40).decode(errors="replace").strip()
