"""The one exception of this package."""


class ImageError(Exception):
    """An image cannot be had; the text is for the user: what, the value seen, the way out."""
