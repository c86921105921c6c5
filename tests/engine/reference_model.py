"""What Pulumi's rules make of a program of things and groups, said once more and in few words.

The state after a success is the program's, and a thing is replaced where it must be and nowhere else. Nothing here says
how that is reached: tests/engine/test_random_plans.py compares it with the Pulumi CLI.

Source: continueStepsFromImport and continueStepsFromDiff of
https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/step_generator.go
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from tests.engine.fakes import STACK
from tooling.engine.goal import Alias, Goal, Registered
from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, STACK_TYPE, Resource
from tooling.pulumi_files.values import UNKNOWN, Properties, Secret, equal, mark_secrets, unwrap

THING: Final = "fake:index:Thing"
GROUPS: Final = {"g": "fake:index:Group", "h": "fake:index:Team"}
TOKENS: Final = {"plain": "a word", "sealed": Secret("a word"), "hush": Secret("hush hush")}
"""What a thing's token may be: the second is now secret and now not, the third never stands in clear."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Wanted:
    """A resource of a program; the others are named by their names.

    Attributes:
        needs: Whose address and token are inputs, which change in place.
        bound: Whose address is an input that cannot change in place.
        shy: Its address is an additional secret output.
        deleted_with: What it is in, and goes with.
        former: Names and parents that it had.
    """

    name: str
    parent: str = ""
    needs: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    size: int = 1
    fixed: int = 1
    token: str = "plain"
    shy: bool = False
    protect: bool = False
    retain: bool = False
    delete_first: bool | None = None
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    replace_on: tuple[str, ...] = ()
    former: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        said = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Wanted({', '.join(said)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - as IPython has it
        printer.text(repr(self))

    @property
    def urn(self) -> str:
        return urn(self.name, self.parent)

    @property
    def links(self) -> dict[str, str]:
        """What each input that is another's address is taken from."""
        host = {"bound_host": self.deleted_with} if self.deleted_with else {}
        return {f"needs_{one}": one for one in self.needs} | {f"bound_{one}": one for one in self.bound} | host


Program = Sequence[Wanted]


def urn(name: str, parent: str = "") -> str:
    """URN of a thing or a group."""
    above = f"{GROUPS[parent]}$" if parent else ""
    return f"urn:pulumi:dev::web::{above}{GROUPS.get(name, THING)}::{name}"


def cannot_change(key: str, replace_on: Sequence[str] = ()) -> bool:
    """Whether a change of the input replaces the thing."""
    return key == "fixed" or key.startswith("bound_") or key in replace_on


def inputs(wanted: Wanted, outputs: Mapping[str, Properties]) -> Properties:
    """The inputs that the program gives a thing, by the outputs that the others have."""
    taken = {key: outputs[other].get("address", UNKNOWN) for key, other in wanted.links.items()}
    tokens = {f"token_{other}": outputs[other].get("token", UNKNOWN) for other in wanted.needs}
    return {"size": wanted.size, "fixed": wanted.fixed, "token": TOKENS[wanted.token], **taken, **tokens}


def goal(wanted: Wanted, program: Program, answers: Mapping[str, Registered]) -> Goal:
    """What the SDK makes of it."""
    urns = {other.name: other.urn for other in program}
    group = wanted.name in GROUPS
    aliases = [
        Alias(
            name=name,
            type=GROUPS.get(name, ""),
            parent=urn(parent) if parent else STACK if wanted.parent else "",
        )
        for name, parent in wanted.former
    ]
    parent = urns[wanted.parent] if wanted.parent else STACK
    if group:
        return Goal(type=GROUPS[wanted.name], name=wanted.name, custom=False, parent=parent, aliases=aliases)
    by_property = {key: [urns[other]] for key, other in wanted.links.items()}
    by_property |= {f"token_{other}": [urns[other]] for other in wanted.needs}
    return Goal(
        type=THING,
        name=wanted.name,
        custom=True,
        parent=parent,
        inputs=inputs(wanted, {name: answer.outputs for name, answer in answers.items()}),
        dependencies=dependencies(wanted, program),
        property_dependencies=by_property,
        protect=wanted.protect,
        retain_on_delete=wanted.retain,
        delete_before_replace=wanted.delete_first,
        ignore_changes=list(wanted.ignore),
        replace_on_changes=list(wanted.replace_on),
        additional_secret_outputs=["address"] if wanted.shy else [],
        aliases=aliases,
        deleted_with=urns[wanted.deleted_with] if wanted.deleted_with else "",
        replace_with=[urns[other] for other in wanted.replace_with],
    )


def dependencies(wanted: Wanted, program: Program) -> list[str]:
    """URNs that a thing depends on."""
    urns = {other.name: other.urn for other in program}
    return sorted({urns[other] for other in (*wanted.links.values(), *wanted.waits)})


def living(resources: Sequence[Resource]) -> dict[str, Resource]:
    """The live things and groups of a state, by URN."""
    own = [resource for resource in resources if resource.type not in (STACK_TYPE, f"{PROVIDER_PREFIX}fake")]
    return {resource.urn: resource for resource in own if not resource.delete}


def was(wanted: Wanted, program: Program, before: Mapping[str, Resource]) -> Resource | None:
    """The resource of the state that it is: by its URN, a former one, or its parent's former one."""

    def once(parent: str) -> str:
        """The name of the group that it was."""
        group = next((other for other in program if other.name == parent), None)
        old = was(group, program, before) if group is not None else None
        return old.name if old is not None else parent

    formers = [urn(name, once(parent)) for name, parent in wanted.former]
    if once(wanted.parent) != wanted.parent:
        formers += [urn(name, once(wanted.parent)) for name in (wanted.name, *(name for name, _ in wanted.former))]
    return next((before[one] for one in (wanted.urn, *formers) if one in before), None)


def faults_of_success(program: Program, before: Mapping[str, Resource], after: Sequence[Resource]) -> list[str]:
    """How the state after an update that succeeded differs from what the program and the state before it make.

    Args:
        program: What was carried out.
        before: The live resources of the state before, without those that were found to be gone.
        after: All that the state has now.
    """
    now = living(after)
    faults = [f"{one.urn} waits for its deletion still" for one in after if one.delete]
    if now.keys() != {wanted.urn for wanted in program}:
        return [*faults, f"there are {sorted(now)}"]
    outputs = {wanted.name: now[wanted.urn].outputs for wanted in program}
    replaced: set[str] = set()
    for wanted in program:
        new, old = now[wanted.urn], was(wanted, program, before)
        if wanted.name in GROUPS:
            continue
        given = inputs(wanted, outputs)
        ignoring = dict(given)
        if old is not None:
            ignoring |= {key: old.inputs[key] for key in wanted.ignore if key in old.inputs}
            must, may = reasons(wanted, program, ignoring, old, replaced)
            anew = old.id != new.id
            if (must and not anew) or (anew and not may):
                faults.append(f"{wanted.name} is {new.id}, was {old.id}; to be replaced for {must}, at most for {may}")
            if anew:
                replaced |= {wanted.urn, old.urn}
        expected = ignoring if old is not None and old.id == new.id else given
        faults += differences(wanted, program, expected, new)
    return faults


def reasons(
    wanted: Wanted, program: Program, given: Properties, old: Resource, replaced: set[str]
) -> tuple[list[str], list[str]]:
    """Why a thing must be replaced, and why it may be: with what is deleted first goes what was bound to it."""
    keys = {*old.inputs, *given}
    changed = [key for key in sorted(keys) if unwrap(old.inputs.get(key)) != unwrap(given.get(key))]
    must = [key for key in changed if cannot_change(key, wanted.replace_on)]
    asked = {other.urn for other in program if other.name in (wanted.deleted_with, *wanted.replace_with)}
    must += [f"with {one}" for one in sorted(asked & replaced)]
    must += ["gone"] if old.pending_replacement else []
    return must, must + [f"with {one}" for one in (old.deleted_with, *old.replace_with) if one in replaced]


def differences(wanted: Wanted, program: Program, given: Properties, new: Resource) -> list[str]:
    """How a thing's record differs from what the program says, secret marks included."""
    options = goal(wanted, program, {other.name: Registered(urn=other.urn) for other in program})
    expected = {
        "inputs": given,
        # What is no longer secret may stay sealed until it changes.
        "outputs": mark_secrets({**given, "address": f"at {new.id}"}, new.outputs, options.additional_secret_outputs),
        "dependencies": options.dependencies,
        "property_dependencies": options.property_dependencies,
        "init_errors": [],
        **{key: getattr(options, key) for key in (
            "parent", "protect", "retain_on_delete", "deleted_with", "replace_with", "ignore_changes",
            "replace_on_changes", "additional_secret_outputs",
        )},
    }  # fmt: skip
    return [
        f"{wanted.name}.{key} is {getattr(new, key)}, not {value}"
        for key, value in expected.items()
        if not equal(getattr(new, key), value)
    ]
