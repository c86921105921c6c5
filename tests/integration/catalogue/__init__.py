"""The fault catalogue: each fault, what the verification says of it, and what Open WebUI says of itself meanwhile.

To add one: put a :class:`~tests.integration.catalogue.fault.Fault` into the ``FAULTS`` of the module of its theme, then
run ``python -m tests.integration.catalogue.page``, which writes docs/faults.md, and
tests/integration/test_fault_catalogue.py.
"""

from __future__ import annotations

from tests.integration.catalogue import (
    account,
    app,
    around,
    asked,
    elsewhere,
    locked,
    pair,
    public_endpoint,
    refusals,
    replicas,
    through_the_url,
    unasked,
    variables,
)
from tests.integration.catalogue.fault import Fault

THEMES: dict[str, tuple[Fault, ...]] = {
    "How Open WebUI was started": variables.FAULTS,
    "Open WebUI itself": app.FAULTS,
    "One Open WebUI and one Valkey": pair.FAULTS,
    "A Valkey that refuses": refusals.FAULTS,
    "An account and the replicas": account.FAULTS,
    "Through the URL": through_the_url.FAULTS,
    "At the URL, and at the gateway": public_endpoint.FAULTS,
    "The containers around them": around.FAULTS,
    "What is to be locked": locked.FAULTS,
    "Several replicas": replicas.FAULTS,
    "As others deploy it": elsewhere.FAULTS,
    "The database's schema": elsewhere.SCHEMA_FAULTS,
    "What was asked for, and what is told": asked.FAULTS,
    "What cannot be asked": unasked.FAULTS,
}

FAULTS: tuple[Fault, ...] = tuple(fault for faults in THEMES.values() for fault in faults)

__all__ = ["FAULTS", "THEMES", "Fault"]
