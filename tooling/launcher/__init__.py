"""What `make` runs: the set-up of a fresh machine, and the choice between the Pulumi CLI and the embedded engine.

Reading order: ``python_env`` (runs first, by the machine's own Python), ``__main__`` (the commands), ``stack``,
``engines``, ``deploy`` (what surrounds an engine), and a module for each thing that it does first: ``gate``,
``ownership``, ``one_shots``, ``consent``, ``recovery``.
"""
