"""The embedded engine: runs the unmodified Pulumi program where there is no Pulumi CLI.

Read in this order:

1. ``__main__`` (the commands), ``operation`` (one run, from opening the state to the summary; ``interrupts``);
2. ``stack`` (what a command opens): ``workspace``, ``config`` (what is asked for; ``go_yaml``, ``yaml_edit``),
   ``secrets``, ``state`` (what is remembered), and its ``lock``;
3. ``language_host`` (runs the program), ``monitor`` (answers it; ``goal``), ``values`` (in their four forms);
4. ``deployment``: ``step_generator`` (what to do about the difference; ``identity``, ``default_providers``),
   ``step_executor`` (doing it), ``refresh`` (what is really there);
5. ``provider`` (the engine speaks to Docker, ``docker_provider``, and to dynamic resources, ``dynamic`` with its
   ``dynamic_host``; ``durations``);
6. ``events``, ``display`` (what is shown), ``errors``.

It serves one file backend on one machine. Teams, other backends, policies, targets, other providers: the Pulumi CLI
does those, on the same stack, at any time.
"""
