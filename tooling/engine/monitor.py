"""Answers the program: Pulumi's ResourceMonitor and Engine services as plain objects.

The SDK takes any object with the services' methods in place of a gRPC stub. Every field of a request that is not
honoured and set is an error that names it, so nothing is silently ignored.

Source: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/resource.proto
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pulumi
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import engine_pb2, resource_pb2

from tooling.engine import durations
from tooling.engine.deployment import Deployment
from tooling.engine.errors import EngineError, only_the_cli
from tooling.engine.events import Observer
from tooling.engine.goal import Alias, Goal, Registered
from tooling.engine.provider import DYNAMIC, package_of
from tooling.engine.wire import from_struct, to_struct
from tooling.errors import ToolError
from tooling.pulumi_files.values import UNKNOWN_TEXT, has_unknown, mask

_HONOURED_FEATURES: Final = [
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
]
_REFUSED_FEATURES: Final = [
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_STATE_MIGRATIONS,
]
"""Announced so that their requests arrive here: the SDK itself would say that the Pulumi CLI cannot do it."""
OF_THE_SDK: Final = frozenset({
    "acceptSecrets", "acceptResources", "supportsPartialValues", "supportsResultReporting", "aliasSpecs",
    "accepts_byte_string", "accept_output_values", "sourcePosition", "stackTrace", "parentStackTraceHandle",
})  # fmt: skip
"""Fields that ask for nothing: what the SDK understands, and where in the program the request comes from."""
HONOURED: Final[dict[str, frozenset[str]]] = {
    "RegisterResourceRequest": OF_THE_SDK | {
        "type", "name", "parent", "custom", "object", "protect", "dependencies", "propertyDependencies",
        "deleteBeforeReplace", "deleteBeforeReplaceDefined", "version", "ignoreChanges", "replaceOnChanges",
        "additionalSecretOutputs", "aliasURNs", "aliases", "customTimeouts", "retainOnDelete", "deletedWith",
        "replace_with",
    },
    "CustomTimeouts": frozenset({"create", "update"}),
    "ReadResourceRequest": OF_THE_SDK | {
        "id", "type", "name", "parent", "properties", "dependencies", "version", "additionalSecretOutputs",
    },
    "ResourceInvokeRequest": OF_THE_SDK | {"tok", "args", "version"},
    "RegisterResourceOutputsRequest": frozenset({"urn", "outputs"}),
}  # fmt: skip
"""Fields of each request that are honoured; any other is an error when it is set."""
_VERSIONS: Final = {"docker": ("", "5.2.0"), DYNAMIC: ("",)}
"""Versions of the providers in whose place this engine acts."""


class Monitor:
    """The ResourceMonitor service.

    Args:
        deployment: Gives what decides and acts, once the state is loaded and refreshed; raises what went wrong.
    """

    def __init__(self, deployment: Callable[[], Deployment]) -> None:
        self._deployment = deployment
        self._goals: dict[str, Goal] = {}

    def GetDeploymentInfo(self, _: Any) -> resource_pb2.DeploymentInfo:  # noqa: N802 - the service's own names
        """The features the program may use."""
        return resource_pb2.DeploymentInfo(supportedFeatures=[*_HONOURED_FEATURES, *_REFUSED_FEATURES])

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """A resource of the program."""
        deployment = self._ready()
        try:
            _refuse_others(request)
            goal = _goal(request, request.object)
        except EngineError as error:
            raise pulumi.RunError(f"{request.type} {request.name}: {error}") from None
        goal = self._inherited(goal, request)
        answer = deployment.register(goal)
        self._goals[answer.urn] = goal
        return resource_pb2.RegisterResourceResponse(
            urn=answer.urn,
            id=answer.id,
            object=to_struct(answer.outputs),
            result=resource_pb2.Result.FAIL if answer.failed else resource_pb2.Result.SUCCESS,
        )

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> empty_pb2.Empty:  # noqa: N802
        """The outputs of a component, or the program's exports."""
        deployment = self._ready()
        _for_the_user(
            lambda: deployment.register_outputs(request.urn, from_struct(request.outputs)), f"{request.urn}: "
        )
        return empty_pb2.Empty()

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:  # noqa: N802
        """``Resource.get``."""
        deployment = self._ready()

        def read() -> Registered:
            _refuse_others(request)
            known = "" if request.id == UNKNOWN_TEXT else request.id
            return deployment.read_resource(_goal(request, request.properties), known)

        answer = _for_the_user(read, f"{request.type} {request.name}: ")
        return resource_pb2.ReadResourceResponse(
            urn=answer.urn,
            id=answer.id,
            properties=to_struct(answer.outputs),
            result=resource_pb2.Result.FAIL if answer.failed else resource_pb2.Result.SUCCESS,
        )

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        """A data source; its answer is unknown in a preview while its arguments are."""
        deployment = self._ready()
        arguments = from_struct(request.args)
        answer = resource_pb2.ResourceInvokeResponse(unknown=has_unknown(arguments))

        def invoke() -> dict[str, Any]:
            _refuse_others(request)
            return deployment.invoke(request.tok, arguments)

        if not answer.unknown:
            getattr(answer, "return").CopyFrom(
                to_struct(_for_the_user(invoke, f"{request.tok}: "))
            )  # `return` is a keyword of Python
        return answer

    def SignalAndWaitForShutdown(self, _: Any) -> empty_pb2.Empty:  # noqa: N802
        """The program is done; it need not wait, as there are no hooks to call it for."""
        return empty_pb2.Empty()

    def __getattr__(self, name: str) -> Any:
        """Any other method of the service."""
        if name.startswith("_"):
            raise AttributeError(name)

        def refuse(request: Message) -> None:
            about = [getattr(request, field, "") for field in ("tok", "type", "name", "id")]
            words = " ".join([f"The program asks for {name}", *filter(None, about)])
            raise pulumi.RunError(str(only_the_cli(words)))

        return refuse

    def _inherited(self, goal: Goal, request: resource_pb2.RegisterResourceRequest) -> Goal:
        """The goal with what its parent hands down: ``protect``, ``retainOnDelete`` and ``deletedWith``.

        Source: ``inheritFromParent`` in https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/source_eval.go
        """
        parent = self._goals.get(goal.parent, Goal(type="", name="", custom=False))
        return replace(
            goal,
            protect=goal.protect if request.HasField("protect") else parent.protect,
            retain_on_delete=goal.retain_on_delete if request.HasField("retainOnDelete") else parent.retain_on_delete,
            deleted_with=goal.deleted_with or parent.deleted_with,
        )

    def _ready(self) -> Deployment:
        deployment: Deployment = _for_the_user(self._deployment)
        return deployment


class EngineLog:
    """The Engine service: the program's log."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.errors = 0

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802
        """A message of ``pulumi.log``; shown are neither debug messages nor a status: of that the providers tell."""
        severity = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}
        status = request.ephemeral and request.severity == engine_pb2.INFO
        if request.severity in severity and not status:
            self.errors += request.severity == engine_pb2.ERROR
            self._observer.note(severity[request.severity], request.urn, request.message)
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, request: engine_pb2.RequirePulumiVersionRequest) -> None:  # noqa: N802
        """A demand on the version of the CLI, which this engine has none of."""
        raise pulumi.RunError(
            str(only_the_cli(f"The program requires a version of the Pulumi CLI ({request.pulumi_version_range})"))
        )


def _for_the_user(call: Callable[[], Any], what: str = "") -> Any:
    """Call something that fails with a message for the user, and let the SDK show just that."""
    try:
        return call()
    except ToolError as error:
        raise pulumi.RunError(f"{what}{error}") from None


def _refuse_others(request: Message, within: str = "") -> None:
    honoured = HONOURED[request.DESCRIPTOR.name]
    for descriptor, value in request.ListFields():
        is_set = value.ByteSize() if isinstance(value, Message) else value
        if descriptor.name not in honoured and is_set:
            raise only_the_cli(f"the option {within}{_in_python(descriptor.name)}={_shown(value)}")
        if isinstance(value, Message) and value.DESCRIPTOR.name in HONOURED:
            _refuse_others(value, f"{_in_python(descriptor.name)}.")
    package = package_of(getattr(request, "tok", "") or getattr(request, "type", ""))
    version = getattr(request, "version", "")
    known = _VERSIONS.get(package, (version,))
    if version not in known:
        raise only_the_cli(f"the option version={version} ({known[-1] or 'no other'} is known of {package})")


def _in_python(field: str) -> str:
    """A field's name as the option of Python's SDK: ``pluginDownloadURL`` is ``plugin_download_url``."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field).lower()
    return {"import_id": "import_"}.get(name, name)


def _shown(value: Any) -> str:
    """A value of a request in a line that holds no secret."""
    if isinstance(value, struct_pb2.Value):
        return repr(mask(from_struct(struct_pb2.Struct(fields={"": value}))[""]))[:80]
    text = re.sub(r"\s+", " ", str(value)).strip()
    return "a function" if "token:" in text else text[:80]


def _goal(request: Any, properties: Any) -> Goal:
    """The goal of a RegisterResourceRequest or, with fewer fields, a ReadResourceRequest."""
    registering = isinstance(request, resource_pb2.RegisterResourceRequest)
    common = {
        "type": request.type,
        "name": request.name,
        "parent": request.parent,
        "inputs": from_struct(properties),
        "version": request.version,
        "dependencies": sorted(request.dependencies),
        "additional_secret_outputs": list(request.additionalSecretOutputs),
    }
    if not registering:
        return Goal(custom=True, **common)
    timeouts = request.customTimeouts
    seconds = {key: _seconds(getattr(timeouts, key)) for key in ("create", "update") if getattr(timeouts, key)}
    return Goal(
        custom=request.custom,
        property_dependencies={key: sorted(value.urns) for key, value in sorted(request.propertyDependencies.items())},
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        ignore_changes=list(request.ignoreChanges),
        replace_on_changes=list(request.replaceOnChanges),
        aliases=[*(Alias(urn=urn) for urn in request.aliasURNs), *(_alias(alias) for alias in request.aliases)],
        custom_timeouts=seconds,
        deleted_with=request.deletedWith,
        replace_with=list(request.replace_with),
        **common,
    )


def _alias(alias: Any) -> Alias:
    if alias.WhichOneof("alias") == "urn":
        return Alias(urn=alias.urn)
    spec = alias.spec
    return Alias(
        name=spec.name, type=spec.type, stack=spec.stack, project=spec.project, parent=spec.parentUrn,
        no_parent=spec.noParent,
    )  # fmt: skip


def _seconds(duration: str) -> float:
    if not re.fullmatch(durations.PATTERN, duration):
        raise EngineError(f"customTimeouts: {duration!r} is not a duration; write it like 1m30s.")
    seconds = durations.nanoseconds(duration) / 10**9
    return int(seconds) if seconds.is_integer() else seconds
