"""One value of a YAML file is changed, and not a character besides."""

import pytest

from tooling.pulumi_files.yaml_edit import NotABlockError, set_in

PATH = [["config"], ["web:mode", "mode"]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("config:\n  web:mode: |\n    # no comment\n\n    x\n\n# end\n", "config:\n  web:mode: new\n\n# end\n"),
        ("config:\n  web:mode: 'x # y\n    z'  # why\n  a: 1\n", "config:\n  web:mode: new  # why\n  a: 1\n"),
        ('config:\n  "mode": [1,\n    2]\n', 'config:\n  "mode": new\n'),
        ("config:\n  mode:  # why\n    # in\n    a: 1 # one\n  # b\n", "config:\n  mode: new  # why # one\n  # b\n"),
        ("config:\n  mode:\n  - 1\n  - 2\n  a: 1\n", "config:\n  mode: new\n  a: 1\n"),
        ("config: # c\n    a: |\n      web:mode: x\n", "config: # c\n    a: |\n      web:mode: x\n    web:mode: new\n"),
        ("config:\n  a: 1 # one\n\n# end", "config:\n  a: 1 # one\n  web:mode: new\n\n# end"),
        ("a: 1", "a: 1\nconfig:\n  web:mode: new\n"),
        ("config: ~ # why\nb: 2\n", "config: # why\n  web:mode: new\nb: 2\n"),
    ],
)
def test_a_value_is_replaced_or_added_and_all_else_stays(before: str, after: str) -> None:
    assert set_in(before, PATH, "new") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("config:\n  mode: x # why\n", "config:\n  mode:\n    secure: v1 # why\n"),
        ("config:\n  mode: # why\n    secure: v0\n", "config:\n  mode: # why\n    secure: v1\n"),
        ("", "config:\n  web:mode:\n    secure: v1\n"),
    ],
)
def test_ciphertext_gets_a_mapping_of_its_own(before: str, after: str) -> None:
    assert set_in(before, PATH, "v1", secure=True) == after


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{config: {mode: x}}\n", 1),
        ("a: 1\nconfig: {mode: x}\n", 2),
        ("config: 5\n", 1),
        ("config:\n- mode: x\n", 1),
        ("config:\n  a: &x 1\n  mode: *x\n", 3),
    ],
)
def test_a_place_in_what_is_no_block_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(NotABlockError) as refused:
        set_in(text, PATH, "new")
    assert refused.value.line == line
