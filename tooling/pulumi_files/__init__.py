"""Pulumi's files on disk, read and written as the Pulumi CLI does: project, stack files, state, secrets, locks.

Either engine's tools use it; it runs no program and asks no provider.
"""
