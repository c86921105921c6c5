"""The client of ``python -m pulumi.dynamic``, against the SDK's real host."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import dill  # type: ignore[import-untyped]  # it has no types
import psutil
import pytest

from tooling.engine.dynamic import DynamicProvider, _message
from tooling.engine.dynamic_host import start_host
from tooling.engine.provider import OutcomeUnknownError, ProviderError
from tooling.pulumi_files.values import UNKNOWN, Properties, Secret

pytestmark = pytest.mark.processes
PROGRAM = """\
import os

from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ResourceProvider, UpdateResult


class Broken(Exception):
    pass


class Provider(ResourceProvider):
    def configure(self, request):
        self.region = request.config.get("region")

    def check(self, olds, news):
        failures = [CheckFailure("size", "is too big")] if news.get("size") == 9 else []
        return CheckResult({**news, "checked": True}, failures)

    def create(self, props):
        print("making", props["size"])
        if props["size"] == 7:
            try:
                {}["x"]
            except KeyError as error:
                raise Broken("7 is unlucky.\\n  Take 8.") from error
        if props["size"] == 4:
            raise Broken("line of a report\\n" * 4000)
        if props["size"] == 6:
            os._exit(3)
        if props["size"] == 5:
            return {}["size"]
        return CreateResult("id-1", {**props, "region": self.region})

    def diff(self, id, olds, news):
        return DiffResult(changes=olds["size"] != news["size"], replaces=["size"] if news["size"] == 8 else [])

    def update(self, id, olds, news):
        return UpdateResult({**news, "was": olds["size"]})


class Plain(ResourceProvider):
    pass
"""
URN = "urn:pulumi:dev::web::pulumi-python:dynamic:Resource::x"
Inputs = Callable[..., Properties]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("program")
    (directory / "made_things.py").write_text(PROGRAM)
    return directory


@pytest.fixture(scope="module")
def inputs(program: Path) -> Inputs:
    sys.path.insert(0, str(program))
    try:
        import made_things  # type: ignore[import-not-found]  # noqa: PLC0415  # written above
    finally:
        sys.path.remove(str(program))
    pickled = {
        name: base64.b64encode(dill.dumps(getattr(made_things, name)())).decode() for name in ("Provider", "Plain")
    }
    return lambda size, provider="Provider": {"__provider": pickled[provider], "size": size}


@pytest.fixture
def lines() -> Queue[str]:
    return Queue()


@pytest.fixture
def dynamic(program: Path, lines: Queue[str]) -> Iterator[DynamicProvider]:
    provider = DynamicProvider(start_host(program, "web"), {"web:region": Secret("north")}, lines.put)
    yield provider
    provider.close()


def test_the_life_of_a_dynamic_resource(dynamic: DynamicProvider, inputs: Inputs, lines: Queue[str]) -> None:
    checked = dynamic.check(URN, None, inputs(1))
    assert checked["checked"] is True
    made = dynamic.create(URN, checked, None)
    assert (made.id, made.outputs["region"]) == ("id-1", "north")
    assert lines.get(timeout=60) == "making 1.0"
    assert dynamic.diff(URN, "id-1", checked, made.outputs, checked, []).changed == []
    assert dynamic.diff(URN, "id-1", checked, made.outputs, inputs(2) | {"checked": True}, []).changed == ["size"]
    assert dynamic.diff(URN, "id-1", checked, made.outputs, inputs(8), []).replaces == ["size"]
    assert dynamic.update(URN, "id-1", checked, made.outputs, inputs(2), None)["was"] == 1
    found = dynamic.read(URN, "id-1", checked, made.outputs)
    assert found is not None
    assert found.outputs == made.outputs
    dynamic.delete(URN, "id-1", checked, made.outputs)
    assert dynamic.find(URN, checked) is None


def test_a_provider_without_diff_has_its_inputs_compared(dynamic: DynamicProvider, inputs: Inputs) -> None:
    old, new = inputs(1, "Plain"), inputs(2, "Plain")
    assert dynamic.diff(URN, "x", old, old, new, []).changed == ["size"]
    assert dynamic.diff(URN, "x", old, old, old, []).changed == []
    assert dynamic.diff(URN, "x", old, old, {**old, "size": UNKNOWN}, []).changed == ["size"]


def test_errors_are_the_authors_words(dynamic: DynamicProvider, inputs: Inputs) -> None:
    with pytest.raises(ProviderError, match=r"\Asize: is too big\Z"):
        dynamic.check(URN, None, inputs(9))
    with pytest.raises(ProviderError, match=r"\A7 is unlucky\.\n  Take 8\.\Z"):
        dynamic.create(URN, inputs(7), None)
    with pytest.raises(ProviderError, match=r"\AKeyError: 'size'\Z"):
        dynamic.create(URN, inputs(5), None)


def test_a_long_report_arrives_whole_though_errors_travel_as_metadata(dynamic: DynamicProvider, inputs: Inputs) -> None:
    with pytest.raises(ProviderError) as caught:
        dynamic.create(URN, inputs(4), None)
    assert str(caught.value).count("line of a report") == 4000


def test_a_host_that_dies_leaves_the_outcome_unknown(dynamic: DynamicProvider, inputs: Inputs) -> None:
    with pytest.raises(OutcomeUnknownError, match="ended during Create"):
        dynamic.create(URN, inputs(6), None)


def test_a_host_that_does_not_start_says_why(program: Path, tmp_path: Path) -> None:
    (tmp_path / "pulumi.py").write_text("raise ImportError('half installed')")
    provider = DynamicProvider(start_host(tmp_path, "web"), {}, lambda _: None)
    with pytest.raises(ProviderError, match=r"did not start.*\n.*half installed"):
        provider.check(URN, None, {})
    provider.close()


def test_the_host_ends_with_the_engine(program: Path) -> None:
    code = (
        "import pathlib, os, sys\nfrom tooling.engine.dynamic_host import start_host\n"
        f"host = start_host(pathlib.Path({str(program)!r}), 'web')\n"
        "print(host.pid, flush=True)\nhost.stdout.readline()\nos.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=os.environ, capture_output=True, text=True, check=False
    )
    host = int(ended.stdout)
    deadline = time.monotonic() + 30
    while psutil.pid_exists(host) and psutil.Process(host).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the host outlived the engine"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("traceback", "message"),
    [
        ("verification.Failed: Valkey is down.\nStart it.", "Valkey is down.\nStart it."),
        ('Traceback (most recent call last):\n  File "a.py", line 1, in f\n    x()\n    ^^^\nException: No.\n', "No."),
        ("ValueError: bad", "ValueError: bad"),
        ("SystemExit", "SystemExit"),
    ],
)
def test_the_message_is_cut_out_of_a_traceback(traceback: str, message: str) -> None:
    assert _message(traceback) == message
