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
from tests.engine.two_engines import Project, differences
from tests.seed import SEED

pytestmark = [pytest.mark.pulumi_cli]
TOGETHER: Final = 25
"""Programs that are one."""
UPDATES: Final = 3
KINDS: Final = ("renamed", "replaced with", "deleted first")
THINGS: Final = "abcdef"
GROUPS: Final = "gh"


def drawn(chance: random.Random, kind: str) -> list[Spec]:
    """A program of two to six resources in any order, each with what it takes from those before it.

    Some are renamed, or replaced with others, or deleted before they are replaced. Where these come together the CLI
    looks for new names alone, deletes what is deleted already, and deletes what is no longer to be replaced. What
    ``deletedWith`` replaces differs from one version to the next: tests/engine/test_hand_over_of_plans.py.
    """
    names = chance.sample(THINGS + GROUPS, chance.randint(2, 6))
    formers = [name for name in chance.sample(THINGS + GROUPS, 8) if name not in names]
    return [_spec(chance, kind, name, names[:place], formers) for place, name in enumerate(names)]


def _spec(chance: random.Random, kind: str, name: str, before: list[str], formers: list[str]) -> Spec:
    things, groups = ([one for one in before if one in these] for these in (THINGS, GROUPS))
    aliases: list[dict[str, Any]] = []
    kin = [one for one in formers if (one in GROUPS) == (name in GROUPS)]
    if kind == "renamed" and kin and chance.random() < 1 / 3:
        aliases.append({"name": kin[0]})
        formers.remove(kin[0])
    if name in GROUPS:
        return group(name, {"aliases": aliases} if aliases else {}, size=chance.randint(1, 2))

    def value() -> Any:
        taken = [of(one, chance.choice(["id", "computed", "size"])) for one in things]
        return chance.choice([1, 2, {"secret": 1}, *taken])

    props: dict[str, Any] = {"size": value(), "fixed": chance.choice([name, name, f"{name}2", *map(of, things)])}
    props |= {"other": value()} if chance.random() < 1 / 3 else {}
    props |= {"first": True} if kind == "deleted first" and chance.random() < 1 / 4 else {}
    options: dict[str, Any] = {}
    if groups and chance.random() < 1 / 2:
        options["parent"] = chance.choice(groups)
    if kind == "renamed" and chance.random() < 1 / 4:
        aliases.append({"parent": chance.choice([None, *groups])})
    seldom: dict[str, Any] = {
        "aliases": aliases or None,
        "depends_on": chance.sample(things, 1) if things else None,
        "replace_with": chance.sample(things, 1) if things and kind == "replaced with" else None,
        "delete_before_replace": chance.choice([True, False]) if kind == "deleted first" else None,
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
        programs = [drawn(chance, KINDS[one % len(KINDS)]) for one in range(TOGETHER)]
        project.write({"program.json": written(programs)})
        engine = ("embedded", "pulumi")[number % 2]
        for ours, theirs in (project.plans(), project.outcomes(engine)):
            found = differences(ours, theirs)
            at = sorted({int(urn.rpartition("::p")[2].split("-")[0]) for urn in found if "::p" in urn})
            assert not found, "\n".join([str(found), *(f"{before[one]}\n-> {programs[one]}" for one in at)])
        project.other_sees_no_change(engine)
        before = programs
