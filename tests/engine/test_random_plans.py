"""Random programs, planned and carried out by both engines: the same operations, and the same state. Needs the CLI.

Many of them are one program, for a CLI's run takes seconds.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

import pytest

from tests.engine.listed_program import FILES, PROGRAMS_IN_ORDER, Spec, group, of, prefixed, thing
from tests.engine.two_engines import Project
from tests.seed import SEED

pytestmark = [pytest.mark.pulumi_cli]
TOGETHER: Final = 25
"""Programs that are one."""
UPDATES: Final = 3
THINGS: Final = "abcdef"
GROUPS: Final = "gh"
DELETED_WITH: Final = False
"""Whether what it is deleted with replaces a resource, since the CLI 3.260: https://github.com/pulumi/pulumi/pull/23818."""


def drawn(chance: random.Random) -> list[Spec]:
    """A program of two to six resources in any order, each with what it takes from those before it."""
    names = chance.sample(THINGS + GROUPS, chance.randint(2, 6))
    formers = [name for name in chance.sample(THINGS + GROUPS, 8) if name not in names]
    return [_spec(chance, name, names[:place], formers) for place, name in enumerate(names)]


def _spec(chance: random.Random, name: str, before: list[str], formers: list[str]) -> Spec:
    things, groups = ([one for one in before if one in kind] for kind in (THINGS, GROUPS))
    aliases: list[dict[str, Any]] = []
    kin = [one for one in formers if (one in GROUPS) == (name in GROUPS)]
    if kin and chance.random() < 1 / 3:
        aliases.append({"name": kin[0]})
        formers.remove(kin[0])
    if name in GROUPS:
        return group(name, {"aliases": aliases} if aliases else {}, size=chance.randint(1, 2))

    def value() -> Any:
        taken = [of(one, chance.choice(["id", "computed", "size"])) for one in things]
        return chance.choice([1, 2, {"secret": 1}, *taken])

    props: dict[str, Any] = {"size": value(), "fixed": chance.choice([name, name, f"{name}2", *map(of, things)])}
    props |= {"other": value()} if chance.random() < 1 / 3 else {}
    props |= {"first": True} if chance.random() < 1 / 4 else {}
    options: dict[str, Any] = {}
    if groups and chance.random() < 1 / 2:
        options["parent"] = chance.choice(groups)
    if chance.random() < 1 / 4:
        aliases.append({"parent": chance.choice([None, *groups])})
    seldom: dict[str, Any] = {
        "aliases": aliases or None,
        "depends_on": chance.sample(things, 1) if things else None,
        "replace_with": chance.sample(things, 1) if things else None,
        "deleted_with": chance.choice(things) if things and DELETED_WITH else None,
        "delete_before_replace": chance.choice([True, False]),
        "ignore_changes": [chance.choice(["size", "fixed", "other"])],
        "replace_on_changes": [chance.choice(["size", "*", "other"])],
        "retain_on_delete": True,
        "additional_secret_outputs": [chance.choice(["computed", "size"])],
    }
    likely = {"aliases": 1.0, "delete_before_replace": 0.5}
    options |= {k: v for k, v in seldom.items() if v is not None and chance.random() < likely.get(k, 1 / 5)}
    return thing(name, options, **props)


def written(programs: list[list[Spec]]) -> str:
    names = {*THINGS, *GROUPS}
    return json.dumps([prefixed(specs, f"p{number}-", names) for number, specs in enumerate(programs)])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(3))
def test_both_engines_plan_and_carry_out_random_programs_alike(tmp_path: Path, part: int) -> None:
    print(f"TESTS_SEED={SEED}")
    chance = random.Random(f"{SEED} {part}")  # noqa: S311 - drawing programs
    project = Project(tmp_path, {**FILES, "__main__.py": PROGRAMS_IN_ORDER})
    project.up("embedded")
    before: list[list[Spec]] = [[] for _ in range(TOGETHER)]
    for number in range(UPDATES):
        programs = [drawn(chance) for _ in range(TOGETHER)]
        project.write({"program.json": written(programs)})
        engine = ("embedded", "pulumi")[number % 2]
        for ours, theirs in (project.plans(), project.outcomes(engine)):
            differing = {urn for urn in ours.keys() | theirs.keys() if ours.get(urn) != theirs.get(urn)}
            at = {int(urn.rpartition("::p")[2].split("-")[0]) for urn in differing if "::p" in urn}
            told = [f"{before[one]}\n-> {programs[one]}" for one in sorted(at)]
            both = {urn: (ours.get(urn), theirs.get(urn)) for urn in sorted(differing)}
            assert not differing, "\n".join([*told, *(f"{urn}: {one} / {other}" for urn, (one, other) in both.items())])
        project.other_sees_no_change(engine)
        before = programs
