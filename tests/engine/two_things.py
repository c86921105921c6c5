"""A program of two things, on the SDK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

PROJECT = """\
name: web
runtime: python
stackConfigDir: stacks
options: {refresh: always}
config:
  size: {type: integer, default: 1}
"""
PROGRAM = """\
import pulumi

config = pulumi.Config()


class Thing(pulumi.CustomResource):
    address: pulumi.Output[str]

    def __init__(self, name, props, opts=None):
        super().__init__("fake:index:Thing", name, {**props, "address": None}, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("web:index:Group", name, None, opts)
        self.a = Thing("a", {"name": "a", "size": config.require_int("size")}, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"address": self.a.address})


group = Group("group")
b = Thing("b", {"name": "b", "of": group.a.address, "password": pulumi.Output.secret("hush hush")})
pulumi.export("address", group.a.address)
pulumi.export("password", b.password if hasattr(b, "password") else pulumi.Output.secret("hush hush"))
"""
Run = Callable[..., int]


def state(project: Path) -> str:
    return (project / ".pulumi-state/.pulumi/stacks/web/dev.json").read_text()
