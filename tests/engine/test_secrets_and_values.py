"""The passphrase provider and the forms of property values."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format, struct_pb2

from docker_access import redaction
from tooling.engine.property_paths import ignore_changes, parse_path
from tooling.engine.wire import RESOURCE_REFERENCE, for_provider, from_struct, to_struct
from tooling.errors import ToolError
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.values import (
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    Properties,
    Secret,
    equal,
    from_state,
    keep_equal,
    mark_secrets,
    mask,
    to_state,
)


def struct(value: object) -> struct_pb2.Struct:
    return json_format.Parse(json.dumps(value), struct_pb2.Struct())


def test_a_salt_the_pulumi_cli_wrote_opens_its_secrets() -> None:
    secrets = Secrets("v1:JdNhfnrkP4c=:v1:6Bwx1THmmgLOpbRa:WWi5MTdCJ/Xch7gluSOS147HOCi0AA==", "pp")
    assert secrets.decrypt("v1:Nlbsdu4FbmZoizJm:McegBnlKXVtL/Do9rK9BCiuVdjmQ+A==") == "s3cret"


def test_a_wrong_passphrase_is_told_from_a_damaged_file(secrets: Secrets) -> None:
    with pytest.raises(ToolError, match="Wrong passphrase"):
        Secrets(secrets.salt, "battery staple").decrypt(secrets.encrypt("x"))
    with pytest.raises(ToolError, match="cannot be decrypted"):
        secrets.decrypt(secrets.encrypt("x")[:-8] + "AAAAAAA=")
    with pytest.raises(ToolError, match="not a salt Pulumi wrote"):
        Secrets("v2:abc", "x").encrypt("x")


def test_an_unchanged_secret_keeps_its_ciphertext(secrets: Secrets) -> None:
    first = to_state({"p": Secret("hush")}, secrets.seal)
    again = from_state(first, secrets.open)
    assert to_state(again, secrets.seal) == first
    assert to_state(keep_equal({"p": Secret("hush")}, again), secrets.seal) == first
    assert to_state({"p": Secret("other")}, secrets.seal) != first


def test_a_log_is_sealed_and_not_hidden_for_itself_as_an_error_quotes_it(secrets: Secrets) -> None:
    outputs = {"containerLogs": Secret("no database at 127.0.0.1\n"), "content": Secret("hush-hush")}
    sealed = to_state(outputs, secrets.seal)
    reader = Secrets(secrets.salt, "correct horse")
    assert from_state(sealed, reader.open) == outputs
    for of in (secrets, reader):
        said = redaction.redact("no database at 127.0.0.1, hush-hush", of.plaintexts)
        assert said == "no database at 127.0.0.1, [secret]"


def test_values_travel_to_the_program_and_back() -> None:
    value = {"a": Secret({"b": [1, True, None]}), "n": 1.5, "u": UNKNOWN, "l": [{"x": "y"}]}
    back = from_struct(to_struct(value))
    assert equal(back, value)
    assert from_struct(struct({"i": 60, "f": 0.5, "u": UNKNOWN_TEXT})) == {"i": 60, "f": 0.5, "u": UNKNOWN}


def test_a_secret_never_shows() -> None:
    assert "hush" not in repr(Secret("hush")) + json.dumps(mask({"a": [Secret("hush")]}))


def test_marks_come_back_where_the_inputs_had_them() -> None:
    marked = mark_secrets(
        {"env": ["a", "b"], "plain": 1, "nested": {"x": "s", "y": 2}, "also": "z"},
        {"env": ["a", Secret("b")], "plain": 1, "nested": {"x": Secret("s")}},
        ["also"],
    )
    assert marked == {
        "env": Secret(["a", "b"]), "plain": 1, "nested": {"x": Secret("s"), "y": 2}, "also": Secret("z"),
    }  # fmt: skip


def test_true_is_not_one() -> None:
    assert not equal({"a": True}, {"a": 1})
    assert not equal([Secret(True)], [Secret(1)])
    assert not equal(Secret(1), 1)
    assert equal({"a": [1.0]}, {"a": [1]})


def test_a_resource_as_a_property_is_its_id_to_a_provider() -> None:
    reference = {SIGNATURE: RESOURCE_REFERENCE, "urn": "urn:x", "id": "abc"}
    assert for_provider({"network": reference}) == {"network": "abc"}


@pytest.mark.parametrize("signature", ["c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"])
def test_assets_are_the_clis(signature: str) -> None:
    with pytest.raises(ToolError, match="the Pulumi CLI does"):
        from_struct(struct({"a": {SIGNATURE: signature, "path": "x"}}))


def test_a_secret_on_the_wire_is_recognised_inside_lists() -> None:
    wire = struct({"envs": ["A=1", {SIGNATURE: SECRET, "value": "B=2"}]})
    assert from_struct(wire) == {"envs": ["A=1", Secret("B=2")]}


def test_property_paths() -> None:
    assert parse_path('labels["a.b"][0].c.*') == ["labels", "a.b", 0, "c", "*"]
    with pytest.raises(ToolError, match="is not a property path"):
        parse_path("a[")


def test_ignored_paths_take_the_old_value_or_vanish() -> None:
    new = {"a": {"x": 1, "y": 2}, "l": [{"k": 1}, {"k": 2}], "gone": 1}
    old = {"a": {"x": 9}, "l": [{"k": 8}, {"k": 9}], "kept": 3}
    ignored = ignore_changes(new, old, ["a.x", "l[*].k", "gone", "kept", "a.z"])
    assert ignored == {"a": {"x": 9, "y": 2}, "l": [{"k": 8}, {"k": 9}], "kept": 3}
    assert new["a"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("path", "new", "old", "ignored"),
    [
        ("envs[0]", {"envs": Secret(["a", "b"])}, {"envs": Secret(["x", "y"])}, {"envs": Secret(["x", "b"])}),
        ("envs[0]", {"envs": ["a", "b"]}, {"envs": Secret(["x", "y"])}, {"envs": [Secret("x"), "b"]}),
        ("labels.x", {"labels": {"x": 1, "y": 2}}, {}, {"labels": {"y": 2}}),
        ("labels.x", {"labels": {"y": 2}}, {"labels": {"x": 1}}, {"labels": {"x": 1, "y": 2}}),
        ("labels.x", {}, {"labels": {"x": 1}}, {}),
        ("labels.x.y", {"labels": {"x": {"y": 1}}}, {"labels": {}}, {"labels": {"x": {}}}),
        ("l[3]", {"l": [1]}, {"l": [2]}, {"l": [1]}),
        ("l[0].k", {"l": [{"k": 1}]}, {"l": "text"}, {"l": [{"k": 1}]}),
        ("*", {"a": 1, "b": 2}, {"a": 3}, {"a": 3}),
        ("a[0]", {"a": {"x": 1}}, {"a": [2]}, {"a": {"x": 1}}),
        (
            "a[*].x",
            {"a": {"new": {"x": 1}, "b": {"x": 1}}},
            {"a": {"b": {"x": 2}}},
            {"a": {"new": {"x": 1}, "b": {"x": 2}}},
        ),
    ],
)
def test_an_ignored_path_leads_through_secrets_and_into_what_was_not_there(
    path: str, new: Properties, old: Properties, ignored: Properties
) -> None:
    assert ignore_changes(new, old, [path]) == ignored
