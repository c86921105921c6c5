"""The whole stack as a Pulumi package, for programs in TypeScript, Go, YAML and any other language of Pulumi.

It has a folder of its own, because Pulumi starts the ``__main__.py`` beside ``PulumiPlugin.yaml``, and the one at the
root is this project's program. docs/adr/0025-a-package-for-other-languages.md says what else was decided.
"""
