"""Changes one value of a YAML file and nothing else: comments, order and quotes stay as people wrote them.

PyYAML says where things are; the text between is not touched. The Pulumi CLI rewrites the whole file.

Source: https://pyyaml.org/wiki/PyYAMLDocumentation (nodes and marks)
"""

from __future__ import annotations

from collections.abc import Sequence

import yaml


class NotABlockError(Exception):
    """The place is below something that is not an object with one key a line.

    Attributes:
        line: Where that is, counted from 1.
        name: Its key.
    """

    def __init__(self, line: int, name: str) -> None:
        super().__init__(f"line {line}: {name}")
        self.line = line
        self.name = name


def set_in(text: str, path: Sequence[Sequence[str]], value: str, *, secure: bool = False) -> str:
    """The document with another value at a place, which is made if it is missing.

    Args:
        text: The document, a mapping or empty.
        path: A key for each level, under all its names; a missing one gets the first.
        value: YAML of a scalar.
        secure: It is ciphertext: it goes into a mapping of its own, ``secure: value``.

    Raises:
        NotABlockError: Something on the way is a scalar, an alias, or an object in braces.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is not None and not _is_block(node):
        raise NotABlockError(node.start_mark.line + 1, "the document")
    below, indent = len(text.rstrip()), 0
    for depth, names in enumerate(path):
        if node is not None:
            below, indent = _end(text, node), node.value[0][0].start_mark.column
        pairs = node.value if node is not None else []
        key, found = next(((key, value) for key, value in pairs if key.value in names), (None, None))
        if key is None or found is None:
            return _insert(text, below, _lines([names[0] for names in path[depth:]], value, indent, secure=secure))
        colon = text.index(":", key.end_mark.index) + 1
        aliased = found.start_mark.index < colon
        if depth == len(path) - 1 and not aliased:
            return _replace(text, colon, found, value, indent, secure=secure)
        if _is_block(found) and not aliased:
            node = found
        elif _is_nothing(found) and not aliased:
            text = text[:colon] + text[_end(text, found) :]
            node, below, indent = None, colon, indent + 2
        else:
            raise NotABlockError(key.start_mark.line + 1, key.value)
    return text


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and bool(node.value) and not node.flow_style


def _is_nothing(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null" or (isinstance(node, yaml.MappingNode) and not node.value)


def _end(text: str, node: yaml.Node) -> int:
    """Where its text ends; the mark of a block is behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    return len(text[: node.end_mark.index].rstrip())


def _insert(text: str, below: int, lines: str) -> str:
    end = text.find("\n", below)
    head, tail = (text, "\n") if end < 0 else (text[:end], text[end:])
    return head + ("\n" if head else "") + lines + tail


def _lines(names: Sequence[str], value: str, indent: int, *, secure: bool) -> str:
    *outer, name = [f"{' ' * (indent + 2 * depth)}{name}:" for depth, name in enumerate(names)]
    last = [name, f"{' ' * (indent + 2 * len(names))}secure: {value}"] if secure else [f"{name} {value}"]
    return "\n".join([*outer, *last])


def _replace(text: str, colon: int, old: yaml.Node, value: str, indent: int, *, secure: bool) -> str:
    first, line_break, _ = text[colon : old.start_mark.index].partition("\n")
    comment = first.rstrip() if line_break else ""  # of the key, where the value begins below it
    new = f"{comment}\n{' ' * (indent + 2)}secure: {value}" if secure else f" {value}{comment}"
    return text[:colon] + new + text[_end(text, old) :]
