"""The components in a program that has no settings of ours: what it leaves out, and what it has already."""

import ast
import functools
import re
import runpy
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest
import yaml
from packaging.requirements import Requirement

from components import (
    Admin,
    DataVolume,
    ExternalValkey,
    Gateway,
    GatewayArgs,
    Lockdown,
    Network,
    NetworkArgs,
    OpenWebUI,
    OpenWebUIArgs,
    Postgres,
    PostgresArgs,
    Replication,
    Valkey,
    ValkeyArgs,
)
from tests.unit.recorder import CONTAINER, NETWORK, Recorder, in_the_open, label, record, secret_of

EXAMPLE = Path("examples/behind_your_own_proxy")
STACK_LABEL = re.compile(r"pulumi\.(project|stack)$")


def run(program: Callable[[], object]) -> Recorder:
    return record(program, "shop", "dev", {})


def named(recorder: Recorder, name: str) -> dict[str, Any]:
    """The container of that name in Docker."""
    (found,) = [inputs for inputs in recorder.containers.values() if inputs["name"] == name]
    return found


def joined() -> Network:
    return Network("joined", NetworkArgs(name="shop", external=True))


def valkey(network: Network, **changes: Any) -> Valkey:
    data = DataVolume(name="valkey-data")
    return Valkey(
        "valkey", ValkeyArgs(image="valkey:8", container_name="events", data=data, network=network, **changes)
    )


def chat(network: Network, carrier: Valkey | ExternalValkey, **changes: Any) -> OpenWebUI:
    data = DataVolume(name="chat-data")
    return OpenWebUI(
        "chat",
        OpenWebUIArgs(
            image="open-webui:1", container_name="chat", data=data, network=network, valkey=carrier, **changes
        ),
    )


@functools.cache
def example() -> Recorder:
    declared = yaml.safe_load((EXAMPLE / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    config = {f"shop:{key}": str(item["default"]) for key, item in declared.items()}
    return record(lambda: runpy.run_path(str(EXAMPLE / "__main__.py")), "shop", "dev", config)


def test_the_example_publishes_its_web_server_and_nothing_else() -> None:
    published = {inputs["name"] for inputs in example().containers.values() if inputs.get("ports")}
    assert published == {"shop-dev-web"}


def test_the_example_waits_for_the_network_it_makes() -> None:
    for name in ("valkey-container", "chat-migration", "chat-container"):
        assert "network" in example().depends_on(name), name


def test_the_example_has_no_password_in_the_open() -> None:
    assert secret_of("valkey-openwebui") not in str([in_the_open(item.inputs) for item in example().resources])


def test_nothing_carries_marks_nobody_asked_for() -> None:
    recorder = example()
    found = {item["label"] for inputs in recorder.containers.values() for item in inputs.get("labels", [])}
    assert not [label for label in found if STACK_LABEL.search(label)]


@pytest.mark.parametrize("tls", [False, True])
def test_a_single_open_webui_takes_a_valkey_that_is_locked_down(tls: bool) -> None:  # noqa: FBT001 - a case
    def program() -> None:
        network = joined()
        chat(network, valkey(network, service_name="events", lockdown=Lockdown(tls=tls)))

    recorder = run(program)
    password, scheme = secret_of("valkey-openwebui"), "rediss" if tls else "redis"
    for name in ("chat", "chat-migration"):
        container = named(recorder, name)
        address = f"WEBSOCKET_REDIS_URL={scheme}://openwebui:{password}@events:6379/1"
        assert [line for line in container["envs"] if line.startswith(address)], name
        files = {file["file"]: file["content"] for file in container.get("uploads", [])}
        wanted = {"/run/secrets/valkey-ca.pem": secret_of("valkey-certificate ca_pem")} if tls else {}
        assert files == wanted
    assert password not in str(in_the_open(recorder.of_type(CONTAINER)))
    assert named(recorder, "events")["networksAdvanced"][0]["aliases"] == ["events"]
    assert {inputs["name"] for inputs in recorder.containers.values()} == {
        "events",
        "events-files",
        "chat",
        "chat-migration",
    }


def test_a_valkey_elsewhere_may_have_an_address_that_is_an_output() -> None:
    def program() -> None:
        chat(joined(), ExternalValkey(pulumi.Output.secret("rediss://me:pa55@valkey.example.com:6379/")))

    recorder = run(program)
    assert "REDIS_URL=rediss://me:pa55@valkey.example.com:6379/0" in named(recorder, "chat")["envs"]
    assert "pa55" not in str(in_the_open(recorder.of_type(CONTAINER)))


def test_what_is_not_published_has_no_port_and_is_proved_to_have_none() -> None:
    made: list[OpenWebUI] = []

    def program() -> None:
        network = joined()
        made.append(chat(network, valkey(network), port=None))

    recorder = run(program)
    assert not named(recorder, "chat").get("ports")
    assert made[0].expected["chat"]["HostConfig.PortBindings"] == {}


def test_further_variables_reach_a_single_open_webui_sealed() -> None:
    def program() -> None:
        network = joined()
        further = {"OPENAI_API_KEY": pulumi.Output.from_input("k3y"), "WEBUI_NAME": "Shop"}
        chat(network, valkey(network), extra_environment=further)

    recorder = run(program)
    assert {"OPENAI_API_KEY=k3y", "WEBUI_NAME=Shop"} <= set(named(recorder, "chat")["envs"])
    assert "k3y" not in str(in_the_open(recorder.of_type(CONTAINER)))


def test_containers_are_re_created_with_a_network_that_the_program_makes() -> None:
    def program() -> None:
        shop = docker.Network("shop", name="shop")
        network = Network("joined", NetworkArgs(name="shop", external=True, network_id=shop.id))
        chat(network, valkey(network))

    recorder = run(program)
    assert list(recorder.of_type(NETWORK)) == ["shop"]
    assert label(named(recorder, "chat"), "pulumi.network-id") == "shop-id"


def test_replicas_need_no_more_than_their_names_a_database_and_where_people_open_them() -> None:
    made: list[OpenWebUI] = []

    def program() -> None:
        network = joined()
        database = Postgres(
            "database",
            PostgresArgs(
                image="pgvector:17",
                container_name="database",
                data=DataVolume(name="database-data"),
                network=network,
                service_name="chat-database",
            ),
        )
        made.append(
            chat(
                network,
                valkey(network, lockdown=Lockdown()),
                replication=Replication(
                    names=("chat-1", "chat-2"),
                    postgres=database,
                    public_url="https://chat.example.com",
                    admin=Admin(email="me@example.com", password=pulumi.Output.secret("pa55")),
                ),
            )
        )
        gateway = Gateway(
            "gateway",
            GatewayArgs(
                image="caddy:2",
                container_name="gateway",
                data=DataVolume(name="gateway-data"),
                network=network,
                upstreams=("chat-1", "chat-2"),
                public_url="https://chat.example.com",
                tls="internal",
            ),
        )
        gateway.reload(after=made[0].resources.containers)

    recorder = run(program)
    assert list(made[0].container_ids) == ["chat-1", "chat-2"]
    assert made[0].account == {"container": "chat-migration", "path": "/migration/account.env"}
    assert [item["name"] for item in named(recorder, "chat-1")["networksAdvanced"]] == ["shop"]
    assert "CORS_ALLOW_ORIGIN=https://chat.example.com" in named(recorder, "chat-1")["envs"]
    assert "@chat-database:5432/" in recorder.uploads("chat-files")["/run/secrets/open-webui.env"]
    assert "reverse_proxy chat-1:8080 chat-2:8080" in recorder.uploads("gateway-files")["/etc/caddy/Caddyfile"]
    assert "WEBUI_ADMIN_PASSWORD=pa55" in recorder.uploads("chat-migration")["/migration/account.env"]
    assert "pa55" not in str(in_the_open(recorder.of_type(CONTAINER)))


def package() -> dict[str, Any]:
    return tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))


def included() -> list[str]:
    names: list[str] = package()["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    return names


def test_the_names_the_package_takes_are_told() -> None:
    document = Path("docs/components.md").read_text(encoding="utf-8")
    told = document.partition("It installs the packages")[2].partition("Your program must")[0]
    assert sorted(re.findall(r"`(\w+)`", told)) == sorted(name.removesuffix(".py") for name in included())


def test_the_modules_that_the_state_refers_to_are_told() -> None:
    document = Path("docs/components.md").read_text(encoding="utf-8")
    told = document.partition("## What not to move")[2].partition("So:")[0]
    modules = [*Path("components").glob("*.py"), *Path("verification").glob("*.py")]
    keep_state = {
        f"{path.parent}.{path.stem}" for path in modules if "(ResourceProvider)" in path.read_text(encoding="utf-8")
    }
    assert set(re.findall(r"`([\w.]+\.[\w]+)`", told)) == keep_state


def test_the_package_asks_for_all_that_it_imports() -> None:
    """But for ``requests`` and ``urllib3``, which come with docker, and for what runs in containers only."""
    asked = {Requirement(line).name.replace("-", "_") for line in package()["project"]["dependencies"]}
    programs = {Path(f"components/open_webui/{name}.py") for name in ("migrate", "panel", "panel_fill")}
    inside = {*programs, *Path("verification/inside").glob("*.py")}
    files = {
        path for name in included() for path in ([Path(name)] if name.endswith(".py") else Path(name).rglob("*.py"))
    }
    imported = {
        name.partition(".")[0]
        for file in files - inside
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    ours = {name.removesuffix(".py") for name in included()}
    known = asked | ours | {"requests", "urllib3"}
    assert imported - known - set(sys.stdlib_module_names) == set()
