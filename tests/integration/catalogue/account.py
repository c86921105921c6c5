"""Faults that only an account sees, which lives on more than one replica; and accounts that cannot be asked."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.stand_ins import stand_in_app
from tests.integration.hand_made import ADMIN, Labs
from verification.subject import AccountFile, Subject

FILE = "/tmp/account.env"
SIGN_INS = 15
"""As many as Open WebUI allows an e-mail address in three minutes, whether it has an account or not."""


@contextmanager
def without_account(labs: Labs) -> Iterator[Subject]:
    """The sound pair, which has none."""
    yield labs.pair.subject()


def account_in_file(email: str, password: str, *, sign_ins: int = 0) -> Inject:
    """A sound app, and an account of a file; signed in as before, in vain."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.accounts
        app = lab.container(lab.app)
        lines = f"WEBUI_ADMIN_EMAIL={email}\nWEBUI_ADMIN_PASSWORD={password}"
        body = f'{{"email":"{email}","password":"{password}"}}'
        ask = "curl -s -o /dev/null -H content-type:application/json http://127.0.0.1:8080/api/v1/auths/signin -d"
        app.exec_run(["sh", "-c", f"echo {shlex.quote(lines)} > {FILE}"])
        app.exec_run(["sh", "-c", f"for _ in $(seq {sign_ins}); do {ask} {shlex.quote(body)}; done"])
        yield lab.subject(account=AccountFile(container=lab.app, path=FILE))

    return inject


@contextmanager
def replica_on_another_network(labs: Labs) -> Iterator[Subject]:
    """A second replica that shares Valkey with the first one and no network."""
    lab = labs.accounts
    app = lab.app
    network = labs.client.networks.create(f"{lab.prefix}-other")
    try:
        network.connect(lab.valkey)
        with stand_in_app(lab, network=network.name) as other:
            yield lab.subject(app, other)
        network.disconnect(lab.valkey)
    finally:
        network.reload()
        for container in network.containers:
            network.disconnect(container, force=True)
        network.remove()


def replica_with(**changes: str) -> Inject:
    """A second replica that differs in some variables; in a value ``{valkey}`` stands for Valkey's URL."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.accounts
        valkey = lab.url(0).removesuffix("/0")
        with lab.beside({name: value.format(valkey=valkey) for name, value in changes.items()}) as other:
            yield lab.subject(lab.app, other)

    return inject


@contextmanager
def replica_with_its_own_database(labs: Labs) -> Iterator[Subject]:
    """A second replica whose data volume is its own."""
    lab = labs.accounts
    with lab.beside(volumes={}) as other:
        yield lab.subject(lab.app, other)


@contextmanager
def database_without_new_chats(labs: Labs) -> Iterator[Subject]:
    """The database gives what it holds and takes no chat."""
    lab = labs.accounts
    subject = lab.subject()
    with lab.refusing("INSERT"):
        yield subject


FAULTS = (
    Fault(
        name="no administrator's account is configured",
        inject=without_account,
        check="account",
        cause="no-account",
        status="unknown",
        verdict="proved",
    ),
    Fault(
        name="the administrator's password was changed",
        inject=account_in_file(ADMIN, "not-any-more"),
        check="account",
        cause="account-refused",
        status="unknown",
        verdict="proved",
    ),
    Fault(
        name="the account was signed in to too often",
        inject=account_in_file("nobody@example.org", "whatever", sign_ins=SIGN_INS),
        check="account",
        cause="account-rate-limited",
        status="unknown",
        verdict="proved",
    ),
    Fault(
        name="the replicas share no network",
        inject=replica_on_another_network,
        check="account",
        cause="replica-out-of-reach",
        status="unknown",
        verdict="proved",
    ),
    Fault(
        name="two replicas with different `WEBUI_SECRET_KEY`s",
        inject=replica_with(WEBUI_SECRET_KEY="f" * 64),
        check="replicas-agree",
        cause="secret-key-differs",
        also={"account": "secret-key-differs"},
    ),
    Fault(
        name="two replicas with a database each",
        inject=replica_with_its_own_database,
        check="account",
        cause="database-differs",
    ),
    Fault(
        name="`REDIS_URL`s of two replicas name different databases of one Valkey",
        inject=replica_with(REDIS_URL="{valkey}/2"),
        check="account",
        cause="token-not-revoked",
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL`s of two replicas name different databases of one Valkey",
        inject=replica_with(WEBSOCKET_REDIS_URL="{valkey}/3"),
        check="account",
        cause="socket-not-dropped",
    ),
    Fault(
        name="the database takes no new chats",
        inject=database_without_new_chats,
        check="account",
        cause="request-failed",
    ),
)
