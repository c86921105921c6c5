"""Faults of how Open WebUI was started: with a variable that is wrong, or one that leads to a Valkey that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.pair import app_with
from tests.integration.catalogue.stand_ins import stand_in_app
from tests.integration.hand_made import PASSWORD, VALKEY_IMAGE, Labs
from verification.subject import Subject

LOADS_FOR_MINUTES = f"""\
export REDISCLI_AUTH={PASSWORD}
valkey-server --requirepass {PASSWORD} --enable-debug-command yes --rdbcompression no --daemonize yes
until valkey-cli ping; do sleep 0.1; done
valkey-cli debug populate 3000 key 2000
valkey-cli shutdown save
exec valkey-server --requirepass {PASSWORD} --key-load-delay 100000 --loading-process-events-interval-bytes 1024
"""
"""A tenth of a second for each key, and clients are answered in between.

Source: https://github.com/valkey-io/valkey/blob/8.0.1/src/config.c (``key-load-delay``)
"""
ALIAS = "the-cache"


@contextmanager
def to_another_valkey(labs: Labs) -> Iterator[Subject]:
    """WEBSOCKET_REDIS_URL names another Valkey than the one that is meant."""
    lab = labs.variants
    with (
        lab.removed_after(lab.run("other-valkey", VALKEY_IMAGE, {})) as other,
        lab.another_app("variant", {"WEBSOCKET_REDIS_URL": f"redis://{other}:6379/1"}) as app,
    ):
        yield lab.subject(app)


@contextmanager
def to_another_valkey_sometimes(labs: Labs) -> Iterator[Subject]:
    """WEBSOCKET_REDIS_URL has a name that two of Valkey's containers go by."""
    lab = labs.variants
    with ExitStack() as undo:
        command = ["valkey-server", "--requirepass", PASSWORD]
        other = undo.enter_context(lab.removed_after(lab.run("other-valkey", VALKEY_IMAGE, {}, command)))
        network = labs.client.networks.create(f"{lab.prefix}-both")
        undo.callback(network.remove)
        for name in (lab.valkey, other):
            network.connect(name, aliases=[ALIAS])
            undo.callback(network.disconnect, name)
        url = f"redis://:{PASSWORD}@{ALIAS}:6379/1"
        app = undo.enter_context(lab.another_app("variant", {"WEBSOCKET_REDIS_URL": url}, network=network.name))
        lab.network.connect(app)
        yield lab.subject(app)


@contextmanager
def to_a_valkey_that_loads(labs: Labs) -> Iterator[Subject]:
    """WEBSOCKET_REDIS_URL names a Valkey that reads its snapshot for minutes."""
    lab = labs.variants
    loading = lab.run(
        "loading-valkey", VALKEY_IMAGE, {"REDISCLI_AUTH": PASSWORD}, entrypoint=["sh", "-c", LOADS_FOR_MINUTES]
    )
    with (
        lab.removed_after(loading),
        lab.another_app("variant", {"WEBSOCKET_REDIS_URL": f"redis://:{PASSWORD}@{loading}:6379/1"}) as app,
    ):
        yield replace(lab.subject(app), valkey=loading, wait_seconds=3)


def both_passwords_wrong(*, client: bool) -> Inject:
    """No password is right, and Valkey's own container knows none, or has not even a client to ask with."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.variants
        command = ["valkey-server", "--requirepass", PASSWORD]
        with lab.removed_after(lab.run("strict-valkey", VALKEY_IMAGE, {}, command)) as strict:
            if not client:
                script = "for name in valkey-cli redis-cli; do while path=$(command -v $name); do rm $path; done; done"
                lab.container(strict).exec_run(["sh", "-c", script], user="root")
            url = f"redis://:wrong@{strict}:6379"
            with stand_in_app(lab, {"WEBSOCKET_REDIS_URL": f"{url}/1", "REDIS_URL": f"{url}/0"}) as app:
                yield replace(lab.subject(app), valkey=strict)

    return inject


@contextmanager
def without_any_url(labs: Labs) -> Iterator[Subject]:
    """Neither of the URLs is set: Open WebUI never gets to its end of booting."""
    lab = labs.variants
    nothing = {"WEBSOCKET_REDIS_URL": None, "REDIS_URL": None}
    with lab.removed_after(lab.start_app("variant", nothing)) as app:
        yield replace(lab.subject(app), wait_seconds=5)


@contextmanager
def on_valkeys_own_network(labs: Labs) -> Iterator[Subject]:
    """The app shares Valkey's network namespace, so that 127.0.0.1 is right and no address tells it."""
    lab = labs.variants
    url = f"redis://:{PASSWORD}@127.0.0.1:6379"
    urls = {"WEBSOCKET_REDIS_URL": f"{url}/1", "REDIS_URL": f"{url}/0"}
    with stand_in_app(lab, urls, network=None, network_mode=f"container:{lab.valkey}") as app:
        yield lab.subject(app)


FAULTS = (
    Fault(
        name="`WEBSOCKET_MANAGER` is not set",
        inject=app_with(WEBSOCKET_MANAGER=None),
        check="environment",
        cause="manager-not-redis",
        also={"live-event": "manager-not-redis"},
        real=True,
    ),
    Fault(
        name="`ENABLE_WEBSOCKET_SUPPORT=false`",
        inject=app_with(ENABLE_WEBSOCKET_SUPPORT="false"),
        check="environment",
        cause="websocket-disabled",
        also={"live-event": "websocket-disabled"},
    ),
    Fault(
        name="`REDIS_URL` is not set",
        inject=app_with(REDIS_URL=None),
        check="environment",
        cause="redis-url-missing",
        also={"connect-redis-url": "url-unset"},
    ),
    Fault(
        name="neither `WEBSOCKET_REDIS_URL` nor `REDIS_URL` is set",
        inject=without_any_url,
        check="environment",
        cause="websocket-redis-url-missing",
        also={"connect": "url-unset"},
        own="none/none",
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` names a unix socket",
        inject=app_with(WEBSOCKET_REDIS_URL="unix:///run/valkey.sock"),
        check="environment",
        cause="scheme-unsupported",
        also={"connect": "url-scheme", "live-event": "scheme-unsupported"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` names 127.0.0.1",
        inject=app_with(WEBSOCKET_REDIS_URL="redis://:{password}@127.0.0.1:6379/1"),
        check="name-resolution",
        cause="name-is-loopback",
        also={"connect": "valkey-unreachable", "live-event": "name-is-loopback"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` names a host that does not exist",
        inject=app_with(WEBSOCKET_REDIS_URL="redis://:{password}@no-such-host:6379/1"),
        check="name-resolution",
        cause="name-does-not-resolve",
        also={"live-event": "name-does-not-resolve"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` names a port where nothing listens",
        inject=app_with(WEBSOCKET_REDIS_URL="redis://:{password}@{valkey}:6390/1"),
        check="connect",
        cause="valkey-unreachable",
        also={"live-event": "valkey-unreachable"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` names a database that Valkey does not have",
        inject=app_with(WEBSOCKET_REDIS_URL="redis://:{password}@{valkey}:6379/99"),
        check="connect",
        cause="valkey-connection-failed",
        also={"live-event": "valkey-connection-failed"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` leads to another Valkey",
        inject=to_another_valkey,
        check="name-resolution",
        cause="name-resolves-elsewhere",
        also={"pubsub-subscribers": "name-resolves-elsewhere"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` leads to another Valkey sometimes: two containers go by its name",
        inject=to_another_valkey_sometimes,
        check="name-resolution",
        cause="name-resolves-elsewhere",
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` leads to a Valkey that is reading its snapshot",
        inject=to_a_valkey_that_loads,
        check="valkey-pong",
        cause="valkey-loading",
        also={"connect": "valkey-loading", "live-event": "valkey-loading"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` has a wrong password",
        inject=app_with(WEBSOCKET_REDIS_URL="redis://:wrong@{valkey}:6379/1"),
        check="connect",
        cause="valkey-auth-refused",
        also={"valkey-acl": "not-connected", "live-event": "valkey-auth-refused"},
        real=True,
    ),
    Fault(
        name="`REDIS_URL` has a wrong password",
        inject=app_with(REDIS_URL="redis://:wrong@{valkey}:6379/0"),
        check="connect-redis-url",
        cause="valkey-auth-refused",
        also={"ready": "ready-not-200"},
        own="200/503",
        real=True,
    ),
    Fault(
        name="both passwords are wrong, and Valkey's own container has none",
        inject=both_passwords_wrong(client=True),
        check="valkey-pong",
        cause="valkey-needs-a-password",
        status="unknown",
        first="valkey-auth-refused",
        own="-/-",
    ),
    Fault(
        name="both passwords are wrong, and Valkey's image has no client",
        inject=both_passwords_wrong(client=False),
        check="valkey-pong",
        cause="valkey-not-asked",
        status="unknown",
        first="valkey-auth-refused",
        own="-/-",
    ),
    Fault(
        name="the app is on Valkey's own network, where 127.0.0.1 is right",
        inject=on_valkeys_own_network,
        check="name-resolution",
        cause="addresses-unknown",
        status="unknown",
        verdict="proved",
        own="-/-",
    ),
)
