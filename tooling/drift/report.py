"""The differences as text, a line each, and as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tooling.drift.compare import AS_DEPLOYED, Difference
from tooling.drift.recorded import BILLION, MIB, Recorded

WORDS: Final = {
    "HostConfig.Memory": "memory limit",
    "HostConfig.MemorySwap": "limit of memory and swap",
    "HostConfig.MemoryReservation": "memory reservation",
    "HostConfig.NanoCpus": "CPU limit",
    "HostConfig.CpuShares": "CPU shares",
    "HostConfig.PidsLimit": "limit of processes",
    "HostConfig.RestartPolicy.Name": "restart policy",
    "HostConfig.PortBindings": "published ports",
    "HostConfig.Binds": "mounts",
    "HostConfig.ExtraHosts": "extra hosts",
    "Config.Image": "image",
    "Config.Cmd": "command",
    "Config.User": "user",
}
"""Docker's paths in plain words; any other path stands for itself."""


def fix_line(found: Iterable[Difference], stack: str) -> str:
    """One line of commands that fixes all of them."""
    fixes = [one.fix for one in found]
    removed = list(dict.fromkeys(name for one in fixes for name in one.remove))
    # What is made again needs no other treatment.
    first = [step for one in fixes for step in one.first if shlex.split(step)[-1] not in removed]
    strangers = [name for name in removed if any(name in one.strangers for one in fixes)]
    own = [name for name in removed if name not in strangers]
    stop = [f"docker stop {shlex.join(removed)}"] if removed else []
    stop += [f"docker rm --volumes {shlex.join(own)}"] if own else []
    stop += [f"docker rm {shlex.join(strangers)}"] if strangers else []
    update = [f"make up STACK={stack}"] if any(one.update for one in fixes) else []
    return " && ".join(dict.fromkeys([*first, *stop, *(step for one in fixes for step in one.then), *update]))


def as_text(found: Sequence[Difference], known: Recorded, stack: str, gone: Sequence[str] = ()) -> str:
    """A line for each difference, then the line that fixes them.

    ``known`` was compared; ``gone`` is what :func:`tooling.drift.compare.missing_one_shots` found.
    """
    note = [f"note: {_note(gone)}"] if gone else []
    if not found:
        return "\n".join([f"no drift: stack {stack} is as the last update left it ({counted(known)})", *note])
    many = f"{len(found)} differences" if len(found) > 1 else "1 difference"
    lines = [f"drift: stack {stack} is not as the last update left it, {many}:", *(f"  {_line(one)}" for one in found)]
    volumes = [one.name for one in found if one.kind == "volume"]
    if volumes:
        lines.append(f"gone: {', '.join(volumes)}. What an update makes in their place is empty: then restore a backup")
        lines.append("  of what held data (docs/upgrade-and-backup.md#restore).")
    return "\n".join([*lines, *note, f"fix: {fix_line(found, stack)}"])


def _note(gone: Sequence[str]) -> str:
    names = ", ".join(gone)
    return (
        f"gone, as after `docker system prune`: {names}. Their work was done; the next update makes them again, and "
        "restarts nothing."
    )


def as_json(found: Sequence[Difference], stack: str, gone: Sequence[str] = ()) -> str:
    """The same for programs."""
    rows = [
        {
            "kind": one.kind,
            "name": one.name,
            "property": one.property,
            "expected": one.expected,
            "seen": one.seen,
            "fix": fix_line([one], stack),
        }
        for one in found
    ]
    verdict = "drift" if found else "clean"
    document = {
        "stack": stack,
        "verdict": verdict,
        "differences": rows,
        "gone_one_shots": list(gone),
        "fix": fix_line(found, stack),
    }
    return json.dumps(document, indent=2)


def counted(known: Recorded) -> str:
    """How much was compared."""
    counts = {
        "container": len(known.containers),
        "network": len(known.networks),
        "volume": len(known.volumes),
        "image": len(known.images),
    }
    return ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items() if count)


def _line(one: Difference) -> str:
    what = f"{one.kind} {one.name}"
    if one.kind == "update":
        return f"{one.name}: an update of it was interrupted"
    if one.property == "existence":
        return f"{what}: {one.seen}"
    if one.property == "id":
        return f"{what}: made again by somebody else (its id is {one.seen}, deployed: {one.expected})"
    if one.property.startswith("guest "):
        return f"{what}: unexpected member {one.property.removeprefix('guest ')}"
    seen = f"{what}, {WORDS.get(one.property, one.property)}: {_shown(one.property, one.seen)}"
    return seen if one.expected == AS_DEPLOYED else f"{seen} (deployed: {_shown(one.property, one.expected)})"


def _shown(path: str, value: Any) -> str:
    if not value and value is not False:
        return "none"
    if path in SIZES:
        return "unlimited" if value < 0 else f"{value / MIB:.0f} MiB"
    if path == "HostConfig.NanoCpus":
        return f"{value / BILLION:g}"
    if path == "HostConfig.PortBindings":
        return ", ".join(sorted(_ports(value)))
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value)


SIZES: Final = frozenset({"HostConfig.Memory", "HostConfig.MemorySwap", "HostConfig.MemoryReservation"})
"""What Docker counts in bytes."""


def _ports(bindings: Mapping[str, Any]) -> Iterator[str]:
    for port, places in bindings.items():
        for place in places or ():
            yield f"{place.get('HostIp') or '0.0.0.0'}:{place.get('HostPort')}->{port}"  # noqa: S104 - Docker's default
