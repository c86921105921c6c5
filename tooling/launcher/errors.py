"""The one exception of this package."""


class LauncherError(Exception):
    """The command cannot go on; the text is for the user: what, the value seen, the way out."""
