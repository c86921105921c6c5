"""Container images for networks without a container registry: used if present, else pulled, else built here.

`python -m tooling.images IMAGE_REFERENCE...` is the command; :func:`tooling.images.ensure.ensure` is behind it.
"""
