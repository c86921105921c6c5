"""What a machine may lack stops nobody: a home, a name in passwd, a locale of UTF-8."""

from __future__ import annotations

import ast
import functools
import io
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from docker_access import daemon
from docker_access.surroundings import NOWHERE, home, print_in_any_encoding, user_name

PROJECT = Path(__file__).resolve().parents[2]
NAMES = ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")
IN_CONTAINERS = {
    "components/open_webui/migrate.py",
    "components/open_webui/panel.py",
    "components/open_webui/panel_fill.py",
    "verification/inside/account_probe.py",
    "verification/inside/app_valkey_urls.py",
    "verification/inside/probe.py",
    "verification/inside/publish.py",
    "verification/inside/valkey_by_url.py",
    "tests/bench/publisher.py",
}
"""Programs that run in a container, in the locale of its image."""
REPORT = "✓ live-event … µs"


@functools.cache
def modules() -> dict[str, str]:
    """The project's own code by its place, without its tests."""
    folders = [path for path in PROJECT.iterdir() if path.is_dir() and path.name != "tests" and path.name[0] != "."]
    found = sorted([*PROJECT.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))])
    places = {str(path.relative_to(PROJECT)): path for path in found}
    return {place: path.read_text(encoding="utf-8") for place, path in places.items() if "/." not in place}


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user by number only, as in a container started with ``--user 12345``."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nobody")
def test_who_has_no_entry_in_passwd_has_no_home_and_a_number_for_a_name() -> None:
    assert home() == NOWHERE
    assert user_name() == str(os.geteuid())
    assert daemon.context_in_use() == ""


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, text: str, errors: str = "strict") -> bytes:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors=errors, write_through=True))
    print_in_any_encoding()
    sys.stdout.write(text)
    return raw.getvalue()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", REPORT.encode()),
        ("ascii", b"+ live-event ... us"),
        ("iso8859-1", b"+ live-event ... \xb5s"),
        ("iso8859-15", b"+ live-event ... \xb5s"),
        ("euc-jp", b"+ live-event \xa1\xc4 us"),
    ],
)
def test_a_mark_is_printed_as_a_plain_one_where_the_locale_has_it_not(
    monkeypatch: pytest.MonkeyPatch, encoding: str, expected: bytes
) -> None:
    assert printed(monkeypatch, encoding, REPORT) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso8859-1", "cp1252"])
def test_json_is_the_same_document_in_any_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    document = {"adminName": "Žofie Müller \N{WAVING HAND SIGN} 日本"}
    text = json.dumps(document, ensure_ascii=False)
    assert json.loads(printed(monkeypatch, encoding, text).decode(encoding)) == document


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso8859-15"])
def test_a_path_that_is_no_text_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    path = b"/srv/M\xfcller".decode("utf-8", "surrogateescape")
    assert printed(monkeypatch, encoding, path) == b"/srv/M\xfcller"


def test_a_preview_is_told_in_a_locale_that_knows_ascii_only() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tooling.preview_report", "tests/unit/previews/another-host.embedded.json"],
        cwd=PROJECT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert told.stderr == b""
    assert told.stdout.isascii()


def test_every_command_line_prints_in_any_encoding() -> None:
    found = {
        place
        for place, text in modules().items()
        if '__name__ == "__main__"' in text and "print_in_any_encoding()" not in text
    }
    on_standard_error_alone = {"tooling/machine/uv.py", "tooling/launcher/python_env.py"}
    without_a_word = {
        "plugin/__main__.py",
        "tooling/documents/reference.py",
        "tooling/images/lock.py",
        "tooling/preview_report/comment.py",
    }
    assert found - IN_CONTAINERS == on_standard_error_alone | without_a_word


FILES = ("read_text", "write_text", "open", "fdopen")


@functools.cache
def calls() -> list[tuple[str, str, set[str], list[str]]]:
    """Place, called name, names of keyword arguments, and the positional ones, of calls of programs and files."""
    nodes = (
        (place, node)
        for place, text in modules().items()
        if place not in IN_CONTAINERS
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    )
    return [
        (f"{place}:{node.lineno}", name, {str(word.arg) for word in node.keywords}, list(map(ast.unparse, node.args)))
        for place, node in nodes
        if (name := ast.unparse(node.func)).startswith("subprocess.") or name.endswith(FILES)
    ]


def test_what_a_program_says_is_never_read_in_the_locale() -> None:
    in_locale = [
        place
        for place, name, named, _ in calls()
        if name.startswith("subprocess.") and {"text", "universal_newlines"} & named
    ]
    assert in_locale == [], 'say encoding="utf-8" instead of text=True'


def test_no_file_is_read_or_written_in_the_locale() -> None:
    in_locale = [
        place
        for place, name, named, given in calls()
        if (
            name.endswith((".read_text", ".write_text"))
            or (name.endswith((".open", ".fdopen")) and {"'w'", "'r'", "'a'"} & set(given) and "mode" not in named)
        )
        and "encoding" not in named
    ]
    assert in_locale == [], 'say encoding="utf-8"'
