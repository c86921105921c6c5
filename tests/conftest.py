"""What every test runs in: a bare machine, a time it may take, the tier it belongs to, and what came before it."""

from __future__ import annotations

import fcntl
import gc
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any, Final

import docker.errors
import pytest

from docker_access.client import docker_client
from tests import bare
from tests.integration.deployment import ENGINES, Deployment
from tests.lives import Lives
from tooling.pulumi_cli.usable import obstacle_to_cli

MACHINE: Final = pytest.StashKey[Mapping[str, str]]()
"""The environment that the tests were started in."""
FOLDER: Final = pytest.StashKey[Path]()
FAILED: Final = pytest.StashKey[dict[str, str]]()
"""By group, the test that failed first."""
LIVES: Final = pytest.StashKey[Lives]()
AT_WORK: Final = pytest.StashKey[IO[str]]()
"""A file that a worker of xdist keeps locked until all that its tests have made is removed."""
CONTAINER_SECONDS: Final = 900
"""How long a test of containers may take, with what it shares with others and is the first to need."""
LOG_LINES: Final = 20
SAMPLE: Final = 1 / 4
"""Share of the tests marked ``sampled`` that a seed chooses."""
GROUPS: Final = (
    "faults of variants", "prod", "test_operations_single", "faults of replicas", "test_remote_docker", "test_edges",
    "faults of pair", "faults of accounts", "dev", "test_drift", "faults of Open WebUI", "test_replicas",
    "test_several_stacks", "test_images_contract", "test_images", "test_recovery", "test_stand_in",
)  # fmt: skip
"""What is begun first: a group that is begun last and takes minutes leaves the other workers idle."""
SHARING: Final = (
    "test_tutorial", "test_deployment", "test_replicated", "test_browser", "test_no_secret_gets_out",
    "test_operations_replicated",
)  # fmt: skip
"""Modules that share a life, in this order: from those that only look to those that end it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pulumi-cli",
        action="store_true",
        help="run the tests that need the Pulumi CLI, which must be there; no others",
    )
    parser.addoption("--seed", type=int, help="draws a quarter of the tests marked `sampled`; the others are nightly")
    parser.addoption("--skips-allowed", type=int, help="fail where more tests are skipped than these")


def pytest_configure(config: pytest.Config) -> None:
    """Make the machine bare, for the worker of xdist too, which is told what it was before."""
    given: dict[str, Any] = getattr(config, "workerinput", {})
    config.stash[MACHINE] = given.get("machine") or dict(os.environ)
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="bare-"))
    config.stash[FAILED] = {}
    config.stash[LIVES] = Lives()
    if "folder" in given:
        config.stash[AT_WORK] = Path(given["folder"], f"{os.getpid()}.worker").open("w", encoding="ascii")  # noqa: SIM115
        fcntl.flock(config.stash[AT_WORK], fcntl.LOCK_EX)
    with_the_cli = bool(config.getoption("--pulumi-cli"))
    bare_one = bare.environment(config.stash[MACHINE], config.stash[FOLDER], with_the_cli=with_the_cli)
    # What pytest and xdist have told this process stays.
    bare_one |= {name: text for name, text in os.environ.items() if name.startswith(bare.KEPT)}
    os.environ.clear()
    os.environ.update(bare_one)
    time.tzset()
    # A worker of xdist was started in that environment, and would compile every test again.
    sys.dont_write_bytecode = False


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[FOLDER])
    if AT_WORK in config.stash:
        config.stash[AT_WORK].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist which machine it is on, and where it says that it is at work."""
    node.workerinput["folder"] = str(node.config.stash[FOLDER])
    node.workerinput["machine"] = node.config.stash[MACHINE]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests of the Pulumi CLI or all others; keep the tests of a module of containers on one worker."""
    theirs = bool(config.getoption("--pulumi-cli"))
    if theirs and (obstacle := obstacle_to_cli(Path(__file__).parent.parent, asked=True)):
        raise pytest.UsageError(f"the Pulumi CLI cannot run this project: {obstacle}")
    # What goes on from other tests of its module needs those as well.
    whole = {item.path for item in items if theirs and _is(item, "pulumi_cli") and _is(item, "chained")}
    chosen = [item for item in items if _is(item, "pulumi_cli") == theirs or item.path in whole]
    config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
    if (seed := config.getoption("--seed")) is not None:
        sampled = sorted((item for item in chosen if _is(item, "sampled")), key=lambda item: item.nodeid)
        stay = random.Random(seed).sample(sampled, math.ceil(len(sampled) * SAMPLE))  # noqa: S311 - no secret
        for item in set(sampled) - set(stay):
            item.add_marker(pytest.mark.nightly)
    for item in chosen:
        if _is(item, "docker") or _is(item, "pulumi_cli"):
            if not _is(item, "timeout"):
                item.add_marker(pytest.mark.timeout(CONTAINER_SECONDS))
            if not _is(item, "xdist_group"):
                item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items[:] = sorted(chosen, key=_place)


def pytest_collection_finish(session: pytest.Session) -> None:
    """See that xdist keeps groups together, and that a collection of garbage looks at no test."""
    if session.config.getoption("loadgroup", default=False):
        scattered = [
            item.nodeid for item in session.items if _group(item) and not item.nodeid.endswith(f"@{_group(item)}")
        ]
        if scattered:
            # As with 3.8.0 and pytest 9.2: https://github.com/pytest-dev/pytest-xdist
            raise pytest.UsageError(f"this pytest-xdist does not keep groups with this pytest: {scattered[0]}")
    gc.freeze()


def _is(item: pytest.Item, marked: str) -> bool:
    return item.get_closest_marker(marked) is not None


def _place(item: pytest.Item) -> tuple[int, str, int]:
    group, module = _group(item), item.path.stem
    return (
        GROUPS.index(group) if group in GROUPS else len(GROUPS),
        group,
        SHARING.index(module) if module in SHARING else len(SHARING),
    )


def _group(item: pytest.Item | None) -> str:
    """What it is run with on one worker; nothing where it does not matter."""
    mark = item and item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail what goes on from a test that failed."""
    before = item.config.stash[FAILED].get(_group(item))
    if before and _is(item, "chained"):
        pytest.fail(f"not run: it goes on from {before}, which failed", pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End what a group of tests has shared."""
    if _group(item) != _group(nextitem):
        item.config.stash[LIVES].end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember what failed; beside a time-out, show what the containers of the last tests said."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        item.config.stash[FAILED].setdefault(_group(item), item.nodeid)
        if call.excinfo and "Timeout" in str(call.excinfo.value) and _is(item, "docker"):
            report.sections.append(("Containers", _logs()))
    return report  # type: ignore[return-value]


def _logs() -> str:
    """Last lines of every container that there is."""
    told = []
    try:
        with closing(docker_client(10)) as client:
            for container in client.containers.list(all=True, ignore_removed=True):
                said = container.logs(tail=LOG_LINES).decode(errors="replace")
                told.append(f"{container.name}, {container.status}:\n{said}")
    except (docker.errors.DockerException, OSError) as error:
        told.append(f"Docker does not say: {error}")
    return "\n".join(told)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the lives of a run that was interrupted; fail where more is skipped than somebody has looked at.

    Ctrl-C reaches the workers too. They are waited for: xdist would kill them within 15 seconds, whatever they remove.
    """
    session.config.stash[LIVES].end()
    for file in session.config.stash[FOLDER].glob("*.worker"):
        with file.open("w", encoding="ascii") as at_work:
            if exitstatus == pytest.ExitCode.INTERRUPTED:
                fcntl.flock(at_work, fcntl.LOCK_EX)
    allowed = session.config.getoption("--skips-allowed")
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        allowed is None
        or reporter is None
        or exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    ):
        return
    skipped = len(reporter.stats.get("skipped", []))
    if skipped > allowed:
        reporter.write_line(f"{skipped} tests were skipped; {allowed} may be.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def no_other_docker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests of containers see on which Docker they are run."""
    if not request.node.get_closest_marker("docker"):
        for name in bare.WHICH_DOCKER:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Deployment]:
    """A stack of the real application by its name, deployed and proved; who uses it leaves it proved."""
    return lambda name: request.config.stash[LIVES].get(name, lambda: tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="module", params=ENGINES)
def dev(request: pytest.FixtureRequest, life: Callable[[str], Deployment]) -> Deployment:
    """The single stack, under each engine."""
    return life("dev" if request.param == "embedded" else "dev by the CLI")


@pytest.fixture(
    scope="module",
    params=[
        # By day what has more secrets, and more in the way of a page.
        pytest.param("dev", marks=[pytest.mark.xdist_group("dev"), pytest.mark.nightly]),
        pytest.param("prod", marks=pytest.mark.xdist_group("prod")),
    ],
)
def stack(request: pytest.FixtureRequest, life: Callable[[str], Deployment]) -> Deployment:
    """The single stack over http, and the replicated one over https with every secret that one can have."""
    return life(request.param)


@pytest.fixture(scope="module")
def prod(life: Callable[[str], Deployment]) -> Deployment:
    """The replicated stack."""
    return life("prod")


@pytest.fixture(scope="module")
def downloads(request: pytest.FixtureRequest) -> Iterator[None]:
    """The machine's own environment, for what must reach a package index: its proxies, its pip, its authorities."""
    with pytest.MonkeyPatch.context() as patch:
        for name, text in request.config.stash[MACHINE].items():
            if name not in {"PATH", "TZ"} and not name.startswith(("DOCKER_", "PULUMI_")):
                patch.setenv(name, text)
        yield
