"""What people paste acts on the stack that it is about, and takes nothing of others along."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.building.one_shot import one_shot_result
from tests.unit.test_verification_checks import FAULTS, app, container, evidence, result
from verification.checks import judge
from verification.evidence import Connectivity, Evidence
from verification.evidence.container import Container

PROJECT = Path(__file__).resolve().parents[2]
MAKE = re.compile(r"\bmake (?:-s )?([a-z][a-z0-9-]*)\b(?! STACK=)")
STATEFUL = ("redis-valkey", "valkey", "postgres")


def targets() -> set[str]:
    """Targets of the Makefile that act on a stack."""
    rules = re.findall(r"(?m)^([a-z-]+):.*\n((?:\t.*\n)*)", (PROJECT / "Makefile").read_text(encoding="utf-8"))
    return {target for target, recipe in rules if "$(DEPLOY)" in recipe or "$(STACK)" in recipe}


def of_stack(found: Container, stack: str) -> Container:
    """The container with a stack's label, where it is there at all."""
    if not found.inspect:
        return found
    config = (found.inspect.get("Config") or {}) | {"Labels": {"pulumi.stack": stack}}
    return replace(found, inspect=found.inspect | {"Config": config})


def of_prod(found: Evidence) -> Evidence:
    """The same evidence of a deployment of stack prod, whatever is missing of it."""

    def marked(one: Container | None) -> Container | None:
        return of_stack(one, "prod") if one else None

    apps = tuple(replace(one, container=of_stack(one.container, "prod")) for one in found.apps)
    valkey = found.valkey and replace(found.valkey, container=marked(found.valkey.container))
    reach = found.connectivity and replace(
        found.connectivity, private=tuple(of_stack(one, "prod") for one in found.connectivity.private)
    )
    # Of a replica that is gone no label tells; of the one beside it, it does.
    beside = found.gateway or container("gateway", "172.20.0.8")
    return replace(
        found,
        apps=apps,
        valkey=valkey,
        connectivity=reach,
        postgres=marked(found.postgres),
        gateway=marked(beside),
        migration=marked(found.migration),
    )


@pytest.mark.parametrize(("check", "cause", "found"), FAULTS, ids=[f"{check}: {cause}" for check, cause, _ in FAULTS])
def test_every_line_a_report_prints_for_prod_acts_on_prod_alone(check: str, cause: str, found: Evidence) -> None:
    del check, cause
    for item in judge(of_prod(found)):
        assert not targets() & set(MAKE.findall(item.fix)), item.fix
        assert set(re.findall(r"STACK=(\S+)", item.fix)) <= {"prod"}, item.fix
        assert "rm -f" not in item.fix, item.fix
        assert "$(" not in item.fix, item.fix
        for names in re.findall(r"docker rm ([^&;#]+)", item.fix):
            assert names.startswith("--volumes "), f"anonymous volumes stay behind: {item.fix}"
            stop = f"docker stop {names.removeprefix('--volumes ').strip()} && "
            assert stop in item.fix, f"killed without time to stop: {item.fix}"


def test_a_deployment_that_is_no_stack_is_never_mended_by_an_update_of_some_stack() -> None:
    for _, _, found in FAULTS:
        for item in judge(found):
            assert not re.search(r"\bmake (up|drift)\b", item.fix), item.fix


def reach(**changes: Any) -> Evidence:
    """Two replicas and what the gateway's network reaches of the containers behind them."""
    nets = {"data": {"IPAddress": "10.0.0.9"}}

    def on(name: str, *networks: str) -> Container:
        found = of_stack(container(name, ""), "prod")
        joined = {network: nets.get(network, {}) for network in networks}
        return replace(found, inspect=found.inspect | {"NetworkSettings": {"Networks": joined}})

    apps = (app("one", container=on("one", "edge", "data")), app("two", container=on("two", "data")))
    valkey, postgres = on("valkey", "data", "edge"), on("postgres", "data", "bridge")
    found = Connectivity(edge="edge", private=(valkey, postgres), control=("one",), internal={"data": True})
    seen = evidence(apps=apps, postgres=postgres, connectivity=replace(found, **changes))
    assert seen.valkey
    return replace(seen, valkey=replace(seen.valkey, container=valkey))


@pytest.mark.parametrize(
    ("check", "changes", "fix"),
    [
        ("isolation", {"answered": ("valkey (10.0.0.2:6379)",)}, "docker network disconnect edge valkey"),
        # A guest's network is left as it is, with all who are on it.
        ("isolation", {"internal": {"bridge": False}}, "docker network disconnect bridge postgres"),
        (
            "isolation",
            {"internal": {"data": False}},
            " && ".join(
                [
                    *(f"docker network disconnect data {name}" for name in ("one", "two", "valkey", "postgres")),
                    "docker network rm data",
                    "make up STACK=prod",
                ]
            ),
        ),
        ("gateway-replicas", {"missed": ("one", "two")}, "docker restart one && docker network connect edge two"),
    ],
)
def test_what_joined_a_wrong_network_goes_on_running(check: str, changes: dict[str, Any], fix: str) -> None:
    assert result(reach(**changes), check).fix == fix


@pytest.mark.parametrize(
    ("expected", "fix"),
    [
        ({"HostConfig.Memory": 1, "HostConfig.RestartPolicy.Name": "no"}, "make up STACK=prod"),
        ({"NetworkSettings.Networks": ["edge"]}, "docker network disconnect net postgres"),
        (
            {"NetworkSettings.Networks": ["net", "data"]},
            "make drift STACK=prod    # prints the line that joins the network again, by the names it had there",
        ),
        (
            {"HostConfig.CapDrop": ["KILL"], "HostConfig.Memory": 1},
            (
                "docker stop postgres && docker rm --volumes postgres && make up STACK=prod    "
                "# re-created; data volumes stay"
            ),
        ),
    ],
)
def test_a_container_that_holds_data_is_re_created_only_where_nothing_less_does(
    expected: dict[str, Any], fix: str
) -> None:
    known = of_stack(container("postgres", "172.20.0.5"), "prod")
    if "edge" in expected.get("NetworkSettings.Networks", ()):
        known.inspect["NetworkSettings"]["Networks"]["edge"] = {}
    found = evidence(postgres=known, expected={"postgres": expected})

    assert result(found, "as-asked").fix == fix


def test_what_a_container_made_by_hand_holds_is_not_removed_with_it() -> None:
    by_hand = container("postgres", "172.20.0.5")
    found = evidence(
        apps=(app(container=of_stack(container("open-webui", "172.20.0.3"), "prod")),),
        postgres=by_hand,
        expected={"postgres": {"HostConfig.CapDrop": ["KILL"]}},
    )

    assert "docker rm postgres &&" in result(found, "as-asked").fix


def test_a_one_shot_that_failed_leaves_no_anonymous_volume_behind() -> None:
    with pytest.raises(Exception, match="docker rm --volumes migration, then `make up STACK="):
        one_shot_result("id", 1, "", name="migration")


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Every text of the program that is no docstring, with where it stands; ``{…}`` for what is filled in."""
    folders = ("components", "docker_access", "preflight", "settings", "tooling", "topologies")
    files = [
        *PROJECT.glob("*.py"),
        *(file for name in (*folders, "verification") for file in (PROJECT / name).rglob("*.py")),
    ]
    return tuple(
        (f"{file.relative_to(PROJECT)}:{line}", text)
        for file in files
        for line, text in texts_in(ast.parse(file.read_text(encoding="utf-8")))
    )


def texts_in(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The texts below a node, with their lines; no docstring, and no part of a text that is filled in."""
    if isinstance(node, ast.JoinedStr):
        yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else "{…}" for p in node.values)
        below: list[ast.AST] = [part for part in node.values if isinstance(part, ast.FormattedValue)]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
        return
    else:
        below = [
            child
            for child in ast.iter_child_nodes(node)
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
        ]
    for child in below:
        yield from texts_in(child)


NO_COMMANDS = {
    # The name of the stack is put in afterwards.
    "verification/checks/finding.py": {"make up", "make drift"},
    # A row of the table in docs/images.md.
    "tooling/images/differences.py": {
        "another patch version than the tag names, of the same minor version; `make up` says which"
    },
}


PULUMI = re.compile(
    r"(?:\bpulumi|python -m tooling.engine) (?:up|config set|cancel|destroy|refresh|preview)\b(?!.*--stack)"
)
NO_COMMAND_OF_A_STACK = {
    # How to make what it reads, of whichever stack.
    "tooling/preview_report/steps.py",
    "tooling/preview_report/__main__.py",
}


def test_every_command_of_pulumi_that_a_message_names_names_its_stack() -> None:
    found = [(where, " ".join(text.split())) for where, text in texts()]
    wrong = [
        f"{where}: {text}"
        for where, text in found
        if PULUMI.search(text) and where.partition(":")[0] not in NO_COMMAND_OF_A_STACK
    ]

    assert wrong == []


def test_no_message_has_a_container_killed_or_removes_what_is_not_named() -> None:
    assert [(where, text) for where, text in texts() if re.search(r"docker rm (-f|--force)|docker .*\$\(", text)] == []


def test_every_command_of_make_that_a_message_names_names_its_stack() -> None:
    acting = targets()
    assert {"up", "drift", "destroy", "setup"} <= acting
    wrong = [
        f"{where}: {text}"
        for where, text in texts()
        if acting & set(MAKE.findall(text)) and text not in NO_COMMANDS.get(where.partition(":")[0], ())
    ]

    assert wrong == []
