"""What documents say of the code, and whether docstrings say enough for it.

``reference`` writes the reference in ``docs/components.md``; ``settings`` writes ``docs/settings.md`` and what else
follows from the settings; ``docstrings`` holds docstrings and the reference to the code.
"""
