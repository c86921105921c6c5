"""Runs the program over Pulumi's mocks and answers questions about what it registered."""

import asyncio
import functools
import gc
import hashlib
import json
import runpy
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import pulumi
import pulumi.runtime
import yaml
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto.source_pb2 import StackTrace
from pulumi.runtime.stack import run_pulumi_func

from docker_access import labels
from settings.models import SECRET_KEYS

MARKS = {labels.STATE: "5afe5afe", labels.ORIGIN: "ann@chat-host:/srv/web"}
CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
NETWORK = "docker:index/network:Network"
SECRET = "pulumi-python:dynamic/openwebui:Secret"
CERTIFICATE = "pulumi-python:dynamic/openwebui:Certificate"
DOCKER_HOST = "pulumi-python:dynamic/openwebui:DockerHost"
VERIFICATION = "pulumi-python:dynamic/verification:Verification"
PIDS_LIMIT = "pulumi-python:dynamic/openwebui:PidsLimit"
LOOP = asyncio.new_event_loop()
"""One for all runs, and left in place: Pulumi makes one of its own, and leaks it, where it finds none."""

CLIENT_SECRET, ADMIN_PASSWORD = "c11ent-5ecret-of-oidc", "pa55word-of-the-admin"
VALKEY_PASSWORD, EXTRA_VALUE = "pa55word-of-an-external-valkey", "extra-5ecret 'quoted' $HOME"

OUTSIDE: dict[str, Any] = {
    "extraHosts": ["models.lan:192.0.2.7", "host.docker.internal:host-gateway"],
    "caFile": "tests/unit/golden/private-ca.txt",
}

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "dev": ("dev", {}),
    "a single stack without a file": ("team", {"uiPort": 3100}),
    "external network and volumes": ("dev", {"networkExternal": True, "volumesExternal": True}),
    "openWebuiVolume": ("team", {"uiPort": 3100, "openWebuiVolume": "chat_open-webui"}),
    "staging": ("staging", {}),
    "prod": ("prod", {}),
    "valkeyTls": ("staging", {"valkeyTls": True, "valkeyRights": "+lpop ~other:*"}),
    "valkeyUrl": ("staging", {"valkeyUrl": f"rediss://me:{VALKEY_PASSWORD}@valkey.example.com:6379"}),
    "oidc": (
        "staging",
        {
            "oidc": {
                "providerUrl": "https://id.example.com/.well-known/openid-configuration",
                "clientId": "open-webui",
                "clientSecret": CLIENT_SECRET,
            }
        },
    ),
    "extraEnvironment": (
        "staging",
        {
            "extraEnvironment": {"OPENAI_API_KEY": EXTRA_VALUE, "WEBUI_AUTH_TRUSTED_EMAIL_HEADER": "x-EMAIL"},
            "trustedProxies": ["127.0.0.1", "192.0.2.0/28"],
        },
    ),
    "a single stack that reaches out": (
        "team",
        {
            "uiPort": 3100,
            **OUTSIDE,
            "extraEnvironment": {"OPENAI_API_KEY": EXTRA_VALUE, "RAG_EMBEDDING_ENGINE": "ollama"},
        },
    ),
    "replicas that reach out": ("staging", OUTSIDE),
    "adminPassword": ("staging", {"adminEmail": "admin@example.com", "adminPassword": ADMIN_PASSWORD}),
    "three replicas": ("staging", {"replicas": 3}),
    "volumesExternal": ("staging", {"volumesExternal": True}),
    "acme": (
        "prod",
        {
            "publicUrl": "https://chat.example.com",
            "tls": "acme",
            "acmeEmail": "admin@example.com",
            "uiBindAddress": "0.0.0.0",  # noqa: S104 - a setting
            "uiPort": 443,
            "httpPort": 80,
        },
    ),
    "rotated": ("staging", {"valkeyTls": True, "rotated": {"secret-key": "2026-11", "valkey-tls": "2026-11"}}),
}
"""Stack and what differs from its file: every way of deploying that registers other resources."""


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Every resource that was registered, and what was asked of the engine about it."""

    resources: list[pulumi.runtime.MockResourceArgs] = field(default_factory=list)
    requests: dict[str, Any] = field(default_factory=dict)
    registered_outputs: set[str] = field(default_factory=set)
    exports: dict[str, Any] = field(default_factory=dict)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources.append(args)
        outputs = args.inputs | provider_outputs(args.typ, args.name, args.inputs)
        for name in self.requests[args.name].additionalSecretOutputs:
            outputs[name] = sealed(outputs[name])
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> NoReturn:
        raise AssertionError(f"the program asked {args.token}, and should ask nothing")

    def named(self, name: str) -> pulumi.runtime.MockResourceArgs:
        """The one resource of that name."""
        (found,) = [resource for resource in self.resources if resource.name == name]
        return found

    def of_type(self, type_token: str) -> dict[str, dict[str, Any]]:
        """Inputs of the resources of a type, by the resource's name, secrets as they are handed over."""
        return {resource.name: resource.inputs for resource in self.resources if resource.typ == type_token}

    def inputs(self, name: str) -> dict[str, Any]:
        """A resource's inputs, secrets in plain text."""
        found: dict[str, Any] = opened(self.named(name).inputs)
        return found

    @functools.cached_property
    def containers(self) -> dict[str, dict[str, Any]]:
        """Inputs of all containers by the resource's name, secrets in plain text."""
        return {name: opened(inputs) for name, inputs in self.of_type(CONTAINER).items()}

    @property
    def long_running(self) -> dict[str, dict[str, Any]]:
        """The containers that serve."""
        return {name: inputs for name, inputs in self.containers.items() if inputs["restart"] != "no"}

    @property
    def replicated(self) -> bool:
        return any(label(inputs, labels.ROLE) == "gateway" for inputs in self.containers.values())

    def of_role(self, role: str) -> dict[str, dict[str, Any]]:
        return {name: inputs for name, inputs in self.containers.items() if label(inputs, labels.ROLE) == role}

    def uploads(self, name: str) -> dict[str, str]:
        """Content of the files that are put into a container, by path."""
        return {file["file"]: file["content"] for file in self.inputs(name).get("uploads", [])}

    def depends_on(self, name: str) -> set[str]:
        """Names of the resources that a resource waits for, and of those they wait for."""
        direct = {urn.rsplit("::", 1)[1] for urn in self.requests[name].dependencies}
        return direct.union(*map(self.depends_on, direct))


def provider_outputs(type_token: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a resource's provider adds to its inputs once it has made the resource."""
    outputs: dict[str, Callable[[], dict[str, Any]]] = {
        CONTAINER: lambda: {"exitCode": 0, "containerLogs": ""},
        "docker:index/remoteImage:RemoteImage": lambda: {"imageId": f"sha256:{inputs['name']}"},
        DOCKER_HOST: lambda: {"marks": MARKS},
        SECRET: lambda: {"value": secret_of(name)},
        CERTIFICATE: lambda: {part: secret_of(f"{name} {part}") for part in ("ca_pem", "cert_pem", "key_pem")},
        VERIFICATION: lambda: {"report": {"summary": "proved"}},
    }
    return outputs[type_token]() if type_token in outputs else {}


def secret_of(name: str) -> str:
    """What the mocks generate for a secret: hexadecimal digits, as the program's own do, found by their look."""
    return f"5ec7e7{hashlib.sha256(name.encode()).hexdigest()}"


def sealed(value: Any) -> dict[str, Any]:
    """A value as Pulumi hands a secret over."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig


def opened(value: Any) -> Any:
    """The same without the marks of secrets."""
    if is_sealed(value):
        return opened(value["value"])
    if isinstance(value, dict):
        return {key: opened(item) for key, item in value.items()}
    return [opened(item) for item in value] if isinstance(value, list) else value


def in_the_open(value: Any) -> Any:
    """The same without the secrets: what state and diffs show of it."""
    if is_sealed(value):
        return "[secret]"
    if isinstance(value, dict):
        return {key: in_the_open(item) for key, item in value.items()}
    return [in_the_open(item) for item in value] if isinstance(value, list) else value


def label(container: Mapping[str, Any], key: str) -> str:
    found: dict[str, str] = {item["label"]: item["value"] for item in container["labels"]}
    return found[key]


@functools.cache
def config_in(path: str) -> dict[str, Any]:
    """The ``config:`` block of a project or stack file; empty where there is no file."""
    file = Path(path)
    document = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    return document.get("config") or {}


def config_of(stack: str, overrides: Mapping[str, Any]) -> dict[str, str]:
    """Defaults of the project, the stack file if there is one, then the overrides, as text, as an engine has them."""
    config = {f"open-webui:{key}": declared["default"] for key, declared in config_in("Pulumi.yaml").items()}
    config |= config_in(f"stacks/Pulumi.{stack}.yaml")
    config |= {f"open-webui:{key}": value for key, value in overrides.items()}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def run_program(stack: str = "dev", overrides: Mapping[str, Any] | None = None) -> Recorder:
    """Run ``__main__.py`` as it is; only the look at Docker and the signals are left out."""
    overrides = overrides or {}
    secret = [f"open-webui:{key}" for key in overrides if key in {*SECRET_KEYS, "oidc", "extraEnvironment"}]
    with patch("preflight.preflight"), patch("preflight.end_quietly_when_interrupted"):
        return record(
            lambda: runpy.run_path("__main__.py"), "open-webui", stack, config_of(stack, overrides), secret=secret
        )


def record(
    program: Callable[[], object], project: str, stack: str, config: Mapping[str, str], *, secret: Sequence[str] = ()
) -> Recorder:
    """Run any program over the mocks.

    Args:
        program: The program.
        project: Name of its project.
        stack: Name of its stack.
        config: Its configuration, keys in full.
        secret: Those keys that are secret.
    """
    recorder = Recorder()

    class Monitor(MockMonitor):
        def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
            recorder.requests[request.name] = request
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]

        def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
            recorder.registered_outputs.add(request.urn)
            return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def run_it() -> None:
        program()

    def run() -> None:
        asyncio.set_event_loop(LOOP)
        pulumi.runtime.set_all_config(dict(config), list(secret))
        pulumi.runtime.set_mocks(recorder, project=project, stack=stack, preview=False, monitor=Monitor(recorder))
        with (
            # It would read the source of every frame of each resource's making; a fifth of the time, and nobody asks.
            patch("pulumi.runtime.resource._get_stack_trace", StackTrace),
            patch("pulumi.export", side_effect=lambda name, value: recorder.exports.update({name: value})),
        ):
            LOOP.run_until_complete(run_pulumi_func(run_it))

    copy_context().run(run)
    return recorder


@functools.cache
def variant(name: str) -> Recorder:
    """What the program registers for one of :data:`VARIANTS`; run once, however many tests look at it."""
    recorder = run_program(*VARIANTS[name])
    # What stays until the end is not to be searched for garbage again and again: a fifth of all unit tests' time.
    gc.freeze()
    return recorder
