"""What documents say of the code, and whether docstrings say enough for it.

``reference`` writes the reference in ``docs/components.md``; ``docstrings`` holds docstrings and that page to the code;
``release`` makes what a release has.
"""
