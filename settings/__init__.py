"""The settings of one stack: read from Pulumi's configuration here and nowhere else, validated in previews too.

Each setting is one field in :mod:`settings.models`; ``stacks/Pulumi.<stack>.yaml`` holds what differs from its default.
The launcher validates the same values before it makes anything, and does not wait for Pulumi to be imported for that.
"""

from settings.names import Names
from settings.reading import Settings, SettingsError

__all__ = ["Names", "Settings", "SettingsError"]
