"""What the components are built of: containers, files that they read, volumes, labels.

Each function that makes something takes the name of the Pulumi resource, and the component that it belongs to as
``parent``; a ``name`` is one in Docker.

``spec`` describes a container; ``container`` makes it, and ``one_shot`` waits for one that runs to its end. ``files``
and ``volume`` are what containers mount. ``state_labels`` adds to all of it the labels of the state that made it.
"""
