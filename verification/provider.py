"""The dynamic provider behind :class:`verification.resource.Verification`.

Never move or rename this module or the class: a deployment's state stores its import path.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from docker_access.provider_errors import message_alone
from docker_access.surroundings import print_in_utf8
from verification.ask.docker_view import CouldNotAsk, DockerView
from verification.subject import Subject, subject_of

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What Pulumi sends in a preview for a value only an update will know.

Source: https://github.com/pulumi/pulumi/blob/v3.272.0/sdk/python/lib/pulumi/runtime/rpc.py
"""

INPUTS: Final = (
    "apps", "valkey", "postgres", "gateway", "migration", "url", "door", "ca", "valkey_login", "isolation", "app_user",
    "account", "expected", "wait_timeout_seconds", "always", "triggers", "checks_version",
)  # fmt: skip
"""It only grows: a state of an older program lacks the newer ones, which is as good as None."""

DEFAULT_WAIT_SECONDS: Final = 600
LAST_PORT: Final = 65535

Fits = Callable[[Any], bool]


class VerificationError(Exception):
    """The deployment is not proved; its text is the whole report."""


class VerificationProvider(ResourceProvider):
    """Proves a deployment when it is created and whenever something about it changed.

    The outputs repeat the inputs, because Pulumi hands a provider's ``diff`` the old outputs and not the old inputs;
    under its own name a secret input stays secret there. ``proved`` is the fingerprint of the containers when they
    were proved and ``observed`` the one of the last refresh: where they differ, a container was restarted or stopped
    since, and the checks run again.
    """

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate without I/O; runs in previews too, where values may be unknown."""
        failures = [
            CheckFailure(name, f"{name} is {news.get(name)!r}: {wanted}")
            for name, fits, wanted in RULES
            if not _has_unknown(news.get(name)) and not fits(news.get(name))
        ]
        return CheckResult(news, failures)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Run again when an input changed, a container was restarted or stopped since, or always if asked to."""
        changed = any(olds.get(name) != news.get(name) for name in INPUTS)
        drifted = olds.get("observed") != olds.get("proved")
        return DiffResult(changes=changed or drifted or news.get("always") is True)

    @message_alone()
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Prove the deployment.

        Raises:
            VerificationError: It is not proved; the text is the report.
        """
        return CreateResult("verification", _prove(props))

    @message_alone()
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Prove it again.

        Raises:
            VerificationError: It is not proved; the text is the report.
        """
        return UpdateResult(_prove({**news, "report": olds.get("report")}))

    @message_alone()
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look whether the proved containers still run; asks nothing of the app.

        A difference once seen stays: an update that failed over it is followed by one that proves, even where the
        containers are as they were (a paused one, unpaused).
        """
        if props.get("observed") != props.get("proved"):
            return ReadResult(id_, props)
        try:
            observed = fingerprint(_subject(props))
        except CouldNotAsk:
            return ReadResult(id_, props)
        return ReadResult(id_, {**props, "observed": observed})


def _prove(props: dict[str, Any]) -> dict[str, Any]:
    # The program and the provider's process import this module in every update, and few of them prove anything.
    from verification.report.terminal import as_text  # noqa: PLC0415
    from verification.run import verify  # noqa: PLC0415

    # Both engines take what this process prints for UTF-8.
    print_in_utf8()
    subject = _subject(props)
    report = verify(subject, _print_line)
    if report["verdict"] != "proved":
        raise VerificationError(f"{report['summary']}\n\n{as_text(report)}")
    for line in as_text(report).splitlines():
        _print_line(line)
    seen = fingerprint(subject)
    return {
        **{name: props[name] for name in INPUTS if name in props},
        "report": report,
        "open_webui_version": report["open_webui_version"],
        "valkey_version": report["valkey_version"],
        "images": report["images"],
        "proved": seen,
        "observed": seen,
    }


def _print_line(line: str) -> None:
    """What the provider process prints reaches the user at once."""
    print(line, flush=True)


def _subject(props: dict[str, Any]) -> Subject:
    return subject_of(props, wait_seconds=DEFAULT_WAIT_SECONDS)


def fingerprint(subject: Subject) -> dict[str, str]:
    """Per container a text that changes when it is restarted, replaced, stopped or becomes unhealthy.

    Raises:
        CouldNotAsk: Docker does not answer.
    """
    with closing(DockerView()) as view:
        found = [view.container(name) for name in subject.services]
    return {
        item.name: " ".join(
            [
                item.inspect.get("Id", "missing")[:12],
                item.state.get("StartedAt", "-"),
                item.status if item.health != "unhealthy" else "unhealthy",
            ]
        )
        for item in found
    }


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/")


def _is_port(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= LAST_PORT


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _has(**members: Fits) -> Fits:
    return lambda value: isinstance(value, dict) and all(fits(value.get(name)) for name, fits in members.items())


RULES: Final[tuple[tuple[str, Fits, str], ...]] = (
    ("apps", _is_names, "name at least one container of Open WebUI"),
    ("valkey", _or_none(_is_name), "name Valkey's container, or leave it out where it is elsewhere"),
    ("postgres", _or_none(_is_name), "name Postgres' container, or leave it out"),
    ("gateway", _or_none(_is_name), "name the gateway's container, or leave it out"),
    ("migration", _or_none(_is_name), "name the migration container, or leave it out"),
    (
        "door",
        _or_none(_has(address=_is_name, port=_is_port)),
        "address and port of the published port: {address, port}",
    ),
    ("ca", _or_none(_is_path), "an absolute path inside the gateway's container"),
    (
        "valkey_login",
        _or_none(_has(user=_is_name, password_file=_is_path)),
        "a user and files inside Valkey's container: {user, password_file, ca_file}",
    ),
    ("isolation", _or_none(_has(edge=_is_name, private=_is_names)), "a network and containers: {edge, private: [...]}"),
    ("app_user", _or_none(_is_name), "name the apps' user in Valkey, or leave it out"),
    (
        "account",
        _or_none(_has(container=_is_name, path=_is_path)),
        "a container and a file inside it with the administrator's account: {container, path}",
    ),
    (
        "url",
        lambda value: value is None or str(value).startswith(("http://", "https://")),
        "an http:// or https:// URL",
    ),
    (
        "wait_timeout_seconds",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value > 0,
        "a number of seconds above 0",
    ),
    ("expected", lambda value: value is None or isinstance(value, dict), "an object, {container: {path: value}}"),
)
"""Input, whether it fits, and what it should be."""
