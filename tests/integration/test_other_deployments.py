"""Sound deployments as others make them, on real containers: proved, or unknown for what cannot be asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from docker_access.commands import run_inside
from tests.integration.catalogue.elsewhere import CREDENTIALS, LOGIN_PAGE, PRIMARY, proxied, sentinel
from tests.integration.hand_made import (
    APP_IMAGE,
    BOOT_SECONDS,
    PAIR_URL,
    PASSWORD,
    POSTGRES_IMAGE,
    STAND_IN,
    VALKEY_IMAGE,
    Labs,
    Pair,
    ensure_images,
    silent,
)
from tests.lease import free_port
from verification.report.terminal import Report, as_text
from verification.run import verify
from verification.subject import Subject

pytestmark = pytest.mark.docker

OPEN_PATHS = "not path /health /ready /api/version /ws/*"
HOST_NAME = "host.docker.internal"
MIGRATIONS = """\
rm -r open_webui/migrations
mkdir -p open_webui/migrations/versions
printf "revision = 'a1'\\ndown_revision = None\\n" > open_webui/migrations/versions/first.py
printf "revision = 'b1'\\ndown_revision = 'a1'\\n" > open_webui/migrations/versions/second.py
exec bash start.sh
"""


AT = "DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('%s')"


@pytest.fixture
def lab(labs: Labs) -> Pair:
    return labs.variants


def rows(report: Report) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in report["checks"]}


def proved(report: Report) -> dict[str, dict[str, Any]]:
    """The checks of a report that has to be a proof."""
    assert report["verdict"] == "proved", as_text(report)
    return rows(report)


# --- Sentinel ---------------------------------------------------------------------------------------------------------


@contextmanager
def behind_sentinel(lab: Pair, image: str) -> Iterator[tuple[str, str, str]]:
    """An app, its primary and a replica of that; what stands in for Open WebUI asks Sentinel for one URL only."""
    with ExitStack() as undo:
        primary = undo.enter_context(lab.removed_after(lab.run("primary", VALKEY_IMAGE, {})))
        follow = ["valkey-server", "--replicaof", primary, "6379"]
        replica = undo.enter_context(lab.removed_after(lab.run("replica", VALKEY_IMAGE, {}, follow)))
        hosts = undo.enter_context(sentinel(lab, primary))
        variables = {
            "WEBSOCKET_REDIS_URL": f"redis://{PRIMARY}:6379/0",
            "WEBSOCKET_SENTINEL_HOSTS": hosts,
            "REDIS_URL": f"redis://{primary}:6379/0",
        }
        if image == APP_IMAGE:
            variables |= {"REDIS_URL": f"redis://{PRIMARY}:6379/0", "REDIS_SENTINEL_HOSTS": hosts}
        yield undo.enter_context(lab.another_app("by-sentinel", variables, image=image)), primary, replica


@pytest.mark.parametrize("image", [STAND_IN, pytest.param(APP_IMAGE, marks=pytest.mark.nightly)])
def test_the_primary_that_sentinel_names_is_asked_whichever_valkey_is_named(lab: Pair, image: str) -> None:
    ensure_images(image)
    with behind_sentinel(lab, image) as (app, primary, replica):
        place = f"{lab.address(primary)}:6379"
        for valkey in ("", primary, replica):
            seen = proved(verify(Subject(apps=(app,), valkey=valkey, wait_seconds=BOOT_SECONDS), silent))
            assert f"by Sentinel {place}" in seen["connect"]["evidence"]
            assert seen["pubsub-subscribers"]["evidence"] == "PUBSUB NUMSUB socketio is 1, 1 app process"
    assert seen["name-resolution"]["cause"] == "addresses-unknown"


# --- Valkey by a port of the host -------------------------------------------------------------------------------------


def test_a_valkey_reached_by_a_port_of_the_host_is_known_by_what_it_says_it_is(lab: Pair) -> None:
    port = free_port()
    command = ["valkey-server", "--requirepass", PASSWORD]
    environment = {"REDISCLI_AUTH": PASSWORD}
    other = lab.client.networks.create(f"{lab.prefix}-other")
    with ExitStack() as undo:
        undo.callback(other.remove)
        published = lab.run("published", VALKEY_IMAGE, environment, command, ports={"6379/tcp": port})
        undo.enter_context(lab.removed_after(published))
        url = f"redis://:{PASSWORD}@{HOST_NAME}:{port}"
        variables = {"WEBSOCKET_REDIS_URL": f"{url}/1", "REDIS_URL": f"{url}/0"}
        reach = {"network": other.name, "extra_hosts": {HOST_NAME: "host-gateway"}}
        app = undo.enter_context(lab.another_app("by-port", variables, **reach))
        subject = Subject(apps=(app,), valkey=published, wait_seconds=BOOT_SECONDS)

        known = proved(verify(subject, silent))
        run_inside(lab.client.api, published, ["valkey-cli", "ACL", "SETUSER", "default", "-info"])
        unknown = proved(verify(subject, silent))

    assert "where the same server answers" in known["name-resolution"]["evidence"]
    assert known["pubsub-subscribers"]["status"] == "passed"
    assert unknown["name-resolution"]["cause"] == "addresses-unknown"


# --- a login before the URL -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("demand", [LOGIN_PAGE, CREDENTIALS], ids=["a page", "a password"])
def test_behind_a_login_that_lets_what_is_asked_through_everything_is_proved(labs: Labs, demand: str) -> None:
    lab = labs.pair
    with proxied(lab, lab.app, demand, exempt=OPEN_PATHS) as door:
        seen = proved(lab.verified(url=PAIR_URL, door=door))

    assert seen["front-door"]["status"] == seen["front-door-event"]["status"] == "passed"


# --- the schema -------------------------------------------------------------------------------------------------------


@contextmanager
def postgres(lab: Pair) -> Iterator[str]:
    """A Postgres that takes connections over its network."""
    ensure_images(POSTGRES_IMAGE)
    with lab.removed_after(lab.run("postgres", POSTGRES_IMAGE, {"POSTGRES_PASSWORD": PASSWORD})) as name:
        end = time.monotonic() + BOOT_SECONDS
        ready = ["pg_isready", "--quiet", "--host", lab.address(name), "--username", "postgres"]
        while lab.container(name).exec_run(ready).exit_code:
            assert time.monotonic() < end, lab.container(name).logs(tail=20).decode()
            time.sleep(0.2)
        yield name


def test_a_schema_in_postgres_is_compared_with_the_images_own(lab: Pair) -> None:
    with postgres(lab) as database:
        variables = {"DATABASE_URL": f"postgresql://postgres:{PASSWORD}@{database}:5432/postgres"}

        def at(revision: str) -> Report:
            said = lab.container(database).exec_run(["psql", "-qU", "postgres", "-c", AT % revision])
            assert said.exit_code == 0, said
            return lab.verified(app)

        with lab.another_app("on-postgres", variables, command=["sh", "-c", MIGRATIONS]) as app:
            current, behind = at("b1"), at("a1")

    assert proved(current)["migration"]["evidence"] == "the database is at b1"
    assert behind["summary"].startswith("failed: migrations-pending: "), as_text(behind)
    assert PASSWORD not in as_text(behind)
