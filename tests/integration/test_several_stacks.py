"""dev, staging and prod in small, together on one host: each proved, none in another's way, secrets of its own."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.engine.two_engines import Project
from tests.integration.deployment import Deployment, settings_of, sh
from tests.integration.test_replicas import like_prod
from tests.lease import free_port, free_subnet
from tooling.pulumi_files.project import environment, load_project

pytestmark = pytest.mark.docker

BY_DAY = ("secret-key", "postgres-password", "valkey-tls")
"""One of each kind: of Open WebUI alone, of two containers, and a certificate."""
BY_NIGHT = ("valkey-openwebui", "valkey-verify", "valkey-health")
SECRETS = (*BY_DAY, *BY_NIGHT)

# Runs in a replica: tries addresses and names of another stack's services, all at once, each for a second.
REACH = """\
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def answers(host, port):
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True
places = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(places)) as pool:
    print(json.dumps([place for place, found in zip(places, pool.map(lambda it: answers(*it), places)) if found]))
"""


@dataclass
class Host:
    """Three stacks on this host."""

    dev: Deployment
    staging: Deployment
    prod: Deployment

    @property
    def all(self) -> list[Deployment]:
        return [self.dev, self.staging, self.prod]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    def stood_in(name: str, changes: dict[str, Any]) -> Deployment:
        return Deployment(tmp_path_factory.mktemp(name), "embedded", config=settings_of(name, changes), stand_in=True)

    host = Host(
        dev=stood_in("dev", {"tutorialNames": None}),
        staging=stood_in("staging", {}),
        prod=like_prod(
            tmp_path_factory.mktemp("prod"), httpPort=free_port(), edgeSubnet=free_subnet().replace("/24", "/27")
        ),
    )
    try:
        with ThreadPoolExecutor() as at_once:
            assert all("proved: " in output for output in at_once.map(lambda stack: stack.succeed("up"), host.all))
        yield host
    finally:
        for stack in host.all:
            stack.remove_everything()


def test_each_stack_is_proved_while_the_others_run(host: Host) -> None:
    for stack in host.all:
        assert "proved: " in stack.succeed("verify", "--no-idle")


def test_no_stack_reaches_another_stacks_services(host: Host) -> None:
    for stack in host.all:
        others = [place for other in host.all if other is not stack for place in inner_places(other)]
        own = next(place for place in inner_places(stack) if place[1] == 6379)
        assert reached_from(stack, [own, *others]) == [own]


def inner_places(stack: Deployment) -> list[list[Any]]:
    """Addresses and names of a stack's Valkey and Postgres."""
    places: list[list[Any]] = []
    for role, port in (("valkey", 6379), ("postgres", 5432)):
        if role in stack.names:
            networks = stack.inspect(role)["NetworkSettings"]["Networks"]
            places += [[network["IPAddress"], port] for network in networks.values()]
            places.append([stack.names[role], port])
    return places


def reached_from(stack: Deployment, places: list[list[Any]]) -> list[list[Any]]:
    found: list[list[Any]] = json.loads(
        sh("docker", "exec", stack.apps[0], "python3", "-c", REACH, json.dumps(places)),
    )
    return found


def test_nothing_of_one_stack_bears_the_name_of_anothers(host: Host) -> None:
    names = [name for stack in host.all for kind in stack.left().values() for name in kind]
    objects = [(kind, name) for stack in host.all for kind, found in stack.left().items() for name in found]
    assert len(objects) == len(set(objects))
    assert all(any(stack.stack in name for stack in host.all) for name in names)


@pytest.mark.parametrize(
    ("taken", "says"),
    [
        (lambda host: {"uiPort": host.staging.config["uiPort"]}, "open-webui-{staging}-gateway"),
        (lambda host: {"uiPort": host.prod.config["httpPort"]}, "open-webui-{prod}-gateway"),
        (lambda host: {"httpPort": host.dev.config["uiPort"], "tls": "internal"}, "container open-webui-{dev}."),
        (
            lambda host: {"edgeSubnet": host.prod.config["edgeSubnet"].replace("/27", "/24")},
            "it belongs to stack {prod} of project open-webui",
        ),
    ],
    ids=["staging's port", "prod's port", "dev's port", "prod's subnet"],
)
def test_a_fourth_stack_in_the_way_of_another_is_refused_at_preview(
    host: Host, tmp_path: Any, taken: Callable[[Host], dict[str, Any]], says: str
) -> None:
    config = settings_of("staging", taken(host))
    fourth = Deployment(tmp_path, "embedded", config=config)
    output = fourth.fail("preview")
    assert "nothing was changed" in output
    assert says.format(**{name: stack.stack for name, stack in vars(host).items()}) in output
    assert not any(fourth.left().values())


def test_another_topology_is_refused_on_what_is_deployed(host: Host) -> None:
    before = host.dev.config
    host.dev.configure({"topology": "replicated", "adminEmail": "admin@example.org"})
    try:
        assert "is deployed with topology single" in host.dev.fail("preview")
    finally:
        host.dev.configure({key: before.get(key) for key in host.dev.config})


@pytest.mark.pulumi_cli
@pytest.mark.parametrize(
    ("name", "change"),
    [("dev", {"logLevel": "INFO"}), ("staging", {"replicas": 1}), ("prod", {"valkeyMaxClients": 9000})],
)
def test_each_stack_is_handed_to_the_other_engine_and_back(host: Host, name: str, change: dict[str, Any]) -> None:
    stack: Deployment = getattr(host, name)
    engines = Project(
        stack.directory,
        {},
        name="open-webui",
        stack=stack.stack,
        environment=environment(load_project(stack.directory)),
    )
    engines.other_sees_no_change("embedded")
    before = {key: stack.config.get(key) for key in change}
    for settings, engine in ((change, "pulumi"), (before, "embedded")):
        stack.configure(settings)
        ours, theirs = engines.plans()
        assert ours == theirs
        assert any(ops != ["same"] for ops in ours.values())
        stack.engine = engine
        assert "proved: " in stack.succeed("up")
        engines.other_sees_no_change(engine)


@pytest.mark.parametrize("secret", [*BY_DAY, *(pytest.param(name, marks=pytest.mark.nightly) for name in BY_NIGHT)])
def test_a_secret_is_made_anew_by_one_command_and_no_other_with_it(host: Host, secret: str) -> None:
    before = secrets_in_use(host.prod)
    output = host.prod.succeed("rotate", "--secret", secret)
    assert "proved: " in output
    after = secrets_in_use(host.prod)
    assert {name for name in SECRETS if before[name] != after[name]} == {secret}
    assert not any(value in output for values in (before, after) for value in values.values())
    assert secret in yaml.safe_load(host.prod.stack_file.read_text(encoding="utf-8"))["config"]["open-webui:rotated"]


def secrets_in_use(stack: Deployment) -> dict[str, str]:
    """The secrets as the running containers have them."""

    def read(container: str, file: str) -> str:
        return sh("docker", "exec", container, "cat", f"/run/secrets/{file}")

    lines = read(stack.apps[0], "open-webui.env").splitlines()
    variables = {name: value.strip("'\"") for name, _, value in (line.partition("=") for line in lines)}
    valkey = stack.names["valkey"]
    return {
        "secret-key": variables["WEBUI_SECRET_KEY"],
        "postgres-password": password_in(variables["DATABASE_URL"]),
        "valkey-openwebui": password_in(variables["REDIS_URL"]),
        "valkey-verify": read(valkey, "verify"),
        "valkey-health": read(valkey, "health"),
        "valkey-tls": read(valkey, "cert.pem"),
    }


def password_in(url: str) -> str:
    return url.partition("://")[2].partition("@")[0].partition(":")[2]


def test_a_stack_that_is_destroyed_takes_nothing_of_the_others(host: Host) -> None:
    host.dev.succeed("destroy")
    for stack in (host.staging, host.prod):
        assert "proved: " in stack.succeed("verify", "--no-idle")
