"""What is wrong with a stack file, in words: each setting, the value seen, the rule, and the lines that would work."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from pydantic_core import ErrorDetails

from settings.models import FIELDS, KEYS, SECRET_KEYS, SECRETS
from settings.rules.problem import Problem
from settings.schema import schema_of
from settings.stack import StackSettings
from settings.values import Invalid
from settings.variables import is_secret

FROM_PUBLIC_URL: Final = frozenset({"publicUrl", "corsAllowOrigin"})
"""Keys whose example is this stack's own URL."""


class Refusal:
    """Puts what is wrong with a stack file into words.

    Args:
        project: Pulumi project.
        stack: Pulumi stack.
        given: The text of every key, without namespace.
        secret: Those of the keys, or of the places in them, that are encrypted in the stack file; None if unknown.
    """

    def __init__(self, project: str, stack: str, given: Mapping[str, str], secret: Collection[str] | None) -> None:
        self._project = project
        self._stack = stack
        self._given = given
        self._secret = secret

    def text(self, problems: Sequence[str]) -> str:
        """The whole refusal."""
        what = "a setting that cannot work" if len(problems) == 1 else "settings that cannot work"
        return "\n".join([f"stacks/Pulumi.{self._stack}.yaml has {what}:", *(f"  {one}" for one in problems)])

    def unknown_keys(self) -> Iterator[str]:
        """Keys that are no settings."""
        for key in sorted(self._given.keys() - KEYS):
            close = get_close_matches(key, KEYS, n=1)
            known = f"Did you mean {close[0]}?" if close else f"There are {', '.join(sorted(KEYS))}."
            hidden = key in (self._secret or ()) or SECRET_KEYS.intersection(close)
            seen = "" if hidden else f" ({self._given[key]!r})"
            yield f"{self._project}:{key}{seen} is not a setting. {known}"

    def plain_secrets(self) -> Iterator[str]:
        """Secrets that are not encrypted in the stack file."""
        if self._secret is None:
            return
        for place in sorted(self._secret_places()):
            key = place.partition(".")[0]
            of_its_parts = {one for one in self._secret if one.startswith(f"{key}.")}
            if place in of_its_parts or (not of_its_parts and key in self._secret):
                continue
            yield (
                f"{self._project}:{place} stands in plain text in the stack file, which is kept in git. "
                f"{self._encrypt(place)}"
            )

    def _secret_places(self) -> Iterator[str]:
        for place in SECRETS:
            key, _, within = place.partition(".")
            if within in self._given.get(key, "") if within else self._given.get(key):
                yield place
        if self._given.get("production") == "true":
            variables = decoded("extraEnvironment", self._given.get("extraEnvironment", "{}"))
            for name, value in variables.items() if isinstance(variables, dict) else ():
                if is_secret(name, value):
                    yield f"extraEnvironment.{name}"

    def invalid(self, error: ErrorDetails, settings: StackSettings) -> str:
        """A value that cannot work by itself, as pydantic found.

        The settings have defaults in place of those that cannot work.
        """
        key, *within = (str(part) for part in error["loc"] if not isinstance(part, int))
        is_key = within[-1:] == ["[key]"]
        path = within[:-1] if is_key else within
        raised = error.get("ctx", {}).get("error")
        schemas = schema_of(key, *path)
        example = None
        if isinstance(raised, Invalid):
            rule, example = raised.rule, raised.example
        elif error["type"] == "extra_forbidden" or is_key:
            above = schema_of(key, *path[:-1])[-1]
            close = get_close_matches(path[-1], above["properties"], n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(above['properties'])}"
            rule, is_key = f"there is no such key; {hint}", True
        elif error["type"] == "missing":
            rule = f"it is missing: {schemas[-1]['description'].rstrip('.')}"
        else:
            rule = wanted(schemas[-1])
        if example is None and not is_key:
            example = settings.public_url if key in FROM_PUBLIC_URL else _example(schemas, path)
        return self.words(Problem(key=key, path=tuple(path), rule=rule, example=example))

    def words(self, problem: Problem) -> str:
        """A problem, and the way out."""
        place = ".".join([problem.key, *problem.path])
        text = None if self._is_hidden(place) else self._given.get(problem.key)
        seen = "" if text is None else _seen(text, problem.path)
        if problem.example is None:
            way_out = ". Leave it out"
        elif place in SECRETS:
            way_out = f". {self._encrypt(place)}"
        else:
            lines = [_lines([f"{self._project}:{problem.key}", *problem.path], problem.example)]
            lines += [_lines([f"{self._project}:{other}"], value) for other, value in problem.also.items()]
            way_out = ". For example\n" + "\n".join(lines)
        return f"{self._project}:{place}{seen}: {problem.rule}{way_out}"

    def _is_hidden(self, place: str) -> bool:
        """Whether a value is not shown, because it or a part of it is or may be secret."""
        key = place.partition(".")[0]
        holds_one = any(f"{secret}.".startswith(f"{place}.") for secret in SECRETS)
        return holds_one or key == "extraEnvironment" or (key in (self._secret or ()) and key != "oidc")

    def _encrypt(self, place: str) -> str:
        within = "--path " if "." in place else ""
        return f"Set it encrypted: python -m tooling.engine config set {within}{place} --secret --stack {self._stack}"


def decoded(key: str, text: str) -> Any:
    """A value as pydantic takes it: objects and lists come as JSON; what is none stays as it is."""
    if key not in _structured():
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


@cache
def _structured() -> frozenset[str]:
    """Keys whose values are objects or lists."""
    defaults = {key: field.default for key, (_, field) in FIELDS.items()}
    return frozenset(key for key, default in defaults.items() if not isinstance(default, str | int))


def wanted(schema: Mapping[str, Any]) -> str:
    """What a value has to be, from its JSON schema: ``a whole number from 1 to 32 is wanted``."""
    if rule := schema.get("x-rule"):
        return str(rule)
    kind, unit = schema.get("type"), schema.get("x-unit")
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])} is wanted"
    if kind in {"integer", "number"}:
        number = "a whole number" if kind == "integer" else "a number"
        bounds = (
            f"from {schema['minimum']} to {schema['maximum']}"
            if "minimum" in schema
            else f"above {schema['exclusiveMinimum']}"
        )
        zero = f"; {schema['x-zero']}" if "x-zero" in schema else ""
        return f"{number}{f' of {unit}' if unit else ''} {bounds} is wanted{zero}"
    if "properties" in schema:
        return f"some of {', '.join(schema['properties'])} are wanted"
    words = {"boolean": "true or false is", "array": "a list of words is", "object": "keys with values are"}
    return f"{words.get(str(kind), 'text is')} wanted"


def _example(schemas: Sequence[Mapping[str, Any]], path: Sequence[str]) -> Any:
    """A value that works at a place, from the examples and the default of what is nearest to it."""
    for depth in range(len(path), -1, -1):
        schema = schemas[depth]
        for found in (*schema.get("examples", ()), schema.get("default")):
            example = found
            for part in path[depth:]:
                example = example.get(part) if isinstance(example, dict) else None
            if example is not None:
                return example
    return None


def _seen(value: str, path: Sequence[str]) -> str:
    """What stands at a place, for a message."""
    if not path:
        return f" is {value!r}"
    found = json.loads(value)
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return ""
        found = found[part]
    return f" is {json.dumps(found, ensure_ascii=False)}"


def _lines(path: Sequence[str], value: Any) -> str:
    """A value at its place, as it is to be written in a stack file."""
    indents = [" " * (4 + 2 * depth) for depth in range(len(path))]
    lines = [f"{indent}{key}:" for indent, key in zip(indents, path, strict=True)]
    return "\n".join(lines) + f" {_yaml(value)}"


def _yaml(value: Any) -> str:
    """The value as it is to be written in a stack file: quoted where YAML would read something else."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    plain = re.fullmatch(r"(?!on$|off$|\d+-)[\w/][\w./:@;+-]*(?<!:)", value, re.ASCII)
    return value if plain else json.dumps(value, ensure_ascii=False)
