"""Container images for networks without a container registry: used if present, else pulled, else built here.

`python -m tooling.images IMAGE_REFERENCE...` is the command. Reading order: ``ensure`` (which of the three), ``pull``,
``recipes`` (what can be built, with a module for each image), ``build`` (from a specification to an image), ``debian``,
``packages`` and ``pypi`` (where its parts come from), ``contract`` (whether an image is as the official one).
"""
