"""The recorded contracts, and what of them a local build may leave out."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from docker_access import labels
from tooling import images
from tooling.images.archive import Files
from tooling.images.contract_file import CONTRACTS, Contract, Item, braced_names
from tooling.images.differences import DIFFERENCES, Difference, difference_names, table
from tooling.images.recipes import RECIPES
from tooling.images.reference import parse

PROJECT: Final = Path(images.__file__).parents[2]
CONTENTS: Final = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in CONTRACTS.iterdir()}
LOCAL: Final = {labels.LOCAL_BUILD: "Debian"}


def entries(content: dict[str, Any]) -> list[dict[str, Any]]:
    sections = [content.get(name, {}) for name in ("config", "environment", "paths", "nowhere", "programs", "users")]
    sections += [case["asks"] for case in content["containers"]]
    return [entry for section in sections for entry in section.values()]


def test_there_is_a_contract_for_every_image_that_can_be_built_here() -> None:
    assert CONTENTS.keys() == RECIPES.keys()


@pytest.mark.parametrize("name", CONTENTS)
def test_every_item_has_a_public_source(name: str) -> None:
    sources = CONTENTS[name]["sources"]
    assert all(address.startswith("https://github.com/") for address in sources.values())
    assert {str(entry["source"]).partition(":")[0] for entry in entries(CONTENTS[name])} <= sources.keys()


def test_the_differences_that_are_known_are_those_that_contracts_name() -> None:
    named = {entry["known"] for content in CONTENTS.values() for entry in entries(content) if "known" in entry}
    assert named == DIFFERENCES.keys()


def test_the_table_in_the_documents_is_that_of_the_code() -> None:
    assert table() in (PROJECT / "docs/images.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("image", "marks", "names"),
    [
        ("caddy", {}, ["debian"]),
        ("valkey", {}, ["debian", "debian-valkey"]),
        ("valkey", {labels.STANDS_IN_FOR: "8.1.9"}, ["debian", "debian-valkey", "stands-in"]),
    ],
)
def test_the_report_names_what_holds_for_an_image(image: str, marks: dict[str, str], names: list[str]) -> None:
    assert difference_names(image, marks) == names


def item(known: Difference | None, local: str = "") -> Item:
    return Item(what="it", source="there", expected="3.12", pattern=False, known=known, local=local)


@pytest.mark.parametrize(
    ("known", "local", "marks", "allowed"),
    [
        (None, "", LOCAL, False),
        (DIFFERENCES["python"], "", LOCAL, True),
        (DIFFERENCES["python"], r"3\.1[01]", LOCAL, True),
        (DIFFERENCES["python"], r"3\.1", LOCAL, False),
        (DIFFERENCES["python"], "", {}, False),
        (DIFFERENCES["bytecode"], "", LOCAL, False),
        (DIFFERENCES["bytecode"], "", {**LOCAL, labels.LOCAL_BYTECODE: "true"}, True),
        (DIFFERENCES["bytecode"], "", {labels.LOCAL_BYTECODE: "true"}, False),
    ],
)
def test_only_a_local_build_may_differ_and_only_where_and_how_it_is_known_to(
    known: Difference | None, local: str, marks: dict[str, str], *, allowed: bool
) -> None:
    assert item(known, local).is_known("3.11", marks) is allowed


@pytest.mark.parametrize(
    ("tag", "holds", "fails"),
    [
        ("8.1.10-alpine", "8.1.10", "8.1.1"),
        ("8.1", "8.1.4", "8.0.1"),
        ("latest", "9.0.0", "none"),
        ("0.8.6-pg17", "0.8.6", "0.8.0"),
    ],
)
def test_the_version_is_the_tags(tag: str, holds: str, fails: str) -> None:
    names = braced_names(parse(f"a.example/it:{tag}"), {})
    filled = Contract({"sources": {"s": "https://a.example"}}, names).item(
        "version", {"like": "{VERSION}", "source": "s"}
    )
    assert filled.holds(holds)
    assert not filled.holds(fails)


def archive(*members: tuple[str, bytes, dict[str, Any]]) -> Files:
    """The files of an image: path, kind as tar has it, further attributes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, kind, attributes in members:
            member = tarfile.TarInfo(path)
            member.type = kind
            text = attributes.pop("text", "")
            for name, value in attributes.items():
                setattr(member, name, value)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    whole = content.getvalue()
    return Files(whole[at : at + 1000] for at in range(0, len(whole), 1000))


def test_files_are_found_through_links_whatever_these_are() -> None:
    files = archive(
        ("run/postgresql", tarfile.DIRTYPE, {"mode": 0o3777, "uid": 999, "gid": 999}),
        ("var/run", tarfile.SYMTYPE, {"linkname": "/run"}),
        ("run", tarfile.DIRTYPE, {"mode": 0o755}),
        ("var", tarfile.DIRTYPE, {"mode": 0o755}),
        ("usr/bin/server", tarfile.REGTYPE, {"mode": 0o755}),
        ("usr/bin", tarfile.DIRTYPE, {}),
        ("usr", tarfile.DIRTYPE, {}),
        ("bin", tarfile.SYMTYPE, {"linkname": "usr/bin"}),
        ("usr/bin/cli", tarfile.SYMTYPE, {"linkname": "server"}),
        ("usr/bin/gone", tarfile.SYMTYPE, {"linkname": "nowhere"}),
        ("usr/bin/again", tarfile.SYMTYPE, {"linkname": "again"}),
        ("usr/bin/text", tarfile.REGTYPE, {"mode": 0o644}),
    )
    assert files.describe("/var/run/postgresql") == "directory 999:999 3777"
    assert files.describe("/var/run/other") == "absent"
    assert [name for name in ("server", "cli", "gone", "again", "text") if files.is_program(f"/bin/{name}")] == [
        "server",
        "cli",
    ]
    assert files.matching("/usr/bin/.e.*") == "/usr/bin/server, /usr/bin/text"
    assert not files.matching("/nothing")


def test_users_are_read() -> None:
    passwd = "root:x:0:0:root:/root:/bin/sh\nvalkey:x:999:1000::/data:/sbin/nologin\n"
    assert archive(("etc/passwd", tarfile.REGTYPE, {"text": passwd})).users == {"root": "0:0", "valkey": "999:1000"}


@pytest.mark.parametrize(
    ("magic", "permitted", "inheritable", "said"),
    [
        (0x02000001, 1 << 10, 0, "cap_net_bind_service=ep"),
        (0x02000000, 1 << 10, 0, "cap_net_bind_service=p"),
        (0x02000000, 0, 1 << 10, "cap_net_bind_service=i"),
        (0x02000001, 1 << 10 | 1 << 13, 0, "0x2400=ep"),
    ],
)
def test_capabilities_are_said_as_getcap_says_them(magic: int, permitted: int, inheritable: int, said: str) -> None:
    attribute = struct.pack("<IIIII", magic, permitted, inheritable, 0, 0)
    headers = {"SCHILY.xattr.security.capability": attribute.decode("utf-8", "surrogateescape")}
    files = archive(("caddy", tarfile.REGTYPE, {"mode": 0o755, "pax_headers": headers}))
    assert files.describe("/caddy") == f"file 0:0 0755 {said}"
