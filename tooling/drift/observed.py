"""What Docker says of everything that a stack's state has. Only looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.panel_settings import PanelSettingsProvider
from tooling.drift.recorded import Container, Network, Recorded
from verification.ask.docker_view import DockerView


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What is really there.

    Attributes:
        containers: By recorded name: ``docker inspect`` of the recorded one, else of another of that name, else empty.
        networks: By recorded name: likewise.
        volumes: Names of those of the recorded volumes that are there.
        images: By reference: the id it stands for now, empty for none.
        image_environments: By id of an image: its own variables, as ``NAME=value``.
        files: By recorded container and path: the file's text, None where it is not there.
        otherwise: Keys of settings that the stack file says, and the admin panel has otherwise.
        strays: Containers with the stack's labels that its state does not know.
        stray_networks: Networks, likewise.
    """

    containers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    images: Mapping[str, str] = field(default_factory=dict)
    image_environments: Mapping[str, frozenset[str]] = field(default_factory=dict)
    files: Mapping[tuple[str, str], str | None] = field(default_factory=dict, repr=False)
    otherwise: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    stray_networks: tuple[str, ...] = ()


def observe(view: DockerView, known: Recorded, own_labels: Mapping[str, str]) -> Observed:
    """Ask Docker about everything that was made, and what else has the stack's labels.

    Raises:
        CouldNotAsk: Docker does not answer.
    """
    containers = {one.name: _container(view, one) for one in known.containers}
    networks = {one.name: _network(view, one) for one in known.networks}
    labelled, labelled_networks = view.labelled(own_labels)
    theirs = {str(found.get("Name", "")).lstrip("/") for found in containers.values()} | set(containers)
    images = {str(found["Image"]) for found in containers.values() if found}
    return Observed(
        containers=containers,
        networks=networks,
        volumes=frozenset(name for name in known.volumes if view.volume(name)),
        images={reference: str(view.image_named(reference).get("Id", "")) for reference in known.images},
        image_environments={
            image: frozenset((view.image_named(image).get("Config") or {}).get("Env") or ()) for image in images
        },
        files={
            (one.name, path): view.read_file(one.id, path)
            for one in known.containers
            for path in one.files
            if containers[one.name].get("Id") == one.id
        },
        otherwise=settings_otherwise(known.panel),
        strays=tuple(name for name in labelled if name not in theirs),
        stray_networks=tuple(name for name in labelled_networks if name not in networks),
    )


def settings_otherwise(panel: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys of settings that the admin panel has otherwise than the stack file; empty where that cannot be asked."""
    found = PanelSettingsProvider().read("panel", dict(panel)).outs if panel else None
    return tuple((found or {}).get("otherwise_in_panel", ()))


def _container(view: DockerView, known: Container) -> Mapping[str, Any]:
    return view.container(known.id).inspect or view.container(known.name).inspect


def _network(view: DockerView, known: Network) -> Mapping[str, Any]:
    return view.network(known.id) or view.network(known.name)
