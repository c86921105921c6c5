"""Pulumi's files on disk, read and written as the Pulumi CLI does: project, stack files, state, secrets, locks.

Either engine's tools use it; it runs no program, asks no provider, and refuses nothing that the CLI can do.

Read in this order: ``project``, ``stack`` (one stack, as a value that is handed on), ``stack_file`` and ``config``
(what is asked for; ``go_yaml``, ``yaml_edit``), ``secrets``, ``backend`` and ``checkpoint`` (what is remembered;
``values``), ``lock``, ``workspace`` (a stack with its keys).
"""
