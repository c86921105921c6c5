"""Every element of the tutorial's compose file and ``docker run`` line, in ``docker inspect`` of what we deployed.

The tutorial: https://docs.openwebui.com/tutorials/integrations/redis
"""

from typing import Any

import pytest

from tests.integration.deployment import Deployment, sh
from verification.checks.expected import looked_up

SECOND = 1_000_000_000  # Docker counts nanoseconds

COMPOSE_FILE = [
    ("image: docker.io/valkey/valkey:8.0.1-alpine", "Config.Image", "docker.io/valkey/valkey:8.0.1-alpine"),
    ("command: valkey-server --save 30 1", "Config.Cmd", ["valkey-server", "--save", "30", "1"]),
    ("healthcheck.test", "Config.Healthcheck.Test", ["CMD-SHELL", "[ $(valkey-cli ping) = PONG ]"]),
    ("healthcheck.start_period: 5s", "Config.Healthcheck.StartPeriod", 5 * SECOND),
    ("healthcheck.interval: 1s", "Config.Healthcheck.Interval", 1 * SECOND),
    ("healthcheck.timeout: 3s", "Config.Healthcheck.Timeout", 3 * SECOND),
    ("healthcheck.retries: 5", "Config.Healthcheck.Retries", 5),
    ("restart: unless-stopped", "HostConfig.RestartPolicy.Name", "unless-stopped"),
    ("cap_drop: ALL", "HostConfig.CapDrop", ["ALL"]),
    ("cap_add: SETGID, SETUID, DAC_OVERRIDE", "HostConfig.CapAdd", ["CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID"]),
    ("logging.driver: json-file", "HostConfig.LogConfig.Type", "json-file"),
    ("logging.options.max-size: 1m", "HostConfig.LogConfig.Config.max-size", "1m"),
    ("logging.options.max-file: 1", "HostConfig.LogConfig.Config.max-file", "1"),
]

RUN_LINE = [
    ("image", "Config.Image", "ghcr.io/open-webui/open-webui:main"),
    ("-e ENABLE_WEBSOCKET_SUPPORT", "Config.Env[ENABLE_WEBSOCKET_SUPPORT]", "true"),
    ("-e WEBSOCKET_MANAGER", "Config.Env[WEBSOCKET_MANAGER]", "redis"),
    ("-e WEBSOCKET_REDIS_URL, by service name", "Config.Env[WEBSOCKET_REDIS_URL]", "redis://redis:6379/1"),
]

pytestmark = pytest.mark.xdist_group("dev")


@pytest.mark.parametrize(("path", "value"), [row[1:] for row in COMPOSE_FILE], ids=[row[0] for row in COMPOSE_FILE])
def test_an_element_of_the_compose_file_is_in_docker_inspect(dev: Deployment, path: str, value: Any) -> None:
    assert looked_up(dev.inspect("valkey"), path) == value


@pytest.mark.parametrize(("path", "value"), [row[1:] for row in RUN_LINE], ids=[row[0] for row in RUN_LINE])
def test_an_element_of_the_run_line_is_in_docker_inspect(dev: Deployment, path: str, value: Any) -> None:
    assert looked_up(dev.inspect("app"), path) == value


def test_valkey_publishes_no_port(dev: Deployment) -> None:
    assert not dev.inspect("valkey")["HostConfig"]["PortBindings"]


def test_valkeys_data_volume_is_mounted_at_data(dev: Deployment) -> None:
    (mount,) = dev.inspect("valkey")["Mounts"]
    assert (mount["Type"], mount["Name"], mount["Destination"]) == ("volume", dev.names["valkey_data"], "/data")


def test_the_apps_data_volume_is_mounted_where_it_keeps_its_data(dev: Deployment) -> None:
    (mount,) = dev.inspect("app")["Mounts"]
    assert (mount["Type"], mount["Name"]) == ("volume", dev.names["app_data"])
    assert mount["Destination"] == "/app/backend/data"


def test_both_are_on_one_user_defined_network_and_the_service_is_called_redis(dev: Deployment) -> None:
    network = dev.names["network"]
    assert set(dev.inspect("app")["NetworkSettings"]["Networks"]) == {network}
    joined = dev.inspect("valkey")["NetworkSettings"]["Networks"]
    assert set(joined) == {network}
    assert "redis" in joined[network]["Aliases"]


def test_the_log_line_the_tutorial_waits_for_really_appears(dev: Deployment) -> None:
    line = "DEBUG:open_webui.socket.main:Using Redis to manage websockets."
    logged = sh("sh", "-c", f"docker logs {dev.names['app']} 2>&1")
    assert line in logged.splitlines()


def test_both_commands_the_tutorial_verifies_with_answer_pong(dev: Deployment) -> None:
    assert dev.run_in("valkey", "valkey-cli", "-p", "6379", "ping") == "PONG"
    assert dev.run_in("valkey", "redis-cli", "-p", "6379", "ping") == "PONG"
