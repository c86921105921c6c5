"""Reads the settings of one stack from Pulumi's configuration; nothing else of the project does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from settings.models import KEYS
from settings.refusal import Refusal, decoded
from settings.rules import problems
from settings.stack import StackSettings


class SettingsError(Exception):
    """One or more settings cannot work; the text names each, the value seen and a line that would."""


class Settings(StackSettings):
    """Everything that can be set for a stack: valid, and without contradictions."""

    @classmethod
    def from_config(cls) -> Settings:
        """The settings of the stack that the running program deploys.

        Raises:
            pulumi.RunError: naming every setting that cannot work; Pulumi shows it without a traceback.
        """
        import pulumi  # noqa: PLC0415 - half a second that the launcher saves
        from pulumi.runtime import config  # noqa: PLC0415 - the same

        # Either engine hands them over its own way: in memory, or in the environment.
        values = {**config.get_config_env(), **config.CONFIG.get()}
        secret = {*config.get_config_secret_keys_env(), *filter(config.is_config_secret, values)}
        try:
            return cls.of(pulumi.get_project(), pulumi.get_stack(), values, secret)
        except SettingsError as error:
            raise pulumi.RunError(str(error)) from None

    @classmethod
    def of(cls, project: str, stack: str, values: Mapping[str, str], secret: Collection[str] | None = None) -> Settings:
        """Validate the configuration of a stack.

        Args:
            project: Pulumi project.
            stack: Pulumi stack.
            values: ``<namespace>:<key>`` to text, objects and lists as JSON, secrets decrypted; what is not there has
                its default, other namespaces are ignored.
            secret: Those of the keys whose values are encrypted in the stack file; None if unknown. A part of one that
                is an object may be named by its path (``<namespace>:extraEnvironment.NAME``).

        Raises:
            SettingsError: naming every setting that cannot work.
        """
        prefix = f"{project}:"
        given = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        encrypted = None if secret is None else {key.removeprefix(prefix) for key in secret}
        known = {key: decoded(key, given[key]) for key in given.keys() & KEYS}
        invalid: list[ErrorDetails] = []
        try:
            settings = cls.model_validate({**known, "project": project, "stack": stack})
        except ValidationError as error:
            invalid = error.errors(include_url=False, include_input=False)
        unread = {str(one["loc"][0]) for one in invalid}
        if unread:
            # Defaults in their place: what the rules have against the others is said at once.
            valid = {key: value for key, value in known.items() if key not in unread}
            settings = cls.model_validate({**valid, "project": project, "stack": stack})
        refusal = Refusal(project, stack, given, encrypted)
        texts = [
            *refusal.unknown_keys(),
            *refusal.plain_secrets(),
            *(refusal.invalid(one, settings) for one in invalid),
            *(refusal.words(one) for one in problems(settings) if unread.isdisjoint({one.key, *one.about})),
        ]
        if texts:
            raise SettingsError(refusal.text(texts))
        return settings
