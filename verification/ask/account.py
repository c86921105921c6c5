"""Asks Open WebUI as its administrator: hands the account to ``account_probe``, reads its answer."""

from __future__ import annotations

import shlex
import time
from typing import Final

from verification.ask.containers import app_port
from verification.ask.view import View
from verification.evidence.container import Container
from verification.evidence.inside import Account
from verification.inside import runner
from verification.subject import Subject

VARIABLES: Final = ("WEBUI_ADMIN_EMAIL", "WEBUI_ADMIN_PASSWORD")
SECONDS: Final = 38.0
"""Longer than the probe gives itself (ASK_SECONDS and CLEAN_SECONDS there), so that it can leave nothing behind."""


def ask_account(view: View, subject: Subject) -> Account:
    """What the administrator's account sees from replica to replica; the first replica is where it signs in."""
    started = time.monotonic()
    variables: dict[str, str] = {}
    if subject.account:
        text = view.read_file(subject.account.container, subject.account.path)
        variables = read_account(text or "")
        if not variables:
            where = f"{subject.account.path} of {subject.account.container}"
            why = "is gone until the next update" if text is None else f"holds no {' and '.join(VARIABLES)}"
            return Account(problem="none", error=f"{where} {why}")
    first, *others = (view.container(name) for name in subject.apps)
    addresses = {first.name: f"http://127.0.0.1:{app_port(first)}"}
    addresses |= {other.name: address_of(other, first) for other in others}
    asked = {"replicas": addresses}
    executed = runner.run(view, first.name, "account_probe", asked, seconds=SECONDS, environment=variables)
    if executed.problem:
        return Account(problem=executed.problem, error=executed.error)
    try:
        answer = executed.answer()
    except ValueError:
        return Account(problem="failed", error=executed.complaint)
    return Account.from_json(answer | {"at": first.name, "seconds": time.monotonic() - started})


def read_account(text: str) -> dict[str, str]:
    """The account from shell lines, ``NAME='value'``; empty where e-mail or password is missing.

    Source: ``as_shell`` of :mod:`components.open_webui.environment`
    """
    try:
        pairs = (word.partition("=") for word in shlex.split(text, comments=True))
    except ValueError:
        return {}
    found = {name: value for name, _, value in pairs if name in VARIABLES and value}
    return found if len(found) == len(VARIABLES) else {}


def address_of(container: Container, seen_from: Container) -> str:
    """Where Open WebUI answers another container; empty where the two share no network."""
    found = sorted(container.addresses_on(seen_from.networks))
    if not found:
        return ""
    host = f"[{found[0]}]" if ":" in found[0] else found[0]
    return f"http://{host}:{app_port(container)}"
