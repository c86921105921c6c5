"""Resources and changes to them that several tests share, and a tiny image to make containers from."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from docker_access.client import api_client
from tests.lease import only_one
from tooling.pulumi_files.values import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "dp-test"
IMAGE: Final = f"{PREFIX}-tiny:1"
VALKEY: Final = "docker.io/valkey/valkey:8.0.1-alpine"
NETWORK_NAME: Final = f"{PREFIX}-net"
PORT: Final = 18473

NETWORK: Final = "urn:pulumi:dev::open-webui::docker:index/network:Network::network"
VOLUME: Final = "urn:pulumi:dev::open-webui::docker:index/volume:Volume::volume"
IMAGE_URN: Final = "urn:pulumi:dev::open-webui::docker:index/remoteImage:RemoteImage::image"
CONTAINER: Final = "urn:pulumi:dev::open-webui::open-webui:components:Valkey$docker:index/container:Container::valkey"

LABELS: Final = [
    {"label": "pulumi.stack", "value": "dp-test"},
    {"label": "pulumi.project", "value": "open-webui"},
]

RICH_CONTAINER: Final[Properties] = {
    "name": f"{PREFIX}-rich",
    "image": IMAGE,
    "command": ["sleep", "1000"],
    "envs": ["B=2", "A=1"],
    "labels": LABELS,
    "networksAdvanced": [{"name": NETWORK_NAME, "aliases": ["z", "y"]}],
    "ports": [{"internal": 80, "external": PORT, "ip": "127.0.0.1"}],
    "volumes": [{"volumeName": f"{PREFIX}-data", "containerPath": "/data"}],
    "mounts": [{"type": "tmpfs", "target": "/tmp", "tmpfsOptions": {"sizeBytes": 1_000_000}}],
    "tmpfs": {"/run": "size=1m"},
    "capabilities": {"adds": ["CAP_SETUID", "CAP_CHOWN"], "drops": ["ALL"]},
    "securityOpts": ["no-new-privileges:true"],
    "healthcheck": {"tests": ["CMD", "true"], "interval": "1s", "retries": 2},
    "wait": True,
    "waitTimeout": 30,
    "restart": "on-failure",
    "maxRetryCount": 3,
    "destroyGraceSeconds": 1,
    "stopTimeout": 5,
    "stopSignal": "SIGINT",
    "logDriver": "json-file",
    "logOpts": {"max-size": "1m"},
    "memory": 64,
    "memorySwap": 128,
    "cpus": "0.5",
    "cpuShares": 512,
    "shmSize": 32,
    "ulimits": [{"name": "nofile", "soft": 1000, "hard": 2000}],
    "sysctls": {"net.core.somaxconn": "100"},
    "dns": ["9.9.9.9", "1.1.1.1"],
    "hosts": [{"host": "a.example", "ip": "192.0.2.1"}],
    "uploads": [{"file": "/etc/greeting", "content": "hello"}],
    "user": "0",
    "workingDir": "/tmp",
    "hostname": "rich",
    "init": True,
}

GONE: Final = object()
"""A property that the program no longer gives."""

CONTAINER_CHANGES: Final[list[tuple[str, Properties, list[str], list[str]]]] = [
    # What changes in the program, what counts as changed, what makes a new container.
    ("nothing", {}, [], []),
    ("order of envs", {"envs": ["A=1", "B=2"]}, [], []),
    ("an env", {"envs": ["A=1", "B=3"]}, ["envs"], ["envs"]),
    ("envs gone", {"envs": GONE}, [], []),
    ("envs empty", {"envs": []}, ["envs"], ["envs"]),
    ("an unknown env", {"envs": ["A=1", UNKNOWN]}, ["envs"], ["envs"]),
    ("unknown envs", {"envs": UNKNOWN}, [], []),
    ("image", {"image": "other:2"}, ["image"], ["image"]),
    ("unknown image", {"image": UNKNOWN}, ["image"], ["image"]),
    ("name", {"name": "other"}, ["name"], ["name"]),
    ("name gone", {"name": GONE}, [], []),
    ("command", {"command": ["sleep", "1001"]}, ["command"], ["command"]),
    ("command gone", {"command": GONE}, [], []),
    ("entrypoint", {"entrypoints": ["sh"]}, ["entrypoints"], ["entrypoints"]),
    ("restart", {"restart": "always"}, ["restart"], []),
    ("retries", {"maxRetryCount": 4}, ["maxRetryCount"], []),
    ("memory", {"memory": 65}, ["memory"], []),
    ("memory as text", {"memory": "64"}, [], []),
    ("memory gone", {"memory": GONE}, ["memory"], []),
    ("cpus", {"cpus": "0.6"}, ["cpus"], ["cpus"]),
    ("cpu shares", {"cpuShares": 256}, ["cpuShares"], []),
    ("health interval", {"healthcheck": {"tests": ["CMD", "true"], "interval": "2s"}}, ["healthcheck"], []),
    ("healthcheck gone", {"healthcheck": GONE}, [], []),
    ("order of labels", {"labels": LABELS[::-1]}, [], []),
    ("a label", {"labels": LABELS[:1]}, ["labels"], ["labels"]),
    ("labels gone", {"labels": GONE}, [], []),
    (
        "volume read-only",
        {"volumes": [{"volumeName": f"{PREFIX}-data", "containerPath": "/data", "readOnly": True}]},
        ["volumes"],
        ["volumes"],
    ),
    ("volumes gone", {"volumes": GONE}, ["volumes"], ["volumes"]),
    ("mounts gone", {"mounts": GONE}, ["mounts"], ["mounts"]),
    ("a mount", {"mounts": [{"type": "tmpfs", "target": "/tmp"}]}, ["mounts"], ["mounts"]),
    ("port", {"ports": [{"internal": 80, "external": PORT + 1, "ip": "127.0.0.1"}]}, ["ports"], ["ports"]),
    ("port for Docker to choose", {"ports": [{"internal": 80, "ip": "127.0.0.1"}]}, [], []),
    ("port on all addresses", {"ports": [{"internal": 80, "external": PORT, "ip": ""}]}, ["ports"], ["ports"]),
    ("ports gone", {"ports": GONE}, ["ports"], ["ports"]),
    (
        "capability in its short form",
        {"capabilities": {"adds": ["SETUID", "CHOWN"], "drops": ["ALL"]}},
        ["capabilities"],
        ["capabilities"],
    ),
    ("wait", {"wait": False}, ["wait"], []),
    ("grace", {"destroyGraceSeconds": 4}, ["destroyGraceSeconds"], []),
    ("log options", {"logOpts": {"max-size": "2m"}}, ["logOpts"], ["logOpts"]),
    ("log driver gone", {"logDriver": GONE}, [], []),
    ("file", {"uploads": [{"file": "/etc/greeting", "content": "hi"}]}, ["uploads"], ["uploads"]),
    ("ulimit", {"ulimits": [{"name": "nofile", "soft": 999, "hard": 2000}]}, ["ulimits"], ["ulimits"]),
    ("security option gone", {"securityOpts": GONE}, [], []),
    ("tmpfs", {"tmpfs": {"/run": "size=2m"}}, ["tmpfs"], []),
    ("order of name servers", {"dns": ["1.1.1.1", "9.9.9.9"]}, [], []),
    ("a name server", {"dns": ["1.1.1.1"]}, ["dns"], ["dns"]),
    ("user blank", {"user": ""}, [], []),
    ("hostname blank", {"hostname": ""}, [], []),
    ("stop timeout", {"stopTimeout": 6}, ["stopTimeout"], ["stopTimeout"]),
    ("init", {"init": False}, ["init"], []),
    ("shared memory", {"shmSize": 64}, ["shmSize"], ["shmSize"]),
    ("read-only root", {"readOnly": True}, ["readOnly"], ["readOnly"]),
    ("network mode", {"networkMode": "host"}, ["networkMode"], ["networkMode"]),
    (
        "network alias",
        {"networksAdvanced": [{"name": NETWORK_NAME, "aliases": ["z"]}]},
        ["networksAdvanced"],
        ["networksAdvanced"],
    ),
    ("may stop", {"mustRun": False}, ["mustRun"], []),
    ("anonymous volumes kept", {"removeVolumes": False}, ["removeVolumes"], []),
    ("two at once", {"restart": "always", "envs": ["A=2"]}, ["envs", "restart"], ["envs"]),
]

OTHER_CHANGES: Final[list[tuple[str, str, Properties, Properties, list[str], list[str], bool]]] = [
    # Resource, its inputs, what changes, what counts as changed, what replaces, whether the old one goes first.
    (NETWORK, "nothing", {"name": f"{PREFIX}-n"}, {}, [], [], False),
    (NETWORK, "name", {"name": f"{PREFIX}-n"}, {"name": "n2"}, ["name"], ["name"], True),
    (NETWORK, "name gone", {"name": f"{PREFIX}-n"}, {"name": GONE}, [], [], False),
    (NETWORK, "labels", {"name": f"{PREFIX}-n"}, {"labels": LABELS}, ["labels"], ["labels"], True),
    (NETWORK, "internal", {"name": f"{PREFIX}-n"}, {"internal": True}, ["internal"], ["internal"], True),
    (NETWORK, "driver", {"name": f"{PREFIX}-n"}, {"driver": "bridge"}, [], [], False),
    (
        NETWORK,
        "subnet",
        {"name": f"{PREFIX}-n", "ipamConfigs": [{"subnet": "10.211.78.0/24"}]},
        {"ipamConfigs": [{"subnet": "10.211.79.0/24"}]},
        ["ipamConfigs"],
        ["ipamConfigs"],
        True,
    ),
    (VOLUME, "nothing", {"name": f"{PREFIX}-v", "labels": LABELS}, {}, [], [], False),
    (VOLUME, "labels gone", {"name": f"{PREFIX}-v", "labels": LABELS}, {"labels": GONE}, ["labels"], ["labels"], True),
    (VOLUME, "name", {"name": f"{PREFIX}-v"}, {"name": "v2"}, ["name"], ["name"], True),
    (IMAGE_URN, "nothing", {"name": IMAGE, "keepLocally": True}, {}, [], [], False),
    (IMAGE_URN, "kept", {"name": IMAGE, "keepLocally": True}, {"keepLocally": GONE}, ["keepLocally"], [], False),
    (IMAGE_URN, "name", {"name": IMAGE, "keepLocally": True}, {"name": "b:2"}, ["name"], ["name"], False),
    (
        IMAGE_URN,
        "trigger",
        {"name": IMAGE, "keepLocally": True},
        {"triggers": {"a": "b"}},
        ["triggers"],
        ["triggers"],
        False,
    ),
]


def changed(inputs: Properties, change: Properties) -> Properties:
    """Inputs of the program after a change."""
    return {key: value for key, value in {**inputs, **change}.items() if value is not GONE}


@contextmanager
def tiny_docker() -> Iterator[Any]:
    """A client, a network, and a bare image with a shell: the files of the Valkey image, without its settings.

    Whatever of the tests' names is left at the end is removed. One process at a time has them: the recorded examples
    bear these names.
    """
    with only_one(PREFIX), closing(api_client()) as client:
        _sweep(client)
        source = client.create_container(VALKEY)["Id"]
        try:
            files = b"".join(client.export(source))
        finally:
            client.remove_container(source, v=True)
        client.import_image_from_data(files, repository=IMAGE.split(":", maxsplit=1)[0], tag="1")
        try:
            client.create_network(NETWORK_NAME)
            yield client
        finally:
            _sweep(client)
            client.remove_image(IMAGE, force=True)


def _sweep(client: Any) -> None:
    for container in client.containers(all=True, filters={"name": f"^/{PREFIX}-"}):
        client.remove_container(container["Id"], force=True, v=True)
    for network in client.networks(names=[f"{PREFIX}-"]):
        client.remove_network(network["Id"])
    for volume in client.volumes(filters={"name": f"{PREFIX}-"})["Volumes"] or []:
        client.remove_volume(volume["Name"])
