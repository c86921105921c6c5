"""A Docker that answers from a table, and what the plugin recorded of real objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from docker.errors import APIError, NotFound
from requests import Response

from tests.engine.docker_examples import (
    CONTAINER,
    IMAGE_URN,
    NETWORK,
    VOLUME,
)
from tooling.engine.docker_provider import DockerProvider, container, network, remote_image, volume
from tooling.pulumi_files.values import Properties

MODULES: Final = {"container": container, "network": network, "volume": volume, "image": remote_image}
URNS: Final = {"container": CONTAINER, "network": NETWORK, "volume": VOLUME, "image": IMAGE_URN}
SMALL: Final[Properties] = {"name": "c", "image": "i:1"}


def recording(name: str) -> Any:
    return json.loads((Path(__file__).parent / "data" / f"docker_{name}.json").read_text())


def refusal(status: int, said: str) -> APIError:
    response = Response()
    response.status_code = status
    kind = NotFound if status == 404 else APIError
    return kind("refused", response, said)


class FakeApi:
    """Answers the client's calls from a table of values, functions and errors; remembers them."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.api_version = "1.44"

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            answer = self.answers.get(name)
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, Exception):
                raise answer
            return answer(*args, **kwargs) if callable(answer) else answer

        return call


def provider(api: FakeApi | None = None, told: list[str] | None = None) -> DockerProvider:
    made = DockerProvider(log=lambda _urn, line: (told if told is not None else []).append(line))
    made._docker._client = api or FakeApi()  # type: ignore[assignment]
    return made


def checked(urn: str, inputs: Properties) -> Properties:
    return provider().check(urn, None, inputs)


def healthy(inspect: Any) -> Any:
    return {**inspect, "State": {**inspect["State"], "Health": {"Status": "healthy", "FailingStreak": 0}}}


def inspected(health: str | None = "starting", **state: Any) -> Any:
    found = {"Running": True, "Restarting": False, "ExitCode": 0, "OOMKilled": False, **state}
    if health is not None:
        log = [{"ExitCode": 7, "Output": "no PONG\n"}]
        found["Health"] = {"Status": health, "FailingStreak": 3, "Log": log}
    return {"State": found, "RestartCount": state.get("restarts", 0), "Name": "/c"}


def finding(**changes: Any) -> tuple[FakeApi, Properties]:
    found = recording("container")
    inspect = healthy(found["inspect"])
    inspect["State"] |= changes.pop("State", {})
    inspect["Config"] |= changes.pop("Config", {})
    return FakeApi(inspect_container={**inspect, **changes}), found["inputs"]
