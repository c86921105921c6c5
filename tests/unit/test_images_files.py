"""The scripts that go into the images, run here with stand-ins for the programs they call."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

import images

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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_data_that_cannot_be_written_is_refused_at_once(entrypoint: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o555)
    done = entrypoint("valkey-server", folder=folder)
    assert done.returncode == 1
    assert "is not writable" in done.stderr


def start_sh(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    script = folder / "start.sh"
    script.write_bytes((FILES / "open-webui-start.sh").read_bytes())
    uvicorn = folder / "uvicorn"
    uvicorn.write_text('#!/bin/sh\necho "$@"\necho "key=$WEBUI_SECRET_KEY"\n')
    uvicorn.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(["bash", script], capture_output=True, text=True, check=True, env={"PATH": path, **variables})


def test_open_webui_starts_as_the_official_image_does(tmp_path: Path) -> None:
    out = start_sh(tmp_path, WEBUI_SECRET_KEY="given", PORT="9090", UVICORN_WORKERS="2").stdout
    options = "--host 0.0.0.0 --port 9090 --forwarded-allow-ips * --workers 2"
    assert out == f"open_webui.main:app {options}\nkey=given\n"
    assert not (tmp_path / ".webui_secret_key").exists()


def test_without_a_key_one_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = start_sh(tmp_path).stdout.splitlines()[-1]
    second = start_sh(tmp_path).stdout.splitlines()[-1]
    assert first == second
    assert len(first) > len("key=") + 40
    assert (tmp_path / ".webui_secret_key").stat().st_mode & 0o777 == 0o600


class PostgresRun(Protocol):
    """Runs Postgres' entrypoint with arguments, as a user, with variables."""

    def __call__(self, *arguments: str, uid: int = 999, **variables: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def postgres(tmp_path: Path) -> PostgresRun:
    """Run Postgres' entrypoint with programs that only print how they were called; initdb also the password."""
    programs = tmp_path / "bin"
    programs.mkdir()
    bodies = {name: f'echo {name} "$@"' for name in ("postgres", "psql", "pg_ctl", "find", "setpriv", "pg_isready")}
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
    assert (tmp_path / "data/pg_hba.conf").read_text() == "\nhost all all all scram-sha-256\n"


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
    assert done.stderr.startswith("error: ")
    assert complaint in done.stderr


def test_a_database_open_to_everybody_is_warned_of(postgres: PostgresRun, tmp_path: Path) -> None:
    assert "trust lets everybody in" in postgres("postgres", POSTGRES_HOST_AUTH_METHOD="trust").stderr
    assert (tmp_path / "data/pg_hba.conf").read_text() == "\nhost all all all trust\n"


def test_root_hands_the_database_over_and_gives_its_rights_up(postgres: PostgresRun, tmp_path: Path) -> None:
    find, setpriv = postgres("postgres", "-c", "port=1", uid=0).stdout.splitlines()
    assert find == f"find {tmp_path}/data /var/run/postgresql ! -user postgres -exec chown postgres {{}} +"
    assert setpriv.startswith("setpriv --reuid=postgres --regid=postgres --init-groups -- ")
    assert setpriv.endswith("postgres-entrypoint.sh postgres -c port=1")


@pytest.mark.parametrize("arguments", [("postgres", "--version"), ("--help",), ("psql", "-l")])
def test_a_question_or_another_program_makes_no_database(
    postgres: PostgresRun, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert len(postgres(*arguments, uid=0).stdout.splitlines()) == 1
    assert not (tmp_path / "data").exists()
