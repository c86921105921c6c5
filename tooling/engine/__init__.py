"""The embedded engine: runs the unmodified Pulumi program where there is no Pulumi CLI.

Read in this order:

1. ``__main__``, ``command_line``, ``commands`` (what is asked for), ``opening`` with ``refusals`` (what is left to the
   CLI); what they open is :mod:`tooling.pulumi_files`;
2. ``operation`` (one run, from opening the state to the summary), ``interrupts``, ``snapshot`` (the state meanwhile);
3. ``language_host`` (runs the program), ``monitor`` (answers it), ``goal``, ``wire`` (values on their way);
4. ``deployment``: ``step_generator`` (what to do about a difference; ``identity``, ``default_providers``,
   ``property_paths``), ``step_executor`` and ``deletions`` (doing it), ``refresh`` (what is really there);
5. ``provider`` (what the engine asks of one), ``providers`` (those of a run): Docker, ``docker_provider``, and dynamic
   resources, ``dynamic`` with its ``dynamic_host``; ``durations``;
6. ``events``, ``display`` with ``rendering`` and ``tree`` (what is shown), ``errors``.

It serves one file backend on one machine. Teams, other backends, policies, targets, other providers: the Pulumi CLI
does those, on the same stack, at any time.
"""
