"""The exception of what `make` runs."""


class ToolError(Exception):
    """The command cannot go on; the text is for the user: what, the value seen, the way out."""
