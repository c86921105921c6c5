"""Dynamic resources: a client of the SDK's own host for providers written in Python.

The host speaks Pulumi's ResourceProvider service over gRPC. Left out: the calls that it does not answer itself
(CheckConfig, DiffConfig, Invoke, Construct, Call).

Source: https://github.com/pulumi/pulumi/blob/master/sdk/python/lib/pulumi/dynamic/__main__.py
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterable
from functools import cached_property
from threading import Lock, Thread
from typing import IO, Any, Final

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tooling.engine.dynamic_host import end_host
from tooling.engine.provider import Diff, OutcomeUnknownError, ProviderError, State
from tooling.engine.wire import from_struct, to_struct
from tooling.pulumi_files.values import Properties, unwrap

# The text of an error travels as metadata, of which gRPC takes 8 KiB by itself; the report of a verification is longer.
_CHANNEL: Final = [
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
]
ANY: Final = "*"
"""Changed property of a provider that says that something changed but not what."""


class DynamicProvider:
    """Implements :class:`tooling.engine.provider.Provider` for resources written in Python.

    Args:
        host: The running host.
        config: The whole stack configuration, secrets marked, as the CLI configures it.
        log: Takes what providers print, a line at a time.
    """

    def __init__(self, host: subprocess.Popen[bytes], config: Properties, log: Callable[[str], None]) -> None:
        self._host = host
        self._config = config
        self._log = log
        self._starting = Lock()

    @cached_property
    def _connected(self) -> Any:
        port = self._host.stdout.readline().strip() if self._host.stdout else b""
        if not port.isdigit():
            text = self._host.stderr.read().decode(errors="replace") if self._host.stderr else ""
            raise ProviderError(f"The host of dynamic resources did not start.\n{_message(text)}".rstrip())
        for stream in (self._host.stdout, self._host.stderr):
            Thread(target=self._forward, args=(stream,), daemon=True).start()
        stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{int(port)}", options=_CHANNEL))
        stub.Configure(provider_pb2.ConfigureRequest(args=to_struct(self._config), acceptSecrets=True))
        return stub

    def _forward(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError):  # closed by end_host
            for line in stream:
                if text := line.decode(errors="replace").rstrip():
                    self._log(text)

    def _call(self, method: str, request: Any) -> Any:
        with self._starting:
            stub = self._connected
        try:
            return getattr(stub, method)(request)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._host.wait(timeout=1)
                raise OutcomeUnknownError(
                    f"The host of dynamic resources ended during {method} (exit code {self._host.returncode}). "
                    "Run the command again: it finds out what became of the resource."
                ) from None
            raise ProviderError(_message(error.details() or str(error.code()))) from None

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> Properties:
        """See :class:`tooling.engine.provider.Provider`."""
        request = provider_pb2.CheckRequest(urn=urn, olds=to_struct(old_inputs or {}), news=to_struct(new_inputs))
        answer = self._call("Check", request)
        if answer.failures:
            raise ProviderError("\n".join(f"{failure.property}: {failure.reason}" for failure in answer.failures))
        return _plain(answer.inputs)

    def diff(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> Diff:
        """See :class:`tooling.engine.provider.Provider`; a provider without ``diff`` has its inputs compared."""
        answer = self._call(
            "Diff",
            provider_pb2.DiffRequest(
                id=resource_id,
                urn=urn,
                olds=to_struct(old_outputs),
                news=to_struct(new_inputs),
                old_inputs=to_struct(old_inputs),
                ignoreChanges=ignore_changes,
            ),
        )
        differing = _differing(old_inputs, new_inputs)
        if answer.changes == provider_pb2.DiffResponse.DIFF_NONE:
            return Diff()
        if answer.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN:
            changed, named = differing, None
        else:
            # Where no input differs, a refresh has found something otherwise than it was asked for.
            found = differing or _differing({key: old_outputs.get(key) for key in new_inputs}, new_inputs)
            changed = sorted({*found, *answer.replaces, *answer.diffs}) or [ANY]
            named = sorted(answer.diffs)
        return Diff(
            changed=changed,
            replaces=sorted(answer.replaces) if changed else [],
            named=named,
            delete_before_replace=answer.deleteBeforeReplace,
        )

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None) -> State:
        """See :class:`tooling.engine.provider.Provider`."""
        request = provider_pb2.CreateRequest(urn=urn, properties=to_struct(inputs), timeout=timeout_seconds or 0)
        answer = self._call("Create", request)
        return State(id=answer.id, inputs=inputs, outputs=_plain(answer.properties))

    def read(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> State | None:
        """See :class:`tooling.engine.provider.Provider`."""
        request = provider_pb2.ReadRequest(
            id=resource_id, urn=urn, properties=to_struct(outputs), inputs=to_struct(inputs)
        )
        answer = self._call("Read", request)
        if not answer.id:
            return None
        found = _plain(answer.inputs) if answer.HasField("inputs") else inputs
        return State(id=answer.id, inputs=found, outputs=_plain(answer.properties))

    def update(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout_seconds: float | None,
    ) -> Properties:
        """See :class:`tooling.engine.provider.Provider`."""
        request = provider_pb2.UpdateRequest(
            id=resource_id,
            urn=urn,
            olds=to_struct(old_outputs),
            news=to_struct(new_inputs),
            old_inputs=to_struct(old_inputs),
            timeout=timeout_seconds or 0,
        )
        return _plain(self._call("Update", request).properties)

    def runs(self, urn: str) -> bool:  # noqa: ARG002
        """False: what a dynamic resource makes is not known."""
        return False

    def stop(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        """Nothing to stop."""

    def delete(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        """See :class:`tooling.engine.provider.Provider`."""
        self._call(
            "Delete",
            provider_pb2.DeleteRequest(
                id=resource_id, urn=urn, properties=to_struct(outputs), old_inputs=to_struct(inputs)
            ),
        )

    def find(self, urn: str, inputs: Properties) -> str | None:  # noqa: ARG002
        """None: a dynamic provider cannot be asked for what an interrupted create left behind."""
        return None

    def invoke(self, token: str, arguments: Properties) -> Properties:  # noqa: ARG002
        """Raises: dynamic providers have no functions."""
        raise ProviderError(f"{token}: dynamic providers have no functions to invoke.")

    def close(self) -> None:
        """End the host."""
        end_host(self._host)


def _plain(struct: Any) -> Properties:
    plain: Properties = unwrap(from_struct(struct))
    return plain


def _differing(old: Properties, new: Properties) -> list[str]:
    keys: Iterable[str] = {*old, *new}
    missing = object()
    return sorted(key for key in keys if old.get(key, missing) != new.get(key, missing))


def _message(traceback: str) -> str:
    """The exception's own text out of a formatted traceback: what its author wrote for the user."""
    lines = traceback.strip().splitlines()
    last = max((number for number, line in enumerate(lines) if line.startswith('  File "')), default=-1)
    rest = lines[last + 1 :]
    while rest and (rest[0].startswith("    ") or rest[0].startswith("Traceback (most recent call last)")):
        rest = rest[1:]
    text = "\n".join(rest).strip()
    named = re.match(r"([A-Za-z_][\w.]*)(?:: |$)", text)
    if named is None:
        return text
    name, message = named[1], text[named.end() :].strip()
    # An exception class of the program, or a bare Exception, only carries its message; KeyError: 'x' needs its name.
    return message if message and ("." in name or name in ("Exception", "RuntimeError")) else text
