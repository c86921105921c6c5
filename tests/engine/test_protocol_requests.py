"""Nothing that a request can ask for is silently ignored: every field and method is honoured, or refused by name.

Those of the SDK that is installed are classified here; a new one fails these tests.
"""

from __future__ import annotations

import inspect

import pulumi
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from pulumi.runtime.proto import engine_pb2, resource_pb2

from tests.engine.fakes import Recorder, Stack
from tests.engine.small_program import CLI_DOES
from tooling.engine import monitor
from tooling.engine.monitor import HONOURED, EngineLog, Monitor

pytestmark = pytest.mark.usefixtures("without_leftovers")


REQUESTS = {
    "RegisterResourceRequest": resource_pb2.RegisterResourceRequest,
    "ReadResourceRequest": resource_pb2.ReadResourceRequest,
    "ResourceInvokeRequest": resource_pb2.ResourceInvokeRequest,
}
METHODS = {
    "RegisterResourceRequest": "RegisterResource",
    "ReadResourceRequest": "ReadResource",
    "ResourceInvokeRequest": "Invoke",
}
NOT_HONOURED = {
    "RegisterResourceRequest": {
        "provider", "importId", "remote", "providers", "pluginDownloadURL", "pluginChecksums", "replacement_trigger",
        "transforms", "packageRef", "hooks", "hideDiffs", "envVarMappings", "snippetId", "state_migrations",
    },
    "ReadResourceRequest": {"provider", "pluginDownloadURL", "pluginChecksums", "packageRef"},
    "ResourceInvokeRequest": {
        "provider", "pluginDownloadURL", "pluginChecksums", "packageRef", "dependsOn", "parent"
    },
    "RegisterResourceOutputsRequest": set(),
    "CustomTimeouts": {"delete", "read"},
}  # fmt: skip


@pytest.mark.parametrize("name", HONOURED)
def test_every_field_of_a_request_is_classified(name: str) -> None:
    of = resource_pb2.RegisterResourceRequest if name == "CustomTimeouts" else resource_pb2
    fields = set(getattr(of, name).DESCRIPTOR.fields_by_name)
    assert fields == (HONOURED[name] & fields) | NOT_HONOURED[name]
    assert HONOURED[name] - monitor.OF_THE_SDK <= fields
    assert not HONOURED[name] & NOT_HONOURED[name]


def filled(request: Message, name: str) -> None:
    """Set a field to something that is not its default."""
    field = request.DESCRIPTOR.fields_by_name[name]
    target = getattr(request, name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        target["some-key"] = b"some-value" if value.type == FieldDescriptor.TYPE_BYTES else "some-value"
    elif field.message_type is not None:
        message = target.add() if field.is_repeated else target
        filled(message, next(f.name for f in message.DESCRIPTOR.fields if f.type == FieldDescriptor.TYPE_STRING))
    elif field.is_repeated:
        target.append("some-value")
    else:
        setattr(request, name, True if field.type == FieldDescriptor.TYPE_BOOL else "some-value")


@pytest.mark.parametrize(
    ("request_name", "field"), [(name, field) for name in METHODS for field in sorted(NOT_HONOURED[name])]
)
def test_a_field_that_is_not_honoured_is_refused_with_its_value(stack: Stack, request_name: str, field: str) -> None:
    deployment, _ = stack.deployment()
    request = REQUESTS[request_name](**({"tok": "fake:index:x"} if request_name == "ResourceInvokeRequest" else {}))
    if "type" in request.DESCRIPTOR.fields_by_name:
        request.type, request.name = "fake:index:x", "some-name"
    filled(request, field)
    with pytest.raises(pulumi.RunError) as error:
        getattr(Monitor(lambda: deployment), METHODS[request_name])(request)
    said = str(error.value)
    assert said.startswith("fake:index:x")
    assert ("some-name" in said) or request_name == "ResourceInvokeRequest"
    assert f"the option {monitor._in_python(field)}=" in said
    assert any(word in said for word in ("some-value", "True", "a function"))
    assert said.endswith(CLI_DOES)


def test_every_method_of_the_monitor_is_answered_or_refused(stack: Stack) -> None:
    answered = {
        "GetDeploymentInfo", "Invoke", "ReadResource", "RegisterResource", "RegisterResourceOutputs",
        "SignalAndWaitForShutdown",
    }  # fmt: skip
    deployment, _ = stack.deployment()
    service = resource_pb2.DESCRIPTOR.services_by_name["ResourceMonitor"]
    assert answered == {name for name in vars(Monitor) if name[0].isupper()}
    for method in service.methods:
        if method.name in answered or method.name == "SupportsFeature":  # of SDKs before GetDeploymentInfo
            continue
        with pytest.raises(pulumi.RunError, match=f"asks for {method.name}.*{CLI_DOES}"):
            getattr(Monitor(lambda: deployment), method.name)(getattr(resource_pb2, method.input_type.name, object)())


def test_every_feature_of_the_monitor_is_classified() -> None:
    unannounced = {
        # Other forms of what is sent anyway.
        "BYTE_STRING", "INVOKE_OUTPUT_VALUES", "CALL_OUTPUT_VALUES",
        # The SDK itself waits for dependencies, and finds a parent's provider.
        "INVOKE_DEPENDS_ON", "INVOKE_PARENT",
        # Hooks are refused.
        "SENDS_OPTIONS_TO_HOOKS",
    }  # fmt: skip
    known = {
        resource_pb2.ResourceMonitorFeature.Name(number).removeprefix("RESOURCE_MONITOR_FEATURE_")
        for number in (*monitor._HONOURED_FEATURES, *monitor._REFUSED_FEATURES)
    }
    features = {
        v.name.removeprefix("RESOURCE_MONITOR_FEATURE_") for v in resource_pb2.ResourceMonitorFeature.DESCRIPTOR.values
    }
    assert features == known | unannounced


def test_the_engine_service_answers_what_the_sdk_asks() -> None:
    methods = {method.name for method in engine_pb2.DESCRIPTOR.services_by_name["Engine"].methods}
    used = {name for name in methods if f"engine.{name}(" in inspect.getsource(pulumi.runtime.settings)}
    answered = {name for name in vars(EngineLog) if name[0].isupper()}
    assert used <= answered
    assert answered == {"Log", "RequirePulumiVersion"}


def test_a_message_of_the_program_is_shown_whatever_its_stream() -> None:
    recorder = Recorder()
    EngineLog(recorder).Log(
        engine_pb2.LogRequest(severity=engine_pb2.WARNING, message="mind the gap", streamId=7, ephemeral=True)
    )
    assert recorder.notes == ["warning: mind the gap"]


def test_of_a_status_the_providers_tell_and_the_programs_own_is_not_shown_beside_it() -> None:
    recorder = Recorder()
    for ephemeral in (True, False):
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=f"passing: {ephemeral}", ephemeral=ephemeral)
        EngineLog(recorder).Log(request)
    assert recorder.notes == ["info: passing: False"]
