"""The package as an engine starts it: a process that is asked over gRPC, and answers the same way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, resource_pb2, resource_pb2_grpc

from docker_access.daemon import WITHOUT_DOCKER
from plugin.open_webui_stack import TYPE
from tests.unit.recorder import provider_outputs, sealed

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]
PROJECT = Path(__file__).resolve().parents[2]


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """An engine that notes what is registered, and answers as the resources' providers do."""

    registered: ClassVar[list[Any]] = []

    def SupportsFeature(self, request: Any, _context: Any) -> Any:  # noqa: N802 - Pulumi's name
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in {"secrets", "outputValues"})

    def RegisterResource(self, request: Any, _context: Any) -> Any:  # noqa: N802 - Pulumi's name
        self.registered.append(request)
        outputs = Struct()
        outputs.CopyFrom(request.object)
        outputs.update(provider_outputs(request.type, request.name, request.object))
        urn = f"urn:pulumi:dev::shop::{request.type}::{request.name}"
        return resource_pb2.RegisterResourceResponse(urn=urn, id=request.name if request.custom else "", object=outputs)

    def RegisterResourceOutputs(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - Pulumi's name
        return Empty()


class Engine(engine_pb2_grpc.EngineServicer):
    """Takes what is logged."""

    def Log(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - Pulumi's name
        return Empty()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Has the package make a component of these arguments."""
    server = grpc.server(ThreadPoolExecutor(4))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(), server)
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(), server)
    engine = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    command = [sys.executable, str(PROJECT / "plugin"), engine]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), WITHOUT_DOCKER: "1"}
    place = tmp_path_factory.mktemp("program")
    with subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        channel = grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}")

        def construct(**arguments: Any) -> Any:
            inputs = Struct()
            inputs.update(arguments)
            request = provider_pb2.ConstructRequest(
                project="shop", stack="dev", monitorEndpoint=engine, type=TYPE, name="chat", inputs=inputs
            )
            return provider_pb2_grpc.ResourceProviderStub(channel).Construct(request, timeout=60)

        yield construct
        channel.close()
        process.terminate()
    server.stop(None)


def output(value: str) -> dict[str, Any]:
    """A secret within an object, as engines hand it over."""
    return {rpc._special_sig_key: rpc._special_output_value_sig, "value": value, "secret": True}


def test_a_component_is_made_below_the_program_with_its_secrets(package: Any) -> None:
    Monitor.registered.clear()
    made = package(uiPort=3100, extraEnvironment={"OPENAI_API_KEY": output("k3y")})
    assert made.urn.endswith("::chat")
    assert made.state["url"] == "http://127.0.0.1:3100"
    names = {request.name: request for request in Monitor.registered}
    assert names["valkey"].parent == made.urn
    assert "OPENAI_API_KEY=k3y" in str(names["open-webui-container"].object)


def test_a_secret_argument_is_taken_and_no_setting_may_be_one(package: Any) -> None:
    made = package(topology="replicated", adminEmail="me@example.com", adminPassword=sealed("pa55word"))
    assert made.state["adminPassword"]["value"] == "pa55word"
    with pytest.raises(grpc.RpcError) as refused:
        package(uiPort=sealed("3100"))
    assert str(refused.value.details()).startswith("uiPort is a secret or an output of a resource")


def test_a_refusal_is_its_text_alone(package: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        package(uiPort=99999)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert str(refused.value.details()).startswith("OpenWebUIStack chat has a setting that cannot work:\n  uiPort is")
