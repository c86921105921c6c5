"""The figures as a document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.figures import Outage
from tests.bench.growth import COUNTS, Growth, slope
from tests.bench.load import Join, Load
from tests.bench.proof import BAR_PER_REPLICA_SECONDS, Cost
from tests.bench.side_by_side import BARS as SIDE_BY_SIDE_BARS
from tests.bench.side_by_side import (
    CLI,
    COMPOSE,
    DESTROY,
    ENGINE,
    FROM_NOTHING,
    MAKE,
    PREVIEW,
    UNCHANGED,
    UNCHANGED_SERVICES,
    SideBySide,
)
from tests.bench.speed import Speed

HEAD = """# Benchmarks

Written by `make bench`, which deploys the staging settings as a stack of its own, measures, and removes it. Ratios
matter, not seconds: client and server share the machine. `make bench ONLY=speed` measures one section again and leaves
the others as they are; a section measured so says when.
"""

LOAD = """## Events

Sockets are spread over the replicas by the gateway. Events of 120 bytes are published through Valkey, by the clock,
each to one socket's own room, in turn, from inside an app container. Latency is the time from the publisher's clock to
the client's, through Valkey, replica and gateway. By hand on two cores, p99 was 4.3 ms at 500/s and 20 ms at 2000/s.
"""

JOIN = """## Joining

All at once, 50 under way at any moment. With an account, each socket shows its token and joins its account's rooms: the
database is asked. That is what a restart of the gateway costs.
"""

DRILLS = """## Outages

40 sockets, 100 events/s, 20 GET/s with a new connection each: alternately one answered from memory and one that asks
Valkey and the database. Containers are killed by SIGKILL to their first process, and restarted by Docker; nobody
intervenes. *Failing* is the time between the first and the last failed request. *Back* is the time from the crash, or
from the start after a stop, to the last event that a socket still connected did not get; *proved again*, to the end of
a `make verify IDLE=0` that began at once. After each drill a chat stored before all of them is there, and a token
revoked before is refused, on every replica.

Not every request survives Valkey's absence: Open WebUI's list of chats asks it for running tasks, and answers 400 until
it is back.
"""

SPEED = """## Deployment

Images present. The bar is 1.3 times what the slowest container and the migration take by themselves.
"""

PROOF = """## The proof

Every check on the stack while it is healthy, gateway, Postgres, Valkey's rights and the administrator's account among
them: what `make verify IDLE=0` takes beyond starting Python. The quickest of three.
"""

SIDE_BY_SIDE = """## Against docker compose and the Pulumi CLI

The settings of dev, one after the other on the same machine with the same images, everything in turn in every round.
The compose file is written from what the embedded engine deployed. `up` of the embedded engine and of the CLI ends when
the stack is proved, `docker compose up --detach --wait` when its containers are healthy. Compose runs the migration
again in every `up`; *services only* spares it that, though it is no part of what people type. Engines are called as
`python -m tooling.engine` and `pulumi` (`--skip-preview`); `make` looks at Python, Docker, images and ports before.
"""

GROWTH = """An unchanged `up` with more and more containers that sleep, every one looked at:
"""

BARS = {
    "Valkey killed": "no socket lost, events back in about 1 s",
    "Valkey down for 10 s": "no request failed",
    "a replica killed": "no GET failed, only its own sockets lost",
    "Postgres killed": "failing for at most 1 s",
    "the gateway killed": "(every socket is lost)",
    "scaled by one and back": "no socket lost, no GET failed",
}


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything measured in one run; what was not is empty.

    Attributes:
        facts: When, where and of what, for people.
        loads: Runs at a steady rate.
        joins: Bursts of joins.
        outages: Drills by what was broken.
        speed: Deployment.
        costs: Proofs, with one replica first.
        side_by_side: The embedded engine beside others.
        growth: An unchanged update of more and more containers.
    """

    facts: Mapping[str, str]
    loads: Sequence[Load] = ()
    joins: Sequence[Join] = ()
    outages: Mapping[str, Outage] = field(default_factory=dict)
    speed: Speed | None = None
    costs: Sequence[Cost] = ()
    side_by_side: SideBySide | None = None
    growth: Growth | None = None


def table(*rows: Sequence[object]) -> str:
    """A Markdown table; the first row is its head."""
    lines = [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:], ""])


def document(results: Results) -> str:
    """The whole document, in Markdown."""
    return "\n".join([HEAD, table(("", ""), *results.facts.items()), *sections(results).values()])


def updated(present: str, results: Results) -> str:
    """The document with the sections that were measured again, each saying when, and the others as they are."""
    found = re.split(r"^(?=## )", present, flags=re.MULTILINE)
    old = {text.splitlines()[0]: text.rstrip("\n") + "\n" for text in found[1:]}
    when = ", ".join(
        f"{what} {results.facts[what]}" for what in ("date", "commit", "other load") if what in results.facts
    )
    new = {title: f"{text}\nMeasured by itself: {when}.\n" for title, text in sections(results).items()}
    return "\n".join([found[0].rstrip("\n") + "\n", *(old | new).values()])


def sections(results: Results) -> dict[str, str]:
    """The sections for which there are figures, by their heading."""
    loads = table(
        ("replicas", "sockets", "events/s", "lost", "p50 / p90 / p99 / max, ms", "CPU %: a replica, Valkey, gateway"),
        *(_load(load) for load in results.loads),
    )
    joins = table(("sockets", "account", "seconds", "sockets/s"), *(_join(join) for join in results.joins))
    outages = table(
        ("what", "bar", "sockets lost", "GET failed", "failing", "slowest GET", "events lost", "back", "proved again"),
        *(_outage(what, seen) for what, seen in results.outages.items()),
    )
    found = (
        (LOAD, results.loads and loads),
        (JOIN, results.joins and joins),
        (DRILLS, results.outages and outages),
        (SPEED, results.speed and _speed(results.speed)),
        (SIDE_BY_SIDE, results.side_by_side and _side_by_side(results.side_by_side, results.growth)),
        (PROOF, results.costs and _proof(results.costs)),
    )
    return {text.splitlines()[0]: f"{text}\n{figures}" for text, figures in found if figures}


def _load(load: Load) -> tuple[object, ...]:
    ms = load.latency
    asked = f"{load.asked:.0f}" if load.reached > 0.98 * load.asked else f"{load.reached:.0f} ({load.asked:.0f} asked)"
    lost = f"{load.lost} of {load.events}" + (f", {load.repeated} repeated" if load.repeated else "")
    cpu = ", ".join(f"{percent:.0f}" for percent in load.cpu.values())
    latencies = " / ".join(f"{value:.1f}" for value in (ms.p50, ms.p90, ms.p99, ms.maximum))
    return load.replicas, load.sockets, asked, lost, latencies, cpu


def _join(join: Join) -> tuple[object, ...]:
    return join.sockets, "yes" if join.with_account else "no", f"{join.seconds:.1f}", f"{join.rate:.0f}"


def _outage(what: str, seen: Outage) -> tuple[object, ...]:
    return (
        what, BARS[what], f"{seen.sockets_lost} of {seen.sockets}", f"{seen.gets_failed} of {seen.gets}",
        f"{seen.failing_seconds:.1f} s", f"{seen.slowest_seconds:.1f} s", f"{seen.events_lost} of {seen.events}",
        f"{seen.events_back_seconds:.1f} s", f"{seen.proved_seconds:.1f} s",
    )  # fmt: skip


def _speed(speed: Speed) -> str:
    return table(
        ("what", "seconds"),
        ("staging from nothing to proved", f"{speed.proved:.1f}"),
        ("its slowest container alone: a replica, from start to healthy", f"{speed.healthy:.1f}"),
        ("(the same to `/ready`; Docker asks every 5 s)", f"{speed.ready:.1f}"),
        ("its migration", f"{speed.migration:.1f}"),
        ("ratio (bar 1.3)", f"{speed.ratio:.2f}"),
        ("`up` again, nothing changed", f"{speed.unchanged:.1f}"),
        ("`verify IDLE=0`", f"{speed.verify:.1f}"),
    )


def _proof(costs: Sequence[Cost]) -> str:
    first, last = costs[0], costs[-1]
    each = (last.seconds - first.seconds) / (last.replicas - first.replicas)
    rows = (
        (
            cost.replicas, f"{cost.seconds:.1f}", f"{cost.bar:.1f}", cost.passed, ", ".join(cost.unasked) or "none",
            f"{cost.slowest[0]}, {cost.slowest[1]:.1f} s",
        )
        for cost in costs
    )  # fmt: skip
    proofs = table(("replicas", "seconds", "bar", "checks passed", "not asked", "slowest check"), *rows)
    return f"{proofs}\nEach further replica: {each:+.2f} s (bar {BAR_PER_REPLICA_SECONDS:+.1f} s).\n"


def _side_by_side(seen: SideBySide, grown: Growth | None) -> str:
    rows = [
        (what, *(_seconds(seen.median(who, what)) for who in (ENGINE, MAKE, COMPOSE, CLI)))
        for what in (FROM_NOTHING, UNCHANGED, UNCHANGED_SERVICES, PREVIEW, DESTROY)
    ]
    rounds = len(seen.seconds[ENGINE, FROM_NOTHING])
    head = (f"seconds, median of {rounds}", ENGINE, "the same by `make`", COMPOSE, CLI)
    bars = [
        (
            bar.what,
            f"{bar.other}, {bar.theirs}",
            "not measured" if ratio is None else f"{ratio:.2f}",
            f"{bar.ratio:.2f}",
        )
        for bar in SIDE_BY_SIDE_BARS
        for ratio in [seen.ratio(bar)]
    ]
    who = [f"{name} {version}" for name, version in seen.versions.items()]
    who += [f"{name} is not on this machine" for name in seen.absent]
    parts = [f"{'; '.join(who)}.\n", table(head, *rows), table((ENGINE, "against", "ratio", "bar"), *bars)]
    return "\n".join([*parts, *([GROWTH, _growth(grown)] if grown else [])])


def _growth(grown: Growth) -> str:
    rows = [
        (who, *(_seconds(seconds.get(count)) for count in COUNTS), f"{slope(seconds) * 1000:.0f} ms" if seconds else "")
        for who, seconds in ((ENGINE, grown.embedded), (COMPOSE, grown.compose))
    ]
    return table(("seconds, by containers", *COUNTS, "each further one"), *rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
