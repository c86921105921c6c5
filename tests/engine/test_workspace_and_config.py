"""Project file, stack files, configuration, passphrase and backend: what is read of them and written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tooling.errors import ToolError, UsageError
from tooling.pulumi_files.config import Config, load_config
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.project import (
    Project,
    backend_directory,
    environment,
    load_project,
    passphrase,
    passphrase_file,
    stack_file,
)
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.stack import Stack, find_stack
from tooling.pulumi_files.stack_file import read_salt, set_value, write_salt

PROJECT = """\
name: web
runtime: {name: python}
stackConfigDir: stacks
options: {refresh: always}
config:
  port: {type: integer, default: 3000, description: Port of the UI}
  mode: {type: string, default: "on"}
  debug: {type: boolean, default: false}
  hosts: {type: array, items: {type: string}, default: [a, b]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.dev.yaml").write_text("# The laptop.\nconfig:\n  web:port: 8080 # free here\n")
    return load_project(tmp_path)


def stack_of(project: Project) -> Stack:
    return find_stack(project, "dev", {})


def config_of(project: Project, secrets: Secrets | None) -> Config:
    return load_config(stack_of(project), secrets)


def write(project: Project, text: str) -> None:
    stack_file(project, "dev").write_text(text)


def test_defaults_fill_in_and_everything_is_text(project: Project) -> None:
    config = config_of(project, None)
    assert config.values == {
        "web:debug": "false",
        "web:hosts": '["a","b"]',
        "web:mode": "on",
        "web:port": "8080",
    }


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "On", "NO"])
def test_yes_and_no_are_words(project: Project, word: str) -> None:
    write(project, f"config:\n  web:mode: {word}\n")
    assert config_of(project, None).values["web:mode"] == word


@pytest.mark.parametrize(
    "value", ["on", "0123", "true", "1e3", "null", "~", "a: b", "# no", "'", '"', "ü\n2", "", "1.0"]
)
def test_a_value_that_was_set_reads_back_as_the_same_text(project: Project, value: str) -> None:
    set_value(stack_of(project), "mode", value)
    assert config_of(project, None).values["web:mode"] == value


def test_setting_a_value_keeps_comments_and_other_lines(project: Project) -> None:
    write(
        project, "# The laptop.\nconfig:\n  # why\n  web:port: 8080 # free here\n  web:mode: 'x'\n\n# end\nother: 1\n"
    )
    set_value(stack_of(project), "port", "9090")
    set_value(stack_of(project), "debug", "true")
    assert stack_file(project, "dev").read_text() == (
        "# The laptop.\nconfig:\n  # why\n  web:port: \"9090\" # free here\n  web:mode: 'x'\n"
        '  web:debug: "true"\n\n# end\nother: 1\n'
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n", "config:\n", "config: {}\n", "encryptionsalt: x\n"])
def test_a_value_can_be_set_in_a_file_that_has_none(project: Project, text: str) -> None:
    write(project, text)
    set_value(stack_of(project), "mode", "x")
    assert config_of(project, None).values["web:mode"] == "x"


def test_a_secret_value_is_written_encrypted_and_replaces_a_plain_one(project: Project, secrets: Secrets) -> None:
    write_salt(stack_file(project, "dev"), secrets.salt)
    set_value(stack_of(project), "mode", "hush", secrets)
    set_value(stack_of(project), "mode", "hush hush", secrets)
    text = stack_file(project, "dev").read_text()
    assert "hush" not in text
    assert text.count("secure:") == 1
    config = config_of(project, secrets)
    assert config.values["web:mode"] == "hush hush"
    assert config.secret_keys == ["web:mode"]
    set_value(stack_of(project), "mode", "plain")
    assert "secure:" not in stack_file(project, "dev").read_text()
    assert read_salt(stack_file(project, "dev")) == secrets.salt


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "config:\n  web:who:\n    key: v\n"),
        ("config:\n  web:mode: x\n", "config:\n  web:mode: x\n  web:who:\n    key: v\n"),
        ("config:\n  web:who: {}\nz: 1\n", "config:\n  web:who:\n    key: v\nz: 1\n"),
        (
            "config:\n  web:who:\n    # a\n    a: 1\n    key: w # why\n  web:mode: x\n",
            "config:\n  web:who:\n    # a\n    a: 1\n    key: v # why\n  web:mode: x\n",
        ),
        ("config:\n  web:who:\n    a: {b: 1}\n  # end\n", "config:\n  web:who:\n    a: {b: 1}\n    key: v\n  # end\n"),
    ],
)
@pytest.mark.parametrize("value", ["5", "true", "x: y", "007", "0.5"])
def test_a_value_is_set_within_an_object(project: Project, before: str, after: str, value: str) -> None:
    written = value if value in {"5", "true"} else f'"{value}"'
    write(project, before)
    set_value(stack_of(project), "who", value, within=["key"])
    assert stack_file(project, "dev").read_text() == after.replace(": v", f": {written}")


def test_a_secret_is_set_within_an_object_within_an_object(project: Project, secrets: Secrets) -> None:
    write(project, "config:\n  web:who: {}\n")
    write_salt(stack_file(project, "dev"), secrets.salt)
    set_value(stack_of(project), "who", "one", within=["in", "name"])
    for value in ("hush", "hush hush"):
        set_value(stack_of(project), "who", value, secrets, within=["in", "key"])
    assert "hush" not in stack_file(project, "dev").read_text()
    config = config_of(project, secrets)
    assert config.values["web:who"] == '{"in":{"key":"hush hush","name":"one"}}'
    assert config.secret_keys == ["web:who"]


def test_a_value_within_what_is_no_block_is_refused(project: Project) -> None:
    write(project, "config:\n  web:who: {a: 1}\n")
    with pytest.raises(ToolError, match="line 2: write web:who with one key a line below it"):
        set_value(stack_of(project), "who", "x", within=["key"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("web:port: high", r"web:port is 'high'; integer is wanted.*\n  web:port: 3000"),
        ("web:port: 1.5", r"web:port is 1.5; integer is wanted"),
        ("web:port: [1]", r"integer is wanted"),
        ("web:debug: on", r"web:debug is 'on'; boolean is wanted"),
        ("web:mode: {a: 1}", r"string is wanted"),
        ("web:hosts: a", r"array of string is wanted"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_the_line_to_write(project: Project, line: str, message: str) -> None:
    write(project, f"config:\n  {line}\n")
    with pytest.raises(ToolError, match=message):
        config_of(project, None)


def test_a_value_without_default_is_asked_for(project: Project, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT + "  token: {type: string, secret: true, description: The key}\n")
    with pytest.raises(ToolError, match=r"no value for web:token \(The key\)"):
        config_of(load_project(tmp_path), None)
    set_value(stack_of(project), "token", "plain")
    with pytest.raises(ToolError, match=r"declared secret. Set it with `config set token VALUE --secret`"):
        config_of(load_project(tmp_path), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: [", "line 1, column 10: not valid YAML: expected the node content, but found '<stream end>'"),
        ("config:\n  a: *b\n", "line 2, column 6: not valid YAML: found undefined alias 'b'"),
        ("config:\n  web:port: 1\n  web:port: 2\n", "line 3.*the key 'web:port' stands twice"),
        ("- a\n", "it should be a mapping"),
        ("config: 5\n", "`config` is 5"),
    ],
)
def test_a_broken_stack_file_is_named_with_its_line(project: Project, text: str, message: str) -> None:
    write(project, text)
    with pytest.raises(ToolError, match=message):
        config_of(project, None)


def test_a_stack_without_a_file_is_refused_with_those_there_are(project: Project) -> None:
    with pytest.raises(UsageError, match=r"No stack 'prod'.*Stacks here: dev"):
        stack_file(project, "prod")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runtime: python\n", "`name` is None"),
        ("name: web\nruntime: python\nconfig: 1\n", "`config` is 1"),
        ("name: [\n", "not valid YAML"),
    ],
)
def test_a_project_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(ToolError, match=message):
        load_project(tmp_path)


def test_a_directory_without_a_project_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"No Pulumi.yaml in .*--cwd DIR"):
        load_project(tmp_path)


def test_a_backend_that_is_no_url_is_named_and_not_shown(project: Project) -> None:
    with pytest.raises(ToolError, match="PULUMI_BACKEND_URL is not a URL: Invalid IPv6 URL") as error:
        backend_directory(project, {"PULUMI_BACKEND_URL": "https://me:hush@[::1"})
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("url", ["s3://bucket", "https://api.pulumi.com", "postgres://db", "/tmp/x", "file:///x?a=b"])
def test_a_state_in_no_plain_files_is_shared(project: Project, url: str) -> None:
    stack = find_stack(project, "dev", {"PULUMI_BACKEND_URL": url})
    assert (stack.shared, stack.backend_url, stack.state_file) == (True, url, None)
    with pytest.raises(ToolError, match="in no plain files"):
        _ = stack.backend


def test_a_stack_knows_where_its_files_are(project: Project) -> None:
    stack = find_stack(project, None, {"PULUMI_BACKEND_URL": "file:///x"})
    assert (stack.name, stack.file) == ("dev", project.directory / "stacks/Pulumi.dev.yaml")
    assert stack.state_file == Path("/x/.pulumi/stacks/web/dev.json")
    (project.directory / "stacks/Pulumi.prod.yaml").touch()
    assert find_stack(project, None, {"PULUMI_STACK": "prod"}).name == "prod"
    with pytest.raises(UsageError, match=r"Which stack\? Give --stack NAME; stacks here: dev, prod"):
        find_stack(project, None, {})


def test_the_project_file_may_name_the_backend_and_the_environment_another(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: web\nruntime: python\nbackend: {url: 's3://bucket'}\n")
    project = load_project(tmp_path)
    assert backend_directory(project, {}) is None
    assert backend_directory(project, {"PULUMI_BACKEND_URL": "file:///x"}) == Path("/x")
    (tmp_path / "Pulumi.yaml").write_text("name: web\nruntime: python\nbackend: {url: 'file:///y'}\n")
    assert backend_directory(load_project(tmp_path), {}) == Path("/y")


def test_the_backend_is_the_projects_own_directory_by_default(project: Project) -> None:
    assert backend_directory(project, {}) == project.directory / ".pulumi-state"
    assert backend_directory(project, {"PULUMI_BACKEND_URL": "file:///x%20y"}) == Path("/x y")


def test_a_passphrase_is_made_once_and_readable_by_its_owner_only(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    first = passphrase(project, {})
    assert passphrase(project, {}) == first
    assert stat.S_IMODE(passphrase_file(project).stat().st_mode) == 0o600
    assert capsys.readouterr().err.count("Made a passphrase") == 1
    assert environment(project, {})["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(passphrase_file(project))


def test_pulumis_own_variables_win_over_the_made_passphrase(project: Project, tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("from file\n")
    assert passphrase(project, {"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    assert passphrase(project, {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "pass")}) == "from file"
    with pytest.raises(ToolError, match="cannot be read"):
        passphrase(project, {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "none")})


def test_the_bytes_of_a_passphrase_count_and_not_what_the_locale_makes_of_them(project: Project) -> None:
    asked = (
        "import sys; from pathlib import Path; from tooling.pulumi_files.project import load_project, passphrase; "
        "print(ascii(passphrase(load_project(Path(sys.argv[1])))))"
    )
    plain = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", asked, str(project.directory)]
    told = subprocess.check_output(command, env={**os.environ, **plain, "PULUMI_CONFIG_PASSPHRASE": "p\xe4ss"})
    assert told.decode().strip() == ascii("p\xe4ss")


def test_a_passphrase_that_is_no_text_opens_what_it_closed(project: Project) -> None:
    secrets = Secrets.new(passphrase(project, {"PULUMI_CONFIG_PASSPHRASE": os.fsdecode(b"p\xe4ss")}))
    assert Secrets(secrets.salt, b"p\xe4ss".decode("utf-8", "surrogateescape")).decrypt(secrets.encrypt("x")) == "x"


def test_a_stack_file_that_is_not_utf8_is_named_with_its_line(project: Project) -> None:
    stack_file(project, "dev").write_bytes(b"config:\n  web:title: M\xfcller\n")
    with pytest.raises(ToolError, match=r"dev\.yaml, line 2: byte 0xfc is not UTF-8\. Save the file as UTF-8\."):
        read_yaml(stack_file(project, "dev"))


def test_numbers_are_read_as_go_reads_them(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: 0o17\nb: 017\nc: 1_000\nd: 1e3\ne: 0x1F\nf: 2026-01-01\ng: -5\nh: .5\ni: 0\n")
    assert read_yaml(tmp_path / "x.yaml") == {
        "a": 15, "b": 15, "c": 1000, "d": 1000.0, "e": 31, "f": "2026-01-01 00:00:00 +0000 UTC", "g": -5,
        "h": 0.5, "i": 0,
    }  # fmt: skip


def test_no_passphrase_is_made_for_a_stack_that_has_one(project: Project) -> None:
    with pytest.raises(ToolError, match=r"begun under a passphrase.*PULUMI_CONFIG_PASSPHRASE"):
        passphrase(project, {}, make=False)
    assert not passphrase_file(project).exists()
