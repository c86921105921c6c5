"""Whether a setting of the admin panel is kept in the database."""

import os


class Config:
    """The settings."""

    PERSISTENT_ENABLED = os.getenv("ENABLE_PERSISTENT_CONFIG", "True").lower() == "true"

    @classmethod
    def persistent_enabled_for(cls, key: str) -> bool:
        """Whether a setting is."""
        return cls.PERSISTENT_ENABLED and not key.startswith("oauth.")
