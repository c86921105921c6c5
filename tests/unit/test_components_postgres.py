"""Postgres' command line, and what makes role, database and extension."""

import re

from components.limits import DEFAULTS, Limits
from components.postgres import HEALTHCHECK, postgres_command, setup_sql

PASSWORD = "5ec7e7" * 10


def statements() -> list[str]:
    """What psql is given to do, a statement or a command of its own each."""
    text = setup_sql(PASSWORD).replace("\n    ", " ")
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_server_takes_the_connections_and_the_memory_it_is_given() -> None:
    command = postgres_command(Limits(memory=2000, cpus=1, pids=400, nofile=1024), max_connections=321)
    assert command[0] == "postgres"
    assert "max_connections=321" in command
    assert "shared_buffers=500MB" in command
    assert command[1::2] == ["-c"] * (len(command) // 2)


def test_no_statement_that_fails_is_logged_because_one_holds_the_password() -> None:
    assert "log_min_error_statement=panic" in postgres_command(DEFAULTS["postgres"], 200)


def test_the_first_thing_that_fails_ends_the_setup() -> None:
    assert statements()[0] == r"\set ON_ERROR_STOP on"


def test_the_password_stands_where_the_role_is_altered_and_nowhere_else() -> None:
    (line,) = [line for line in statements() if PASSWORD in line]
    assert line.startswith("ALTER ROLE openwebui ")
    assert line.endswith(f" PASSWORD '{PASSWORD}';")


def test_the_role_may_sign_in_and_nothing_beyond() -> None:
    (line,) = [line for line in statements() if line.startswith("ALTER ROLE")]
    assert {"LOGIN", "NOSUPERUSER", "NOCREATEDB", "NOCREATEROLE", "NOREPLICATION"} <= set(line.split())


def test_whatever_is_created_is_created_unless_it_is_there() -> None:
    created = [line for line in statements() if "CREATE" in re.sub(r"NOCREATE\w+", "", line)]
    assert len(created) == 3
    for line in created:
        assert "NOT EXISTS" in line
        # Neither a role nor a database has IF NOT EXISTS: the statement is selected, and executed if there is one.
        assert line.startswith("CREATE EXTENSION IF NOT EXISTS ") or line.endswith(r"\gexec")


def test_only_the_owner_may_connect() -> None:
    assert "ALTER DATABASE openwebui OWNER TO openwebui;" in statements()
    assert "REVOKE ALL ON DATABASE openwebui, postgres, template1 FROM PUBLIC;" in statements()


def test_the_extension_is_made_in_the_applications_database_by_the_superuser() -> None:
    found = statements()
    assert found.index(r"\connect openwebui") < found.index("CREATE EXTENSION IF NOT EXISTS vector;")


def test_a_newer_image_brings_its_extension_up_to_date() -> None:
    assert "ALTER EXTENSION vector UPDATE;" in statements()


def test_the_probe_asks_over_tcp_because_the_socket_answers_while_the_folder_is_prepared() -> None:
    test = list(HEALTHCHECK.test)
    assert test[test.index("--host") + 1] == "127.0.0.1"
