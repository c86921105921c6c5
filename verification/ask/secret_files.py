"""The values in the containers' files with secrets."""

from __future__ import annotations

from typing import Final

from docker_access import redaction
from verification.ask.view import View
from verification.subject import Subject

SECRETS_PATH: Final = "/run/secrets"
"""Where containers have files with secrets: this project's, Compose's and Swarm's."""


def secrets_in_files(view: View, subject: Subject) -> frozenset[str]:
    """Each value in each of the files, which no report may show."""
    names = [*subject.services, *filter(None, [subject.migration])]
    places = [(name, SECRETS_PATH) for name in names]
    for name in names:
        variables = view.container(name).variables.items()
        places += [(name, path) for variable, path in variables if _names_secret_file(variable, path)]
    if subject.account:
        places.append((subject.account.container, subject.account.path))
    texts = {text for name, path in places for text in view.read_files(name, path)}
    return frozenset().union(*map(redaction.values, texts))


def _names_secret_file(variable: str, path: str) -> bool:
    """Whether a variable names a file with a secret for another's value, as many images take it; others name a log."""
    name = variable.removesuffix("_FILE")
    return name != variable and path.startswith("/") and bool(redaction.names_a_secret(name) or name.endswith("URL"))
