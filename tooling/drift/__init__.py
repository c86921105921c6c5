"""Where the real containers, networks, volumes and images differ from what the last update left: ``make drift``.

Neither engine is asked to refresh. The state has the id of everything that was made, and Docker can change next to
nothing of a container without giving it another id: what it can is compared one by one, and so is all that was asked
for. That sees what a refresh does not read (networks, files) and writes no state.

Reading order: ``recorded`` (what the state says), ``observed`` (what Docker says), ``compare`` (pure: the differences
and what fixes each), ``report`` (for people and for programs). ``tooling.launcher.drift`` puts them together.
"""
