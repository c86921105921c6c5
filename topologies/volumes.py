"""Data volumes as the settings want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components import DataVolume

if TYPE_CHECKING:
    from settings import Settings


def data_volume(settings: Settings, name: str) -> DataVolume:
    """The stack's data volume of that name."""
    return DataVolume(name=name, external=settings.is_external(name), keep=settings.data_on_destroy == "keep")
