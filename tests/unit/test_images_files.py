"""The scripts that go into the images, run here with stand-ins for the programs they call."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from tooling import images

FILES = Path(images.__file__).parent / "files"


class Run(Protocol):
    """Runs the entrypoint with arguments, as a user, in a folder."""

    def __call__(self, *arguments: str, uid: int = 999, folder: Path = ...) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def entrypoint(tmp_path: Path) -> Run:
    """Run Valkey's entrypoint as a user id, with programs that only print how they were called."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def stand_in(name: str, body: str) -> None:
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)

    stand_in("valkey-server", 'echo valkey-server "$@"')
    stand_in("valkey-cli", 'echo valkey-cli "$@"')
    stand_in("find", 'echo find "$@"')
    stand_in("setpriv", 'echo setpriv "$@"')

    def run(*arguments: str, uid: int = 999, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        stand_in("id", f"echo {uid}")
        path = f"{programs}:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", FILES / "valkey-entrypoint.sh", *arguments],
            capture_output=True, text=True, check=False, cwd=folder, env={"PATH": path},
        )  # fmt: skip

    return run


def test_options_alone_start_the_server_with_protected_mode_off(entrypoint: Run) -> None:
    assert entrypoint("--save", "30", "1").stdout == "valkey-server --save 30 1 --protected-mode no\n"


def test_a_configuration_file_stays_the_first_argument(entrypoint: Run, tmp_path: Path) -> None:
    (tmp_path / "ours.conf").write_text("port 6380\n")
    assert entrypoint("ours.conf").stdout == "valkey-server ours.conf --protected-mode no\n"


@pytest.mark.parametrize("setting", ["protected-mode yes", "  Protected-Mode no"])
def test_a_configuration_file_that_sets_protected_mode_is_obeyed(entrypoint: Run, tmp_path: Path, setting: str) -> None:
    (tmp_path / "ours.conf").write_text(f"port 6380\n{setting}\n")
    assert entrypoint("ours.conf").stdout == "valkey-server ours.conf\n"


@pytest.mark.parametrize("argument", ["--version", "--help", "--check-system"])
def test_a_question_to_the_server_is_passed_on_as_it_is(entrypoint: Run, argument: str) -> None:
    assert entrypoint("valkey-server", argument).stdout == f"valkey-server {argument}\n"


def test_an_option_for_protected_mode_is_obeyed(entrypoint: Run) -> None:
    assert entrypoint("--protected-mode", "yes").stdout == "valkey-server --protected-mode yes\n"


def test_root_takes_over_the_data_and_gives_its_rights_up(entrypoint: Run) -> None:
    find, setpriv = entrypoint("valkey-server", "--port", "1", uid=0).stdout.splitlines()
    assert find == "find . ! -user valkey -exec chown valkey {} +"
    assert setpriv.startswith("setpriv --reuid=valkey --regid=valkey --clear-groups -- ")
    assert setpriv.endswith("valkey-entrypoint.sh valkey-server --port 1")


def test_another_command_runs_as_it_is(entrypoint: Run) -> None:
    assert entrypoint("valkey-cli", "ping", uid=0).stdout == "valkey-cli ping\n"


def start_sh(folder: Path, *arguments: str, **variables: str) -> list[str]:
    """What start.sh does: the arguments it runs Python with, then the secret key it gives it."""
    script = folder / "start.sh"
    script.write_bytes((FILES / "open-webui-start.sh").read_bytes())
    python = folder / "python3"
    python.write_text('#!/bin/sh\necho "$@"\necho "key=$WEBUI_SECRET_KEY"\n')
    python.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    command = ["bash", str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": path, **variables})
    said: list[str] = done.stdout.splitlines()
    return said[-2:]


SERVE = "-m uvicorn open_webui.main:app --host 0.0.0.0 --port 8080 --forwarded-allow-ips *"


def test_open_webui_starts_as_the_official_image_does(tmp_path: Path) -> None:
    command, key = start_sh(tmp_path, WEBUI_SECRET_KEY="given")
    assert command == f"{SERVE} --workers 1 --ws-per-message-deflate true"
    assert key == "key=given"
    assert not (tmp_path / ".webui_secret_key").exists()


def test_open_webui_starts_as_its_variables_say(tmp_path: Path) -> None:
    command, _ = start_sh(
        tmp_path, WEBUI_SECRET_KEY="given", HOST="::", PORT="9090", UVICORN_WORKERS="2", FORWARDED_ALLOW_IPS="10.0.0.1",
        UVICORN_WS_PER_MESSAGE_DEFLATE="false",
    )  # fmt: skip
    assert command == (
        "-m uvicorn open_webui.main:app --host :: --port 9090 --forwarded-allow-ips 10.0.0.1 "
        "--workers 2 --ws-per-message-deflate false"
    )


def test_arguments_stand_in_place_of_the_options_that_variables_give(tmp_path: Path) -> None:
    assert start_sh(tmp_path, "--loop", "uvloop", UVICORN_WORKERS="2")[0] == f"{SERVE} --loop uvloop"


def test_without_a_key_one_is_made_once(tmp_path: Path) -> None:
    first, second = start_sh(tmp_path)[-1], start_sh(tmp_path)[-1]
    assert first == second == "key=" + (tmp_path / ".webui_secret_key").read_text().strip()
    assert len(base64.b64decode(first.removeprefix("key="))) == 24


def test_the_file_and_the_length_of_the_key_can_be_told(tmp_path: Path) -> None:
    key = start_sh(tmp_path, WEBUI_SECRET_KEY_FILE=str(tmp_path / "key"), WEBUI_SECRET_KEY_LENGTH="48")[-1]
    assert key == "key=" + (tmp_path / "key").read_text().strip()
    assert len(base64.b64decode(key.removeprefix("key="))) == 48


def test_the_old_name_of_the_key_is_known(tmp_path: Path) -> None:
    assert start_sh(tmp_path, WEBUI_JWT_SECRET_KEY="old")[-1] == "key="
    assert not (tmp_path / ".webui_secret_key").exists()


class PostgresRun(Protocol):
    """Runs Postgres' entrypoint with arguments, as a user, with variables."""

    def __call__(self, *arguments: str, uid: int = 999, **variables: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def postgres(tmp_path: Path) -> PostgresRun:
    """Run Postgres' entrypoint with programs that only print how they were called; initdb also the password."""
    programs = tmp_path / "bin"
    programs.mkdir()
    bodies = {name: f'echo {name} "$@"' for name in ("psql", "pg_ctl", "find", "gosu", "pg_isready", "getent")}
    bodies["mkdir"] = 'case "$*" in */run/*) ;; *) exec /bin/mkdir "$@" ;; esac'
    bodies["chmod"] = 'case "$*" in */run/*) echo chmod "$@" >&2 ;; *) exec /bin/chmod "$@" ;; esac'
    bodies["postgres"] = '[ "$1" = -C ] && echo md5-as-configured || echo postgres "$@"'
    bodies["initdb"] = 'for a; do case $a in --pwfile=*) cat "${a#*=}" ;; *) echo "initdb $a" ;; esac; done'

    def run(*arguments: str, uid: int = 999, **variables: str) -> subprocess.CompletedProcess[str]:
        for name, body in {**bodies, "id": f"echo {uid}"}.items():
            (programs / name).write_text(f"#!/bin/sh\n{body}\n")
            (programs / name).chmod(0o755)
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "PGDATA": str(tmp_path / "data"), **variables}
        return subprocess.run(
            ["bash", FILES / "postgres-entrypoint.sh", *arguments],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip

    return run


def test_a_new_database_is_made_as_the_variables_say(postgres: PostgresRun, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    lines = postgres(
        "-c", "port=1", POSTGRES_PASSWORD_FILE=str(tmp_path / "password"), POSTGRES_USER="me", POSTGRES_DB="our-data",
        POSTGRES_INITDB_ARGS="--data-checksums --locale='C.UTF-8'",
    ).stdout.splitlines()  # fmt: skip
    assert lines[:4] == ["initdb --username=me", "secret", "initdb --data-checksums", "initdb --locale=C.UTF-8"]
    assert lines[4].endswith("-w start -o -c port=1 -c listen_addresses= -p 5432 ")
    assert "--dbname postgres -v name=our-data" in lines[5]
    assert lines[-1] == "postgres -c port=1"
    assert (tmp_path / "data/pg_hba.conf").read_text() == "\nhost all all all md5-as-configured\n"


def test_a_database_that_is_there_is_left_alone(postgres: PostgresRun, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/PG_VERSION").write_text("17\n")
    assert "initdb" not in postgres("postgres").stdout
    assert oct((tmp_path / "data").stat().st_mode)[-3:] == "700"


def test_a_password_that_changes_with_every_reading_is_read_once(postgres: PostgresRun) -> None:
    done = postgres("postgres", POSTGRES_PASSWORD_FILE="/proc/sys/kernel/random/uuid")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()[1]) == 36


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({}, "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"),
        ({"POSTGRES_PASSWORD": "a", "POSTGRES_PASSWORD_FILE": "/b"}, "both POSTGRES_PASSWORD and"),
        ({"POSTGRES_PASSWORD_FILE": "/no/such"}, "POSTGRES_PASSWORD_FILE is /no/such, which user 999 cannot read"),
    ],
)
def test_a_new_database_without_a_clear_password_is_refused(
    postgres: PostgresRun, variables: dict[str, str], complaint: str
) -> None:
    done = postgres("postgres", uid=999, **variables)
    assert done.returncode == 1
    complained = done.stderr.splitlines()[-1]
    assert complained.startswith("error: ")
    assert complaint in complained


def test_a_database_open_to_everybody_is_warned_of(postgres: PostgresRun, tmp_path: Path) -> None:
    assert "trust lets everybody in" in postgres("postgres", POSTGRES_HOST_AUTH_METHOD="trust").stderr
    assert (tmp_path / "data/pg_hba.conf").read_text() == "\nhost all all all trust\n"


def test_root_hands_the_database_over_and_gives_its_rights_up(postgres: PostgresRun, tmp_path: Path) -> None:
    *finds, gosu = postgres("postgres", "-c", "port=1", uid=0).stdout.splitlines()
    owned = [f"{tmp_path}/data", "/var/run/postgresql"]
    assert finds == [f"find {folder} ! -user postgres -exec chown postgres {{}} +" for folder in owned]
    assert gosu.startswith("gosu postgres ")
    assert gosu.endswith("postgres-entrypoint.sh postgres -c port=1")


def test_the_folder_of_the_socket_is_narrowed(postgres: PostgresRun) -> None:
    assert "chmod 3775 /var/run/postgresql" in postgres("postgres", POSTGRES_PASSWORD="a").stderr


@pytest.mark.parametrize("arguments", [("postgres", "--version"), ("--help",), ("psql", "-l")])
def test_a_question_or_another_program_makes_no_database(
    postgres: PostgresRun, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert len(postgres(*arguments, uid=0).stdout.splitlines()) == 1
    assert not (tmp_path / "data").exists()
