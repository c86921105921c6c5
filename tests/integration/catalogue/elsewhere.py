"""Faults of what others deploy: Sentinel, Valkey's own configuration, a login before the URL, an old schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from docker_access import labels
from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.pair import app_with
from tests.integration.catalogue.stand_ins import stand_in, stand_in_app
from tests.integration.hand_made import CADDY_IMAGE, PAIR_URL, PASSWORD, VALKEY_IMAGE, Labs, Pair
from verification.subject import PublishedPort, Subject

PRIMARY = "mymaster"
SENTINEL = f"""\
cat > /tmp/sentinel.conf <<END
port 26379
sentinel resolve-hostnames yes
sentinel monitor {PRIMARY} %s 6379 1
END
exec valkey-sentinel /tmp/sentinel.conf
"""

WITHOUT_MIGRATIONS = ["bash", "-c", "rm -r open_webui/migrations; exec bash start.sh"]
"""Command of an Open WebUI whose image tells no migrations."""
LOGIN_PAGE = "redir @stranger https://login.test/?rd=https%3A%2F%2Fchat.test%2F 302"
CREDENTIALS = "respond @stranger 401"
PROXY = """\
cat > /tmp/Caddyfile <<'END'
http://chat.test:8080 {
    @stranger {
        not header Authorization *
        %s
    }
    route {
        %s
        reverse_proxy %s:8080
    }
}
END
exec caddy run --config /tmp/Caddyfile --adapter caddyfile
"""


@contextmanager
def sentinel(lab: Pair, primary: str) -> Iterator[str]:
    """A Sentinel that knows a Valkey as its primary, which it needs no password of to say where it is."""
    with stand_in(lab, "sentinel", SENTINEL % primary) as name:
        lab.wait_for_port(lab.address(name), 26379)
        yield name


@contextmanager
def another_name_at_sentinel(labs: Labs) -> Iterator[Subject]:
    """Sentinel is there, and the host in the URL is Valkey's own name and not the primary's."""
    lab = labs.variants
    with sentinel(lab, lab.valkey) as name, lab.another_app("variant", {"WEBSOCKET_SENTINEL_HOSTS": name}) as app:
        yield lab.subject(app)


@contextmanager
def proxied(lab: Pair, app: str, demand: str, exempt: str = "") -> Iterator[PublishedPort]:
    """A proxy before an app that demands something of who brings no ``Authorization``; paths may be exempt."""
    with stand_in(lab, "proxy", PROXY % (exempt, demand, app), image=CADDY_IMAGE) as proxy:
        address = lab.address(proxy)
        lab.wait_for_port(address, 8080)
        yield PublishedPort(address=address, port=8080)


def behind_a_login(demand: str) -> Inject:
    """The sound pair behind a proxy that asks for a login."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.pair
        with proxied(lab, lab.app, demand) as door:
            yield lab.subject(url=PAIR_URL, door=door)

    return inject


def valkey_with(*options: str, password: bool, environment: Mapping[str, str] | None = None) -> Inject:
    """An app and a Valkey of its own that is configured in a way that keeps others out."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.variants
        command = ["valkey-server", *options]
        account = f":{PASSWORD}@" if password else ""
        with lab.removed_after(lab.run("shut-valkey", VALKEY_IMAGE, environment or {}, command)) as shut:
            url = f"redis://{account}{shut}:6379"
            with stand_in_app(lab, {"WEBSOCKET_REDIS_URL": f"{url}/1", "REDIS_URL": f"{url}/0"}) as app:
                lab.wait_for_answer(app)
                yield Subject(apps=(app,), valkey=shut, wait_seconds=3)

    return inject


def database_at(revision: str) -> Inject:
    """The database of a sound app says that it is at another revision."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.accounts
        subject = lab.subject()
        [[head]] = lab.in_database("SELECT version_num FROM alembic_version")
        change = "UPDATE alembic_version SET version_num = '%s'"
        lab.in_database(change % revision)
        try:
            yield subject
        finally:
            lab.in_database(change % head)

    return inject


@contextmanager
def replica_of_another_image(labs: Labs) -> Iterator[Subject]:
    """In a stack, the migration's container is made from another image than the replica's."""
    lab = labs.variants
    of_stack: dict[str, Any] = {"labels": {labels.STACK: "test"}}
    with (
        stand_in(lab, "migration", "exit 0", image=VALKEY_IMAGE, **of_stack) as migration,
        lab.another_app("variant", command=WITHOUT_MIGRATIONS, **of_stack) as app,
    ):
        lab.container(migration).wait(timeout=30)
        yield lab.subject(app, migration=migration)


@contextmanager
def no_migration(labs: Labs) -> Iterator[Subject]:
    """A sound pair; no migration is named, and the app's image has none."""
    with labs.variants.another_app("variant", command=WITHOUT_MIGRATIONS) as app:
        yield labs.variants.subject(app)


FIRST = "7e5b5dc7342b"
"""Revision of Open WebUI's first migration.

Source: https://github.com/open-webui/open-webui/tree/v0.12.4/backend/open_webui/migrations/versions
"""

SCHEMA_FAULTS = (
    Fault(
        name="the database has not had all migrations of Open WebUI's image",
        inject=database_at(FIRST),
        check="migration",
        cause="migrations-pending",
    ),
    Fault(
        name="the database was migrated by a newer Open WebUI",
        inject=database_at("feedfacecafe"),
        check="migration",
        cause="schema-too-new",
    ),
)

FAULTS = (
    Fault(
        name="`WEBSOCKET_SENTINEL_HOSTS` names a host that does not exist",
        inject=app_with(WEBSOCKET_SENTINEL_HOSTS="nowhere"),
        check="connect",
        cause="sentinel-unreachable",
        also={
            "valkey-acl": "not-connected",
            "pubsub-subscribers": "sentinel-unreachable",
            "live-event": "sentinel-unreachable",
        },
    ),
    Fault(
        name="the host in `WEBSOCKET_REDIS_URL` is no name that Sentinel monitors",
        inject=another_name_at_sentinel,
        check="connect",
        cause="sentinel-knows-no-primary",
        also={"live-event": "sentinel-knows-no-primary"},
    ),
    Fault(
        name="Valkey is a cluster, which cannot be asked as the app does",
        inject=app_with(WEBSOCKET_REDIS_CLUSTER="true"),
        check="live-event",
        cause="url-unsupported",
        status="unknown",
        verdict="unknown",
        also={"connect": "url-unsupported", "pubsub-subscribers": "url-unsupported"},
        own="-/-",
    ),
    Fault(
        name="Valkey's configuration binds it to its own loopback",
        inject=valkey_with(
            "--bind", "127.0.0.1", "--requirepass", PASSWORD, password=True, environment={"REDISCLI_AUTH": PASSWORD}
        ),
        check="connect",
        cause="valkey-binds-loopback",
        also={"live-event": "valkey-binds-loopback"},
        own="-/-",
    ),
    Fault(
        name="Valkey has no password and is in protected mode",
        inject=valkey_with("--protected-mode", "yes", password=False),
        check="connect",
        cause="valkey-protected-mode",
        also={"live-event": "valkey-protected-mode"},
        own="-/-",
    ),
    Fault(
        name="a proxy sends whoever has not signed in to it to the page of a login",
        inject=behind_a_login(LOGIN_PAGE),
        check="front-door",
        cause="login-in-front",
        status="unknown",
        verdict="unknown",
        also={"health": "login-in-front", "ready": "login-in-front"},
    ),
    Fault(
        name="a proxy wants a password before Open WebUI does",
        inject=behind_a_login(CREDENTIALS),
        check="front-door",
        cause="login-in-front",
        status="unknown",
        verdict="unknown",
        also={"health": "login-in-front", "ready": "login-in-front"},
    ),
    Fault(
        name="a stack's replica runs another image than the one that migrated",
        inject=replica_of_another_image,
        check="migration",
        cause="migrated-by-another-image",
        own="-/-",
    ),
    Fault(
        name="no migration is named, and Open WebUI's image has none to compare its database with",
        inject=no_migration,
        check="migration",
        cause="not-expected",
        status="unknown",
        verdict="proved",
        own="-/-",
    ),
)
