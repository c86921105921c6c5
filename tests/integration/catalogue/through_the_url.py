"""Faults between the address people open and Open WebUI: a proxy that is in the way of websockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.stand_ins import stand_in_app
from tests.integration.hand_made import PAIR_URL, PING_SECONDS, Labs
from tests.integration.relay import relay, replacing, without
from verification.subject import Subject

IMPATIENT_SECONDS = PING_SECONDS - 2
"""Longer than a page waits for its event, on a machine at its limit too."""


def behind(*, idle: bool = False, **options: Any) -> Inject:
    """The sound pair, and a proxy with these options at its URL."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.pair
        with relay(lab.address(lab.app), **options) as door:
            yield lab.subject(url=PAIR_URL, door=door, idle=idle)

    return inject


@contextmanager
def another_url(labs: Labs) -> Iterator[Subject]:
    """The sound pair at a URL that it was not told of."""
    lab = labs.pair
    with relay(lab.address(lab.app)) as door:
        yield lab.subject(url="http://other.test", door=door)


def elsewhere(*, sometimes: bool) -> Inject:
    """The sound pair, and at its URL another Open WebUI with a Valkey of its own, every time or every other time."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        subject, own = labs.pair.subject(), labs.pair.address(labs.pair.app)
        with stand_in_app(labs.variants) as other:
            labs.variants.verified(other)  # waits for the boot
            addresses = [labs.variants.address(other), *([own] if sometimes else [])]
            with relay(*addresses) as door:
                yield replace(subject, url=PAIR_URL, door=door)

    return inject


FAULTS = (
    Fault(
        name="at the URL there is another Open WebUI",
        inject=elsewhere(sometimes=False),
        check="front-door-event",
        cause="url-leads-elsewhere",
    ),
    Fault(
        name="at the URL there is another Open WebUI every other time",
        inject=elsewhere(sometimes=True),
        check="front-door-event",
        cause="url-leads-elsewhere",
    ),
    Fault(
        name="a proxy holds back what comes over a websocket after the first messages",
        inject=behind(swallow=b"42["),
        check="front-door-event",
        cause="event-not-received",
    ),
    Fault(
        name="a proxy closes a websocket that is silent for less than a ping interval",
        inject=behind(idle=True, patience=IMPATIENT_SECONDS),
        check="idle-socket",
        cause="idle-timeout-too-short",
    ),
    Fault(
        name="a proxy forgets a silent websocket without a word",
        inject=behind(idle=True, patience=IMPATIENT_SECONDS, then="forget"),
        check="idle-socket",
        cause="idle-timeout-too-short",
    ),
    Fault(
        name="a proxy takes the `Upgrade` header away",
        inject=behind(change=without("Upgrade")),
        check="front-door",
        cause="upgrade-blocked",
    ),
    Fault(
        name="a proxy changes the `Origin` header",
        inject=behind(change=replacing("Origin", "http://proxy.test")),
        check="front-door",
        cause="upgrade-blocked",
    ),
    Fault(
        name="a proxy takes the `Origin` header away",
        inject=behind(change=without("Origin")),
        check="front-door",
        cause="foreign-origin-accepted",
    ),
    Fault(
        name="`CORS_ALLOW_ORIGIN` names another origin than the URL that people open",
        inject=another_url,
        check="front-door",
        cause="origin-refused",
    ),
)
