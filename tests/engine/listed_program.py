"""A program that makes the resources which a file beside it lists, for two engines to plan and to carry out."""

from __future__ import annotations

import sys
from typing import Any

PROJECT = f"""\
name: handover
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
stackConfigDir: stacks
options: {{refresh: always}}
"""
# `fixed` cannot change in place; `first` has the old one deleted before; `fail` makes what is asked for fail.
THINGS = """\
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class Provider(ResourceProvider):
    def create(self, props):
        if props.get("fail"):
            raise Exception(props["fail"])
        return CreateResult(f"id-{props['fixed']}", {**props, "computed": f"<{props['fixed']}>"})

    def diff(self, id, olds, news):
        changed = [key for key in news if key != "__provider" and olds.get(key) != news[key]]
        replaces = ["fixed"] if "fixed" in changed else []
        return DiffResult(bool(changed), replaces, [], delete_before_replace=bool(news.get("first")))

    def update(self, id, olds, news):
        if news.get("fail"):
            raise Exception(news["fail"])
        return UpdateResult({**news, "computed": f"<{news['fixed']}>"})


class Thing(Resource, module="things", name="Thing"):
    def __init__(self, name, props, opts=None):
        super().__init__(Provider(), name, {**props, "computed": None}, opts)
"""
MAKING = """\
import json

import pulumi
from things import Thing


class Group(pulumi.ComponentResource):
    def __init__(self, name, props, opts):
        super().__init__(f"handover:index:{props.pop('kind', 'Group')}", name, props, opts)


made = {}


def value(of):
    if isinstance(of, dict) and "secret" in of:
        return pulumi.Output.secret(of["secret"])
    return getattr(made[of["of"]], of["output"]) if isinstance(of, dict) and "of" in of else of


def make(name, props, options):
    group = props.pop("group", False)
    for key in {"parent", "deleted_with"} & options.keys():
        options[key] = made[options[key]]
    for key in {"depends_on", "replace_with"} & options.keys():
        options[key] = [made[item] for item in options[key]]
    if "aliases" in options:
        for alias in options["aliases"]:
            if alias.get("parent"):
                alias["parent"] = made[alias["parent"]]
            elif "parent" in alias:
                alias["parent"] = pulumi.ROOT_STACK_RESOURCE
        options["aliases"] = [pulumi.Alias(**alias) for alias in options["aliases"]]
    if "custom_timeouts" in options:
        options["custom_timeouts"] = pulumi.CustomTimeouts(**options["custom_timeouts"])
    opts = pulumi.ResourceOptions(**options)
    props = {key: value(item) for key, item in props.items()}
    made[name] = Group(name, props, opts) if group else Thing(name, {"fixed": name, **props}, opts)
    return made[name]


programs = json.load(open("program.json"))
"""
PROGRAM = (
    MAKING
    + """\
for spec in programs:
    make(*spec)
"""
)
# The order of what does not depend on one another is the SDK's, and another one may be another plan.
PROGRAMS_IN_ORDER = (
    MAKING
    + """\
async def in_order(specs):
    for spec in specs:
        await make(*spec).urn.future()


pulumi.export("made", pulumi.Output.all(*[in_order(specs) for specs in programs]))
"""
)
FILES = {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM, "things.py": THINGS, "program.json": "[]"}
Spec = tuple[str, dict[str, Any], dict[str, Any]]


def of(name: str, output: str = "id") -> dict[str, str]:
    return {"of": name, "output": output}


def thing(name: str, options: dict[str, Any] | None = None, **props: Any) -> Spec:
    return name, props, options or {}


def group(name: str, options: dict[str, Any] | None = None, **props: Any) -> Spec:
    return name, {"group": True, **props}, options or {}


def prefixed(value: Any, prefix: str, names: set[str]) -> Any:
    """Specs with a prefix before each name, so that other programs have others."""
    if isinstance(value, dict):
        return {
            key: item if key in ("output", "secret", "type_") else prefixed(item, prefix, names)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [prefixed(item, prefix, names) for item in value]
    return f"{prefix}{value}" if isinstance(value, str) and value in names else value
