"""The package for other languages: its schema, and that its one component declares what the program does."""

from __future__ import annotations

import ast
import functools
import json
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import pytest
import yaml
from packaging.requirements import Requirement
from pulumi.provider.server import ProviderServicer
from pulumi.runtime.settings import set_root_resource

import plugin.__main__
from plugin.__main__ import Package
from plugin.open_webui_stack import PACKAGE, TYPE, OpenWebUIStack, configuration
from settings.models import KEYS
from tests.unit.recorder import VARIANTS, Recorder, config_in, in_the_open, opened, record, variant

EXAMPLE = Path("examples/yaml/Pulumi.yaml")


@functools.cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Package().schema or "")
    return found


@functools.cache
def declared() -> dict[str, Any]:
    return plugin.__main__.declared()


def arguments() -> dict[str, Any]:
    found: dict[str, Any] = schema()["resources"][TYPE]["inputProperties"]
    return found


def declare(args: Callable[[], dict[str, Any]], project: str = "shop", stack: str = "dev") -> Recorder:
    """What a component with these arguments registers; only the look at Docker is left out.

    Outputs belong to the event loop of the run, so the arguments are made in it.
    """
    with patch("plugin.open_webui_stack.preflight"):
        return record(lambda: OpenWebUIStack("chat", args()), project, stack, {})  # type: ignore[arg-type]


def test_every_setting_is_an_argument_and_no_other() -> None:
    assert arguments().keys() == KEYS == declared().keys()
    assert schema()["resources"][TYPE]["requiredInputs"] == []


def test_each_argument_has_the_type_of_its_setting_and_says_what_the_setting_says() -> None:
    for key, argument in arguments().items():
        kind = argument.get("type") or schema()["types"][argument["$ref"].removeprefix("#/types/")]["type"]
        assert kind == declared()[key]["type"], key
        assert argument["description"] == declared()[key]["description"], key


def test_what_is_decided_by_must_be_known_and_secrets_need_not() -> None:
    plain = {key for key, argument in arguments().items() if argument.get("plain")}
    assert plain == KEYS - {"adminPassword", "valkeyUrl"}
    oidc = schema()["types"][f"{PACKAGE}:index:Oidc"]
    assert "plain" not in oidc["properties"]["clientSecret"]
    assert oidc["required"] == ["clientId", "clientSecret", "providerUrl"]
    assert "plain" not in arguments()["extraEnvironment"]["additionalProperties"]


def test_an_sdk_for_go_compiles() -> None:
    # Its generator makes no type for the elements of a map of plain objects, and uses one. Tried with Pulumi 3.259.
    assert "plain" not in arguments()["limits"]["additionalProperties"]


def test_the_version_is_that_of_the_python_package() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (schema()["name"], schema()["version"]) == (project["name"], project["version"])


def imported(folders: Sequence[str]) -> set[str]:
    """The packages that the modules of these folders import."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for folder in folders for file in Path(folder).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_its_python_environment_has_all_that_it_imports() -> None:
    lines = Path("plugin/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert "-e .." in lines
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {
        Requirement(line).name.lower() for line in (*project["dependencies"], *lines) if line[:1] not in {"#", "-", ""}
    }
    # grpc, requests and pydantic_core come with pulumi, docker and pydantic.
    known = {name.replace("-", "_").replace("pyyaml", "yaml") for name in asked} | {"grpc", "requests", "pydantic_core"}
    rooms = ("plugin", "settings", "preflight", "topologies")
    assert imported(rooms) - known == {*rooms, "components", "docker_access", "verification"}


def test_its_outputs_are_described() -> None:
    outputs = schema()["resources"][TYPE]["properties"]
    assert set(outputs) == {"url", "appContainers", "adminPassword", "report", "openWebuiVersion", "valkeyVersion"}
    assert all(output["description"] for output in outputs.values())
    assert schema()["resources"][TYPE]["required"] == ["appContainers", "url"]


def in_python(key: str) -> str:
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", key)


def arguments_of(stack: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """What a variant's stack file and its overrides say, as arguments."""
    given = {key.partition(":")[2]: value for key, value in config_in(f"stacks/Pulumi.{stack}.yaml").items()}
    given |= overrides
    oidc = {in_python(key): value for key, value in given.get("oidc", {}).items()}
    return {in_python(key): value for key, value in given.items()} | ({"oidc": oidc} if oidc else {})


@pytest.mark.parametrize("name", VARIANTS)
def test_it_declares_what_the_program_declares_below_itself(name: str) -> None:
    stack, overrides = VARIANTS[name]
    recorder, program = declare(lambda: arguments_of(stack, overrides), "open-webui", stack), variant(name)
    made = {(item.typ, item.name): opened(item.inputs) for item in recorder.resources}
    assert made.pop((TYPE, "chat")) == {}
    assert made == {(item.typ, item.name): opened(item.inputs) for item in program.resources}
    for resource, theirs in program.requests.items():
        request, at_the_top = recorder.requests[resource], ":pulumi:Stack::" in theirs.parent
        assert request.ignoreChanges == theirs.ignoreChanges, resource
        if theirs.parent:
            parent = "chat" if at_the_top else theirs.parent.rpartition("::")[2]
            assert request.parent.rpartition("::")[2] == parent, resource


def test_a_secret_reaches_the_containers_and_is_shown_nowhere() -> None:
    secrets = {name: f"5ecret-of-{name}" for name in ("admin", "valkey", "oidc", "key")}

    def args() -> dict[str, Any]:
        sealed = {name: pulumi.Output.secret(value) for name, value in secrets.items()}
        return {
            "topology": "replicated",
            "admin_email": "me@example.com",
            "admin_password": sealed["admin"],
            "valkey_url": pulumi.Output.concat("rediss://me:", sealed["valkey"], "@valkey.example.com:6379"),
            "oidc": {
                "provider_url": "https://id.example.com/.well-known/openid-configuration",
                "client_id": "chat",
                "client_secret": sealed["oidc"],
            },
            "extra_environment": {"OPENAI_API_KEY": sealed["key"]},
        }

    recorder = declare(args)
    inputs = str([opened(item.inputs) for item in recorder.resources])
    shown = str([in_the_open(item.inputs) for item in recorder.resources])
    for secret in secrets.values():
        assert secret in inputs
        assert secret not in shown
    assert "valkey.invalid" not in inputs
    assert "an output" not in inputs


def test_a_secret_of_a_single_stack_reaches_its_container() -> None:
    recorder = declare(lambda: {"extra_environment": {"OPENAI_API_KEY": pulumi.Output.secret("5ecret")}})
    assert "OPENAI_API_KEY=5ecret" in recorder.containers["open-webui-container"]["envs"]


@pytest.mark.parametrize(
    ("args", "place"),
    [
        (lambda output: {"ui_port": output}, "uiPort"),
        (lambda output: {"extra_environment": output}, "extraEnvironment"),
        (lambda output: {"extra_environment": {"WEBUI_AUTH": output}}, "extraEnvironment.WEBUI_AUTH"),
        (lambda output: {"trusted_proxies": [output]}, "trustedProxies.0"),
    ],
)
def test_an_output_where_a_value_must_be_known_is_refused(
    args: Callable[[pulumi.Output[Any]], dict[str, Any]], place: str
) -> None:
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(place)} is a secret or an output of a resource"):
        declare(lambda: args(pulumi.Output.from_input("value")))


def test_numbers_of_pulumis_are_whole_again() -> None:
    values, _ = configuration({"ui_port": 3100.0, "limits": {"valkey": {"memory": 512.0, "cpus": 0.5}}})
    assert values["uiPort"] == "3100"
    assert json.loads(values["limits"]) == {"valkey": {"memory": 512, "cpus": 0.5}}


def test_an_argument_that_cannot_work_is_told_as_one() -> None:
    with pytest.raises(pulumi.RunError) as refused:
        declare(lambda: {"ui_port": 99999})
    text = str(refused.value)
    assert text.startswith("OpenWebUIStack chat has a setting that cannot work:")
    assert "uiPort" in text
    assert "stacks/" not in text
    assert "shop:" not in text


def construct(inputs: dict[str, Any]) -> dict[str, Any]:
    """Have the package make the component, as an engine does: without a stack around it. Its outputs."""
    package, states = Package(), []

    def made() -> None:
        set_root_resource(None)  # type: ignore[arg-type]
        states.append(package.construct("chat", TYPE, inputs).state)

    with patch("plugin.open_webui_stack.preflight"):
        record(made, "shop", "dev", {})
    return dict(states[0])


def test_an_engine_is_told_of_a_refusal_without_a_traceback() -> None:
    with pytest.raises(pulumi.InputPropertiesError) as refused:
        construct({"uiPort": 99999.0})
    servicer: Any = ProviderServicer.__new__(ProviderServicer)
    status = servicer.create_grpc_invalid_properties_status(refused.value.message, refused.value.errors)
    assert status.details.startswith("OpenWebUIStack chat has a setting that cannot work")
    assert status.trailing_metadata, "the SDK sends no status without"


def test_an_engine_uses_the_names_of_the_schema() -> None:
    arguments = {"uiPort": 3100.0, "limits": {"open-webui": {"memory": 2048.0}}, "logLevel": "DEBUG"}
    assert construct(arguments).keys() == {"url", "appContainers", "report", "openWebuiVersion", "valkeyVersion"}
    assert construct({"verification": "off"}).keys() == {"url", "appContainers"}


def test_the_example_gives_arguments_there_are() -> None:
    document = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    (stack,) = (item for item in document["resources"].values() if item["type"] == f"{PACKAGE}:OpenWebUIStack")
    assert stack["properties"].keys() <= arguments().keys()
    outputs = {value for value in document["outputs"].values() if isinstance(value, str)}
    told = {name for value in outputs for name in re.findall(r"\$\{\w+\.(\w+)", value)}
    assert told <= schema()["resources"][TYPE]["properties"].keys()
    assert (EXAMPLE.parent / document["packages"][PACKAGE]).resolve() == Path("plugin").resolve()
    assert (EXAMPLE.parent / document["runtime"]["options"]["virtualenv"]).resolve() == Path("plugin/.venv").resolve()
