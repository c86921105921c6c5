"""Container images for networks without a container registry: used if present, else pulled, else built here.

`python -m images IMAGE_REFERENCE...` is the command; :func:`images.ensure.ensure` is the function behind it.
"""
