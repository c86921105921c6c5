"""Configuration reaches the program as the same text from either engine. Needs the Pulumi CLI."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.two_engines import Project

pytestmark = pytest.mark.pulumi_cli
PROJECT = f"""\
name: handover
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
stackConfigDir: stacks
config:
  object: {{type: object, default: {{b: "<&>", a: [1, 2.50]}}}}
  words: {{type: array, items: {{type: string}}, default: []}}
  number: {{type: integer, default: 1}}
"""
PROGRAM = """\
import json
from pathlib import Path
from pulumi.runtime import config

values = {**config.get_config_env(), **config.CONFIG.get()}
secret = {*config.get_config_secret_keys_env(), *filter(config.is_config_secret, values)}
Path("seen.json").write_text(json.dumps([values, sorted(secret)]))
"""
WRITTEN = """\
config:
  handover:date: 2026-11-23
  handover:quoted: "2026-11-23"
  handover:time: 2026-1-2 3:04:05.120
  handover:zulu: 2026-11-23T10:00:00Z
  handover:zone: 2026-11-23t10:00:00.5+02:00
  handover:noDate: 2026-13-23
  handover:noTime: 2026-11-23T10:00:00
  handover:noZone: 2026-11-23 10:00:00Z
  handover:stamp: 20261123T072200Z
  handover:half: 1.50
  handover:large: 1e20
  handover:larger: 1e22
  handover:small: 1.5e-5
  handover:smaller: 1e-7
  handover:list: [1, {a: <b>}, "x"]
  handover:rich:
    numbers: [1.0, 0o17, 017, 1_000, 1e-7, 1.5e-5, 1.5e22, .5, 1.5e+17, 0.0, -0.5]
    words: [on, yes, ~, true, "true", "1"]
    text: "<&> \\u2028 \\b\\f \u00e4\U0001f600 \\" \\\\ /"
    2: number
    date: 2026-11-23
"""


def test_both_engines_hand_over_the_same_text_and_the_same_secrets(tmp_path: Path) -> None:
    project = Project(tmp_path, {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM, "stacks/Pulumi.dev.yaml": ""})
    project.pulumi("stack", "init")
    file = tmp_path / "stacks/Pulumi.dev.yaml"
    project.embedded("config", "set", "--secret", "key", "hush")
    project.embedded("config", "set", "--secret", "--path", "object.deep.key", "hush")
    project.embedded("config", "set", "--path", "object.deep.number", "5")
    # Written last, because the CLI writes dates otherwise whenever it changes a file.
    file.write_text(file.read_text().replace("config:\n", WRITTEN))

    def seen() -> Any:
        return json.loads((tmp_path / "seen.json").read_text())

    project.embedded("preview")
    embedded = seen()
    project.pulumi("preview")
    assert embedded == seen()
    values, secret = embedded
    assert len(values) == 20
    assert values["handover:object"] == '{"deep":{"key":"hush","number":5}}'
    assert secret == ["handover:key", "handover:object"]
