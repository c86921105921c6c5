"""Speaks to the real Docker plugin over gRPC, as the Pulumi engine does: the judge of what the provider records."""

from __future__ import annotations

import subprocess
from concurrent import futures
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from tooling.engine.provider import Diff, State
from tooling.pulumi_files.values import UNKNOWN, Properties

UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def plugin_binary() -> Path | None:
    """The newest installed Docker plugin, if there is one."""
    found = sorted(Path.home().glob(".pulumi/plugins/resource-docker-v*/pulumi-resource-docker"))
    return found[-1] if found else None


class _Engine(engine_pb2_grpc.EngineServicer):
    def Log(self, request: engine_pb2.LogRequest, context: Any) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        return empty_pb2.Empty()


class Plugin:
    """The plugin with the calls of :class:`tooling.engine.provider.Provider`."""

    def __init__(self, binary: Path) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        engine_pb2_grpc.add_EngineServicer_to_server(_Engine(), self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._process = subprocess.Popen(
            [binary, f"127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self._channel = grpc.insecure_channel(f"127.0.0.1:{int(self._process.stdout.readline())}")
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._stub.Configure(provider_pb2.ConfigureRequest(args=_struct({})))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._server.stop(0).wait()

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> Properties:
        request = provider_pb2.CheckRequest(
            urn=urn, olds=_struct(old_inputs or {}), news=_struct(new_inputs), randomSeed=b"x" * 32
        )
        answer = self._stub.Check(request)
        assert not answer.failures, answer.failures
        return _plain(answer.inputs)

    def diff(
        self, urn: str, resource_id: str, old_inputs: Properties, old_outputs: Properties, new: Properties
    ) -> Diff:
        answer = self._stub.Diff(
            provider_pb2.DiffRequest(
                urn=urn,
                id=resource_id,
                old_inputs=_struct(old_inputs),
                olds=_struct(old_outputs),
                news=_struct(new),
            )
        )
        return Diff(
            changed=sorted(answer.diffs),
            replaces=sorted(set(answer.replaces)),
            delete_before_replace=answer.deleteBeforeReplace,
        )

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None = None) -> State:
        answer = self._stub.Create(
            provider_pb2.CreateRequest(urn=urn, properties=_struct(inputs), timeout=timeout_seconds or 0)
        )
        return State(id=answer.id, inputs=inputs, outputs=_plain(answer.properties))

    def read(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> State | None:
        answer = self._stub.Read(
            provider_pb2.ReadRequest(urn=urn, id=resource_id, inputs=_struct(inputs), properties=_struct(outputs))
        )
        if not answer.id:
            return None
        return State(id=answer.id, inputs=_plain(answer.inputs), outputs=_plain(answer.properties))

    def update(
        self, urn: str, resource_id: str, old_inputs: Properties, old_outputs: Properties, new: Properties
    ) -> Properties:
        answer = self._stub.Update(
            provider_pb2.UpdateRequest(
                urn=urn,
                id=resource_id,
                old_inputs=_struct(old_inputs),
                olds=_struct(old_outputs),
                news=_struct(new),
            )
        )
        return _plain(answer.properties)

    def delete(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        self._stub.Delete(
            provider_pb2.DeleteRequest(urn=urn, id=resource_id, old_inputs=_struct(inputs), properties=_struct(outputs))
        )

    def invoke(self, token: str, arguments: Properties) -> Properties:
        answer = self._stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=_struct(arguments)))
        return _plain(getattr(answer, "return"))


def _struct(properties: Properties) -> struct_pb2.Struct:
    return json_format.ParseDict(_sendable(properties), struct_pb2.Struct())


def _sendable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sendable(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_sendable(v) for v in value]
    return UNKNOWN_TEXT if value is UNKNOWN else value


def _plain(struct: struct_pb2.Struct) -> Properties:
    plain: Properties = _received(json_format.MessageToDict(struct))
    return plain


def _received(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _received(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_received(v) for v in value]
    if value == UNKNOWN_TEXT:
        return UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() else value
