"""The reference in ``docs/components.md``, from the docstrings of what other programs import.

``make reference`` writes it; ``tooling/documents/docstrings.py`` holds it against the code.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import components
from verification.resource import Verification, VerificationArgs

DOCUMENT: Final = Path(__file__).parents[2] / "docs/components.md"
START: Final = "<!-- from the docstrings: `make reference` writes what follows -->\n"

ORDER: Final = (
    "Network", "NetworkArgs", "Valkey", "ValkeyArgs", "Lockdown", "ExternalValkey", "OpenWebUI", "OpenWebUIArgs",
    "Replication", "Admin", "Oidc", "Pools", "Postgres", "PostgresArgs", "Gateway", "GatewayArgs", "DataVolume",
    "Limits", "Secret", "Certificate",
)  # fmt: skip
"""What is exported beyond these are the ``...Resources``, listed at the end."""

SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns|Guarantees|Source): *(.*)$")


def sections(docstring: str) -> dict[str, str]:
    """A Google-style docstring by section; the text before the first is under an empty name."""
    found: dict[str, list[str]] = {"": []}
    current = ""
    for line in inspect.cleandoc(docstring).splitlines():
        if match := SECTION.match(line):
            current = match[1]
            found.setdefault(current, []).append(match[2])
        else:
            found[current].append(line)
    return {name: textwrap.dedent("\n".join(lines)).strip("\n") for name, lines in found.items()}


def entries(section: str) -> dict[str, str]:
    """The entries of a section such as ``Args``, each on one line."""
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := re.match(r"^([\w.]+): (.*)$", line):
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found


def attribute_docs(thing: type) -> dict[str, str]:
    """The docs of each field or attribute of a class."""
    return entries(sections(thing.__doc__ or "").get("Attributes", "")) | _attribute_docstrings(thing)


def argument_docs(thing: type) -> dict[str, str]:
    """The docs of each constructor argument of a class."""
    if dataclasses.is_dataclass(thing):
        return attribute_docs(thing)
    docstrings = (thing.__doc__ or "", thing.__init__.__doc__ or "")  # type: ignore[misc]
    return {name: text for doc in docstrings for name, text in entries(sections(doc).get("Args", "")).items()}


def _attribute_docstrings(thing: type) -> dict[str, str]:
    """Strings below the fields of a class: https://peps.python.org/pep-0257/#what-is-a-docstring."""
    body = _definition(thing).body
    return {
        field.target.id: " ".join(inspect.cleandoc(text.value.value).split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _definition(thing: type) -> ast.ClassDef:
    parsed = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    assert isinstance(parsed, ast.ClassDef)  # noqa: S101 - of a class
    return parsed


def attribute_types(thing: type) -> dict[str, str]:
    """The public attributes a class declares, and their types as written."""
    return {
        item.target.id: ast.unparse(item.annotation)
        for item in _definition(thing).body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not item.target.id.startswith("_")
    }


def arguments(thing: type) -> dict[str, tuple[str, str]]:
    """Constructor arguments of a class: type and default as written, an empty default where one must be given."""
    if dataclasses.is_dataclass(thing):
        return {field.name: (str(field.type), _default(field)) for field in dataclasses.fields(thing)}
    parameters = list(inspect.signature(thing).parameters.values())
    return {
        parameter.name: (
            str(parameter.annotation),
            "" if parameter.default is parameter.empty else repr(parameter.default),
        )
        for parameter in parameters
    }


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return repr(field.default_factory())
    return "" if field.default is dataclasses.MISSING else repr(field.default)


def reference() -> str:
    """The reference, Markdown."""
    named = [getattr(components, name) for name in ORDER]
    resources = [getattr(components, name) for name in components.__all__ if name.endswith("Resources")]
    things = (*named, Verification, VerificationArgs, *resources)
    return "\n".join(line for thing in things for line in _class_page(thing))


def _class_page(thing: type) -> Iterator[str]:
    parts = sections(thing.__doc__ or "")
    yield from (f"## {thing.__name__}", "", _plain(_prose(parts[""])), "")
    if "Guarantees" in parts:
        yield from (_plain(parts["Guarantees"]), "")
    if thing.__name__.endswith("Resources"):
        yield from _attribute_table(thing)
    elif dataclasses.is_dataclass(thing):
        yield from _argument_table(thing)
    else:
        yield from ("```python", _call(thing.__name__, inspect.signature(thing)), "```", "")
        yield from _bullets(argument_docs(thing))
        yield from _attribute_table(thing)
        for name, method in vars(thing).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                yield from _method_page(name, method)
    for error, text in entries(parts.get("Raises", "")).items():
        yield from (f"Raises `{error}`: {_plain(text)}", "")
    if "Source" in parts:
        yield from ("Source: " + re.sub(r"(https://[^ ]+)", r"<\1>", parts["Source"]), "")


def _argument_table(thing: type) -> Iterator[str]:
    docs = argument_docs(thing)
    yield from ("| argument | type | default | |", "|---|---|---|---|")
    for name, (kind, default) in arguments(thing).items():
        shown = f"`{_cell(default)}`" if default else "must be given"
        yield f"| `{name}` | `{_cell(kind)}` | {shown} | {_plain(_cell(docs[name]))} |"
    yield ""


def _attribute_table(thing: type) -> Iterator[str]:
    docs = attribute_docs(thing)
    if types := attribute_types(thing):
        yield from ("| attribute | type | |", "|---|---|---|")
        yield from (f"| `{name}` | `{_cell(kind)}` | {_plain(_cell(docs[name]))} |" for name, kind in types.items())
        yield ""


def _method_page(name: str, method: Any) -> Iterator[str]:
    parts = sections(method.__doc__ or "")
    yield from ("```python", _call(name, inspect.signature(method)), "```", "")
    yield from (_plain(_prose(parts[""])), "")
    yield from _bullets(entries(parts.get("Args", "")))


def _bullets(docs: dict[str, str]) -> Iterator[str]:
    yield from (*(f"- `{name}`: {_plain(text)}" for name, text in docs.items()), "")


def _call(name: str, signature: inspect.Signature) -> str:
    """A signature as it is written, without ``self``."""
    given = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    return f"{name}{signature.replace(parameters=given)}".replace("'", "").replace("-> None", "").rstrip()


def _prose(text: str) -> str:
    """Paragraphs, each on one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def _plain(text: str) -> str:
    """Markdown for reStructuredText's roles and literals."""
    text = re.sub(r":\w+:`(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the reference below what is written by hand."""
    by_hand, start, _ = DOCUMENT.read_text(encoding="utf-8").partition(START)
    DOCUMENT.write_text(f"{by_hand}{start}{reference()}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
