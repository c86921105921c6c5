"""What a production stack refuses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from settings.blocks import ACKNOWLEDGEMENTS
from settings.models import FIELDS
from settings.references import floats
from settings.rules.problem import Problem
from settings.stack import StackSettings


def problems(settings: StackSettings) -> Iterator[Problem]:
    """What a production stack refuses."""
    if "*" in settings.cors_allow_origin:
        rule = "production allows no web site of the world to act for whoever is signed in; name the origins"
        yield Problem(key="corsAllowOrigin", rule=rule, example=settings.public_url, about=("publicUrl",))
    if settings.verification == "off":
        rule = "production is proved; without it live events may be lost unseen"
        yield Problem(key="verification", rule=rule, example="on")
    if settings.data_on_destroy == "delete":
        rule = "production keeps its data when the stack is destroyed"
        yield Problem(key="dataOnDestroy", rule=rule, example="keep")
    yield from _floating_tags(settings)
    plain = settings.public_url.startswith("http:") and settings.tls == "off"
    if plain and "http-public-url" not in settings.acknowledged:
        yield Problem(
            key="tls",
            rule=f"production is not reached by {settings.public_url}: {ACKNOWLEDGEMENTS['http-public-url']}. Set tls "
            "to internal or acme, or add http-public-url to acknowledged",
            example="internal",
            also={"publicUrl": settings.public_url.replace("http:", "https:", 1)} if settings.given_public_url else {},
            about=("publicUrl", "acknowledged", "uiPort", "uiBindAddress"),
        )
    if settings.tls == "off" and ipaddress.ip_address(settings.ui_bind_address).is_unspecified:
        yield Problem(
            key="uiBindAddress",
            rule="production does not offer http without TLS on every address. Set tls, or bind to the one address the "
            "proxy in front uses",
            example="127.0.0.1",
            about=("tls",),
        )
    if settings.enable_signup and "open-signup" not in settings.acknowledged:
        rule = f"{ACKNOWLEDGEMENTS['open-signup']}. If that is meant, add open-signup to acknowledged"
        yield Problem(key="enableSignup", rule=rule, example="false", about=("acknowledged",))


def _floating_tags(settings: StackSettings) -> Iterator[Problem]:
    if "floating-tag" in settings.acknowledged:
        return
    for key in ("openWebuiImage", "valkeyImage", "postgresImage", "gatewayImage"):
        name, field = FIELDS[key]
        if floats(getattr(settings, name)):
            yield Problem(
                key=key,
                rule="production takes no tag that names another image tomorrow. Name a full version or a digest (make "
                f"pin STACK={settings.stack} writes it), or add floating-tag to acknowledged",
                example=[*(field.examples or ()), field.default][0],
                about=("acknowledged",),
            )
