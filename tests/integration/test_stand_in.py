"""The stand-in for Open WebUI is held to the real application, so that what is judged on the one holds for the other.

Faults of the catalogue that are about the application's own reaction are judged on both: test_fault_catalogue.py.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis

from components.open_webui import panel
from components.open_webui.containers import MIGRATE
from docker_access import labels
from docker_access.client import docker_client
from docker_access.commands import run_inside
from docker_access.polling import Clock
from tests import stand_in
from tests.integration.hand_made import APP_IMAGE, PAIR_URL, PASSWORD, STAND_IN, Pair, silent
from verification.ask.docker_view import DockerView
from verification.ask.observe import observe
from verification.ask.readiness import wait_until_ready
from verification.checks import judge
from verification.evidence import Evidence
from verification.report.terminal import Report, as_text, report
from verification.subject import PublishedPort

pytestmark = pytest.mark.docker

ANSWERS = 'curl -s -w " %{http_code}" http://127.0.0.1:8080'
LIBRARIES = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
CONFIGURED = ("Cmd", "Entrypoint", "ExposedPorts", "Healthcheck", "StopSignal", "User", "Volumes", "WorkingDir")
EMIT = """\
import asyncio, os
from {} import {} as Manager
async def emit():
    manager = Manager(os.environ["WEBSOCKET_REDIS_URL"], write_only=True)
    await manager.emit("events", {{"data": 1}}, room="of-one")
    await manager.emit("events", {{"data": 1}})
    await manager.can_disconnect("a-socket-elsewhere", "/")
asyncio.run(emit())
"""
KEYS = "import json, open_webui.config as c; print(); print(json.dumps(list(c.DEFAULT_CONFIG)))"
MANAGERS = {
    APP_IMAGE: ("open_webui.socket.redis_room_channels", "AsyncRedisRoomChannelManager"),
    STAND_IN: ("open_webui.main", "RoomChannels"),
}


@pytest.fixture(scope="module")
def pairs() -> Iterator[tuple[Pair, Pair]]:
    """Open WebUI, and what stands in for it, each with a Valkey of its own."""
    with ExitStack() as undo, closing(docker_client()) as client:
        made = []
        for image in (APP_IMAGE, STAND_IN):
            made.append(Pair(client, image))
            undo.callback(made[-1].remove)
        yield made[0], made[1]


def verified(pair: Pair) -> tuple[Evidence, Report]:
    """What was seen of a pair that is asked everything a pair can be asked, and what is said of it."""
    door = PublishedPort(address=pair.address(pair.app), port=8080)
    subject = pair.subject(url=PAIR_URL, door=door, idle=True, expected={pair.app: {"Config.User": "0:0"}})
    with closing(DockerView()) as view:
        wait_until_ready(view, subject, silent, Clock())
        evidence = observe(view, subject, silent, Clock())
    return evidence, report(evidence, judge(evidence), 0)


def judgement(told: Report) -> list[tuple[str, ...]]:
    """What every check says, without its words."""
    return [(row["id"], row["class"], row["status"], row["cause"]) for row in told["checks"]]


def shape(value: Any) -> Any:
    """Keys and types of what was seen of the application; not of what Docker and Valkey say of themselves."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in {"expected", "info", "inspect"}}
    if isinstance(value, list | tuple):
        return sorted({json.dumps(shape(item), sort_keys=True) for item in value})
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def asked(pair: Pair, *command: str) -> str:
    """What a command prints in the app's container."""
    ran = run_inside(pair.client.api, pair.app, command)
    assert ran.exit_code == 0, ran
    return ran.output


def published(pair: Pair, image: str) -> list[tuple[str, Any]]:
    """Channel and message of what the app's own manager of sockets publishes."""
    with closing(redis.Redis(host=pair.address(pair.valkey), password=PASSWORD)) as client:
        listener = client.pubsub()  # type: ignore[no-untyped-call]
        listener.psubscribe("socketio*")
        asked(pair, "python3", "-c", EMIT.format(*MANAGERS[image]))
        heard: list[tuple[str, Any]] = []
        while message := listener.get_message(timeout=1):
            if message["type"] == "pmessage":
                heard.append((message["channel"].decode(), json.loads(message["data"])))
        listener.close()
    return [(channel, {**message, "host_id": len(message["host_id"])}) for channel, message in heard]


def places_in(pair: Pair, variables: list[str]) -> list[list[str]]:
    """The settings that variables say, as the one-shot of a deployment would read them in the image's own source."""
    program = "import json, sys; sys.path.insert(0, '/tmp'); from panel_fill import places; "
    program += "print(json.dumps([*places(open('/app/backend/open_webui/config.py').read(), sys.argv[1:])]))"
    folder = Path(panel.__file__ or "").parent
    for name in ("panel", "panel_fill"):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        asked(pair, "python3", "-c", f"open('/tmp/{name}.py', 'w').write({text!r})")
    found: list[list[str]] = json.loads(asked(pair, "python3", "-c", program, *variables))
    return found


def test_both_are_judged_alike_and_leave_evidence_of_the_same_shape(pairs: tuple[Pair, Pair]) -> None:
    (real, told), (other, told_of_other) = (verified(pair) for pair in pairs)

    assert told["verdict"] == "proved", as_text(told)
    # Without an account: seen on Valkey, of the process that serves people.
    assert "are sent and received by" in told["summary"], as_text(told)
    assert judgement(told) == judgement(told_of_other), as_text(told_of_other)
    assert shape(dataclasses.asdict(real)) == shape(dataclasses.asdict(other))


@pytest.mark.parametrize("path", ["/health", "/ready", "/api/version"])
def test_both_answer_the_same_at_a_path_that_is_asked(pairs: tuple[Pair, Pair], path: str) -> None:
    (body, status), (other, others_status) = (asked(pair, "sh", "-c", ANSWERS + path).rsplit(" ", 1) for pair in pairs)

    assert status == others_status
    assert shape(json.loads(body)) == shape(json.loads(other))


def test_both_publish_the_same_messages_on_the_same_channels(pairs: tuple[Pair, Pair]) -> None:
    messages = published(pairs[0], APP_IMAGE)

    assert [channel for channel, _ in messages] == ["socketio#/#of-one", "socketio", "socketio"]
    assert messages == published(pairs[1], STAND_IN)


def test_one_of_each_are_replicas_of_one_another(pairs: tuple[Pair, Pair]) -> None:
    pair = pairs[0]
    with pair.another_app("other", image=STAND_IN) as other:
        told = pair.verified(pair.app, other)

    assert told["verdict"] == "proved", as_text(told)


def test_both_images_have_the_same_configuration_libraries_and_data_folder(pairs: tuple[Pair, Pair]) -> None:
    images = [pair.client.images.get(pair.image) for pair in pairs]
    real, other = (
        {
            **{key: image.attrs["Config"].get(key) for key in CONFIGURED},
            "version": image.labels[labels.IMAGE_VERSION],
            "environment": {entry for entry in image.attrs["Config"]["Env"] if not entry.startswith("PYTHON_VERSION=")},
            "data folder": asked(pair, "stat", "-c", "%F %u:%g %a", "/app/backend/data", "/app/backend/data/cache"),
            "libraries": json.loads(asked(pair, "python3", "-c", LIBRARIES, *stand_in.LIBRARIES)),
        }
        for image, pair in zip(images, pairs, strict=True)
    )

    assert other == real


@pytest.mark.parametrize("variable", ["ENABLE_SIGNUP", "WEBUI_URL", "DEFAULT_LOCALE", "RAG_TOP_K"])
def test_a_variable_says_the_same_setting_of_the_admin_panel_in_both(pairs: tuple[Pair, Pair], variable: str) -> None:
    real, other = (places_in(pair, [variable]) for pair in pairs)

    assert len(real) == 1
    assert other in (real, [])


def test_nearly_every_setting_of_the_admin_panel_has_a_variable_that_is_found(pairs: tuple[Pair, Pair]) -> None:
    source = asked(pairs[0], "cat", "/app/backend/open_webui/config.py")
    variables = sorted(set(re.findall(r"(?:getenv|environ\.get)\(\s*'([A-Z0-9_]+)'", source)))
    said = {place[0] for place in places_in(pairs[0], variables)}
    keys = json.loads(asked(pairs[0], "python3", "-c", KEYS).splitlines()[-1])
    assert len(keys) > 400
    # Two have no variable in 0.12.4.
    assert len(set(keys) - said) <= 2, set(keys) - said


def test_it_is_compiled_whatever_the_environment_in_which_it_was_built(pairs: tuple[Pair, Pair]) -> None:
    # Bytecode that is not held against its source, as only a build makes it: https://peps.python.org/pep-0552/
    script = "import aiohttp, asyncio, open_webui as app; "
    script += "print(*(open(module.__cached__, 'rb').read(5)[4] for module in (aiohttp, asyncio, app)))"
    assert asked(pairs[1], "python3", "-c", script) == "1 1 1\n"


def test_both_make_a_database_where_a_migration_is_run(pairs: tuple[Pair, Pair]) -> None:
    for pair in pairs:
        script = f"cd /app/backend && DATA_DIR=/tmp {MIGRATE[0]} -c '{MIGRATE[2]}' >/dev/null && ls /tmp"
        assert "webui.db" in asked(pair, "sh", "-c", script).split()
