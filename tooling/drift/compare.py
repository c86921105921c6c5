"""The differences between what was made and what is there, and what fixes each. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tooling.drift.observed import Observed
from tooling.drift.recorded import Container, Join, Network, Recorded
from tooling.pulumi_files.urns import name_of
from verification.checks.expected import UPDATED, looked_up, same

Kind = Literal["container", "network", "volume", "image", "setting", "update"]

IN_PANEL: Final = "changed in the admin panel"
"""Seen of a setting, whose value may be a secret."""

AS_DEPLOYED: Final = "as deployed"
"""What is expected where the value itself may be a secret."""


@dataclass(frozen=True, kw_only=True)
class Fix:
    """What fixes a difference.

    Attributes:
        first: Commands.
        remove: Containers to stop and remove after those.
        strangers: Those of them that somebody else made: their anonymous volumes may hold the only copy of something.
        then: Commands after that.
        update: Whether an update has to do the rest.
    """

    first: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    update: bool = True


@dataclass(frozen=True)
class Difference:
    """One way in which what is there differs from what was made.

    Attributes:
        kind: What it is of.
        name: Its name in Docker.
        property: ``existence``, ``value``, ``id``, ``name``, ``state``, ``network NAME``, ``guest NAME``,
            ``variable NAME``, ``file PATH``, ``content`` or a dotted path of ``docker inspect``.
        expected: What was asked for, never a secret.
        seen: What is there, likewise.
        fix: What fixes it.
    """

    kind: Kind
    name: str
    property: str
    expected: Any
    seen: Any
    fix: Fix = field(default_factory=Fix)


def differences(known: Recorded, seen: Observed) -> list[Difference]:
    """Every difference, those of what is missing first."""
    found = [
        *_unfinished(known),
        *(one for container in known.containers for one in _container(container, known, seen)),
        *(one for network in known.networks for one in _network(network, seen)),
        *_volumes(known, seen),
        *_images(known, seen),
        *(Difference("setting", key, "value", "as the stack file says", IN_PANEL) for key in seen.otherwise),
        *_strays(seen),
    ]
    return sorted(found, key=lambda one: one.property != "existence")


def missing_one_shots(known: Recorded, seen: Observed) -> list[str]:
    """Names of containers that had done their work, or never run, and are gone: nothing that serves needs them."""
    return [one.name for one in known.containers if not (one.runs or seen.containers.get(one.name))]


def _unfinished(known: Recorded) -> Iterator[Difference]:
    for urn in known.unfinished:
        yield Difference("update", name_of(urn), "state", expected="finished", seen="interrupted")


def _container(known: Container, stack: Recorded, observed: Observed) -> Iterator[Difference]:
    real = observed.containers.get(known.name) or {}
    if not real:
        if known.runs:
            yield _missing("container", known.name)
    elif real["Id"] != known.id:
        recreate = Fix(remove=(known.name,), strangers=(known.name,))
        yield _difference(known, "id", known.id[:12], str(real["Id"])[:12], recreate)
        yield from _properties(known, real, recreate)
        yield from _variables(known, real, observed, recreate)
    else:
        name = str(real["Name"]).lstrip("/")
        if name != known.name:
            yield _difference(known, "name", known.name, name, _one_command("docker rename", name, known.name))
        yield from _state(known, real["State"])
        yield from _properties(known, real, Fix(remove=(known.name,)))
        yield from _variables(known, real, observed, Fix(remove=(known.name,)))
        yield from _memberships(known, real, stack, observed)
        yield from _files(known, stack, observed)


def _state(known: Container, state: Mapping[str, Any]) -> Iterator[Difference]:
    status, code = str(state["Status"]), state["ExitCode"]
    if known.runs and status == "paused":
        yield _difference(known, "state", "running", status, _one_command("docker unpause", known.name))
    elif known.runs and status != "running":
        yield _difference(known, "state", "running", f"{status}, exit code {code}")
    elif not known.runs and status == "exited" and code:
        yield _difference(known, "state", "ended well", f"exit code {code}")


def _properties(known: Container, real: Mapping[str, Any], recreate: Fix) -> Iterator[Difference]:
    another = real["Id"] != known.id
    for path, wanted in known.properties.items():
        actual = looked_up(real, path)
        if path == PIDS and not wanted:
            # Once changed, "no limit" is -1; and an update sets only a limit that is asked for.
            if (actual or 0) > 0:
                yield _difference(
                    known, path, wanted, actual, recreate if another else _one_command(UNLIMITED, known.name)
                )
        elif not same(path, wanted, actual) and not (another and path.startswith("Config.Labels")):
            updated = path.startswith(UPDATED) and not another
            seen = "changed" if path in MAY_HOLD_SECRETS and actual else actual
            yield _difference(known, path, wanted, seen, Fix() if updated else recreate)


MAY_HOLD_SECRETS: Final = frozenset({"Config.Cmd", "Config.Healthcheck.Test"})
"""Of a container made by hand, what people write passwords into; ours hold none."""


PIDS: Final = "HostConfig.PidsLimit"
UNLIMITED: Final = "docker update --pids-limit -1"


def _variables(known: Container, real: Mapping[str, Any], observed: Observed, recreate: Fix) -> Iterator[Difference]:
    """Variables by name: their values may be secrets."""
    lines = (real.get("Config") or {}).get("Env") or []
    actual = dict(line.partition("=")[::2] for line in lines)
    own = observed.image_environments.get(str(real.get("Image")), frozenset())
    added = {line.partition("=")[0] for line in lines if line not in own}
    for name in sorted({*known.environment, *added}):
        wanted, found = known.environment.get(name), actual.get(name)
        if wanted != found:
            expected = "not set" if wanted is None else AS_DEPLOYED
            seen = "not set" if found is None else "set" if wanted is None else "changed"
            yield _difference(known, f"variable {name}", expected, seen, recreate)


def _memberships(
    known: Container, real: Mapping[str, Any], stack: Recorded, observed: Observed
) -> Iterator[Difference]:
    actual = dict((real.get("NetworkSettings") or {}).get("Networks") or {})
    if not known.networks:
        actual.pop("none", None)
    unmade = {one.name for one in stack.networks if (observed.networks.get(one.name) or {}).get("Id") != one.id}
    for network in sorted({*known.networks, *actual}):
        wanted, found = known.networks.get(network), actual.get(network)
        if network in unmade:
            if found is None:
                # The update makes the network again, and its containers with it.
                yield _difference(known, f"network {network}", "joined", "not joined")
        elif difference := _membership(wanted, found):
            leave = (_command("docker network disconnect", network, known.name),) if found is not None else ()
            join = (
                (_command("docker network connect", *_connect_options(wanted), network, known.name),) if wanted else ()
            )
            yield _difference(known, f"network {network}", *difference, Fix(first=(*leave, *join), update=False))


def _membership(wanted: Join | None, found: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """How a container was to join a network, and how it did; None where the two are the same."""
    if wanted is None:
        return "not joined", "joined"
    if found is None:
        return "joined", "not joined"
    aliases = {*(found.get("Aliases") or ())}
    if not {*wanted.aliases} <= aliases:
        return f"alias {', '.join(wanted.aliases)}", "no such alias"
    address = (found.get("IPAMConfig") or {}).get("IPv4Address") or ""
    if wanted.address and address != wanted.address:
        return f"address {wanted.address}", f"address {address or 'left to Docker'}"
    return None


def _connect_options(join: Join) -> list[str]:
    words = [word for alias in join.aliases for word in ("--alias", alias)]
    return [*words, *(["--ip", join.address] if join.address else [])]


def _files(known: Container, stack: Recorded, observed: Observed) -> Iterator[Difference]:
    """Files by name: their content may be secret. A container that reads them is made again with them."""
    mounted = f"{known.name}:"
    readers = [
        one.name
        for one in stack.containers
        if one.runs and any(str(bind).startswith(mounted) for bind in one.properties.get("HostConfig.Binds") or ())
    ]
    for path, content in known.files.items():
        found = observed.files.get((known.name, path))
        if found != content:
            seen = "not there" if found is None else "changed"
            yield _difference(known, f"file {path}", AS_DEPLOYED, seen, Fix(remove=(known.name, *readers)))


def _network(known: Network, observed: Observed) -> Iterator[Difference]:
    real = observed.networks.get(known.name) or {}
    joined = {str(key): str(one["Name"]) for key, one in (real.get("Containers") or {}).items()}
    ours = {str(found["Id"]): name for name, found in observed.containers.items() if found}
    guests = sorted(name for key, name in joined.items() if key not in ours)
    if not real:
        yield _missing("network", known.name)
    elif real["Id"] != known.id:
        away = Fix(
            first=tuple(_command("docker network disconnect", known.name, guest) for guest in guests),
            remove=tuple(sorted(ours[key] for key in joined if key in ours)),
            then=(_command("docker network rm", known.name),),
        )
        yield Difference("network", known.name, "id", expected=known.id[:12], seen=str(real["Id"])[:12], fix=away)
    elif known.internal:
        # On a network that leads out a neighbour may be meant, on an internal one nobody else is.
        for guest in guests:
            leave = _one_command("docker network disconnect", known.name, guest)
            yield Difference("network", known.name, f"guest {guest}", expected="not joined", seen="joined", fix=leave)


def _volumes(known: Recorded, observed: Observed) -> Iterator[Difference]:
    for name in known.volumes:
        if name not in observed.volumes:
            yield _missing("volume", name)


def _images(known: Recorded, observed: Observed) -> Iterator[Difference]:
    for reference, image in known.images.items():
        found = observed.images.get(reference, "")
        if not found:
            yield _missing("image", reference)
        elif found != image:
            yield Difference("image", reference, "content", expected=image, seen=found)


def _strays(observed: Observed) -> Iterator[Difference]:
    for name in observed.strays:
        yield _stray("container", name, Fix(remove=(name,), update=False))
    for name in observed.stray_networks:
        yield _stray("network", name, Fix(then=(_command("docker network rm", name),), update=False))


def _stray(kind: Kind, name: str, fix: Fix) -> Difference:
    seen = "has this stack's labels, and its state does not know it"
    return Difference(kind, name, "existence", expected="not there", seen=seen, fix=fix)


def _missing(kind: Kind, name: str) -> Difference:
    return Difference(kind, name, "existence", expected="there", seen="gone")


def _difference(known: Container, what: str, expected: Any, seen: Any, fix: Fix | None = None) -> Difference:
    return Difference("container", known.name, what, expected=expected, seen=seen, fix=fix or Fix())


def _one_command(words: str, *arguments: str) -> Fix:
    """One command, and nothing more."""
    return Fix(first=(_command(words, *arguments),), update=False)


def _command(words: str, *arguments: str) -> str:
    return f"{words} {shlex.join(arguments)}"
