"""What is written from the models of settings: Pulumi.yaml, the table of settings, the JSON schema of stack files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.field_types import keys
from settings.models import FIELDS, GROUPS, KEYS
from settings.schema import properties
from tooling.documents import settings as documents

STACKS = [Path(f"stacks/Pulumi.{name}.yaml") for name in ("dev", "prod", "staging")]
SCHEMA = json.loads(Path("stacks/schema.json").read_text(encoding="utf-8"))


def test_every_document_is_as_the_models_say() -> None:
    stale = [str(file) for file, text in documents.documents().items() if file.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make reference`"


def test_a_document_that_is_not_is_named_or_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Pulumi.yaml"
    file.write_text("of before")
    monkeypatch.setattr(documents, "PROJECT", tmp_path)
    monkeypatch.setattr(documents, "documents", lambda: {file: "as it is"})
    assert documents.main(["--check"]) == 1
    assert capsys.readouterr().err == "Pulumi.yaml is not as settings/models.py says: run `make reference`\n"
    assert file.read_text() == "of before"
    assert documents.main([]) == 0
    assert documents.main(["--check"]) == 0
    assert file.read_text() == "as it is"


def test_what_stands_beside_the_settings_in_the_project_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/settings.md").write_text(f"Before.\n{documents.START}old\n{documents.END}After.\n")
    (tmp_path / "Pulumi.yaml").write_text("name: web # ours\nconfig:\n  old:\n    type: string\n# Last.\nmain: .\n")
    monkeypatch.setattr(documents, "PROJECT", tmp_path)
    project, table, schema = documents.documents().values()
    assert project.startswith("name: web # ours\nconfig:\n  topology:\n")
    assert project.endswith("\n# Last.\nmain: .\n")
    assert "  old:\n" not in project
    assert table.startswith("Before.\n")
    assert table.endswith("After.\n")
    assert "web:uiPort" in schema


def test_every_setting_is_in_one_group_and_says_what_it_does_in_a_sentence() -> None:
    assert sorted(key for group in GROUPS for key in keys(group)) == sorted(KEYS)
    for key in KEYS:
        assert re.fullmatch(r"[A-Za-z0-9].*\.", documents.description(key)), key
        assert "|" not in documents.description(key), key


@pytest.mark.parametrize("key", sorted(key for key, schema in properties().items() if "enum" in schema))
def test_every_word_that_a_setting_takes_is_explained(key: str) -> None:
    assert all(word in documents.description(key) for word in properties()[key]["enum"])


TYPES: dict[str, list[type]] = {
    "object": [dict], "array": [list], "string": [str], "boolean": [bool], "integer": [int], "number": [int, float],
    "null": [type(None)],
}  # fmt: skip


def fits(value: Any, schema: dict[str, Any]) -> bool:  # noqa: PLR0911 - a kind of value each
    """Whether a value is valid by a JSON schema, as far as stacks/schema.json uses it."""
    if "$ref" in schema:
        return fits(value, SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    wanted = schema.get("type", [*TYPES])
    kinds = [kind for name in ([wanted] if isinstance(wanted, str) else wanted) for kind in TYPES[name]]
    if type(value) not in kinds or value not in schema.get("enum", [value]):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if isinstance(value, list):
        return all(fits(one, schema.get("items", {})) for one in value)
    if isinstance(value, dict):
        return set(schema.get("required", [])) <= value.keys() and all(
            fits(one, of) for name, one in value.items() for of in schemas_of(name, schema)
        )
    return True


def schemas_of(name: str, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas of a member of an object; one that nothing fits where the object has no such member."""
    patterns = schema.get("patternProperties", {})
    found = [of for pattern, of in patterns.items() if re.search(pattern, name)]
    if name in schema.get("properties", {}):
        found.append(schema["properties"][name])
    others = schema.get("additionalProperties", {})
    return found or [{"type": []} if others is False else others]


@pytest.mark.parametrize("file", STACKS, ids=str)
def test_a_stack_file_names_its_schema_and_is_valid_by_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert fits(yaml.safe_load(text), SCHEMA)


SECURE = {"secure": "v1:abc:def"}


@pytest.mark.parametrize(
    "config",
    [
        {"open-webui:uiPort": "3100", "open-webui:production": "true"},
        {"uiPort": 3100, "other:anything": [1], "aws:region": "eu-central-1"},
        {"open-webui:adminPassword": SECURE, "open-webui:uiPort": SECURE},
        {"open-webui:extraEnvironment": {"A": 1, "B": True, "C": "x", "D": SECURE}},
        {"open-webui:oidc": {"providerUrl": "https://a", "clientId": "a", "clientSecret": SECURE}},
        {"open-webui:limits": {"open-webui": {"memory": 4096, "cpus": "0.5"}}},
        {"open-webui:acknowledged": ["floating-tag"], "open-webui:rotated": {"secret-key": "2026"}},
        None,
    ],
)
def test_what_a_stack_file_may_say_is_valid(config: Any) -> None:
    assert fits({"config": config, "encryptionsalt": "v1:x"}, SCHEMA)


@pytest.mark.parametrize(
    "config",
    [
        {"open-webui:uiport": 3100},
        {"open-webui:uiPort": 70000},
        {"open-webui:uiPort": "http"},
        {"open-webui:production": "yes"},
        {"open-webui:tls": "on"},
        {"uiport": 3100},
        {"open-webui:adminPassword": "hush-hush"},
        {"open-webui:oidc": {"providerUrl": "https://a", "clientId": "a", "clientSecret": "hush"}},
        {"open-webui:oidc": {"providerUrl": "https://a"}},
        {"open-webui:limits": {"open-webui": {"memori": 4096}}},
        {"open-webui:limits": {"redis": {}}},
        {"open-webui:acknowledged": ["floating-tags"]},
        {"open-webui:rotated": {"secretkey": "2026"}},
    ],
)
def test_what_cannot_work_is_marked_in_an_editor(config: Any) -> None:
    assert not fits({"config": config}, SCHEMA)


def test_the_schema_knows_the_keys_with_their_namespace_with_default_and_description() -> None:
    known = SCHEMA["properties"]["config"]["properties"]
    assert known.keys() == {f"open-webui:{key}" for key in FIELDS}
    assert all({"default", "description"} <= one.keys() for one in known.values())
