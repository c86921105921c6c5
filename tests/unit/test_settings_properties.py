"""Whatever stands in a stack file: it is accepted, or refused with lines that are accepted; and no secret is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from settings import Settings, SettingsError
from settings.blocks import ACKNOWLEDGEMENTS, SECRET_NAMES
from settings.models import FIELDS, KEYS, SECRET_KEYS
from settings.refusal import decoded
from settings.values import Invalid
from tests.properties import TRIED
from tests.unit.test_settings import PROJECT, as_config

DEFAULTS = {key: as_config(declared["default"]) for key, declared in PROJECT["config"].items()}
DIGEST = "sha256:" + "0" * 64
IMAGE = "ghcr.io/open-webui/open-webui"
MARK = "hush-hush"

ORIGIN = "https://chat.example.com"
GOOD: dict[str, list[str]] = {
    "production": ["true"],
    "replicas": ["1"],
    "uiPort": ["65535"],
    "httpPort": ["443", "0"],
    "uiBindAddress": ["127.0.0.1", "::1"],
    "logLevel": ["DEBUG"],
    "valkeySave": ["30 1"],
    "valkeyRights": ["+lpop +config|get ~other:* &other"],
    "networkName": ["a-name"],
    "valkeyImage": ["docker.io/valkey/valkey:8.0.1-alpine", "redis:7", f"a.example:5000/b@{DIGEST}"],
    "postgresImage": ["pgvector/pgvector:0.8.7-pg17", "library/postgres:16.1"],
    "gatewayImage": ["caddy:2.7.6-alpine", "docker.io/library/caddy:2.11.7"],
    "openWebuiImage": [f"{IMAGE}:main", f"{IMAGE}:cuda", f"{IMAGE}:cuda@{DIGEST}", f"{IMAGE}:v0.11"],
    "publicUrl": [f"{ORIGIN}:3443", "http://[2001:db8::1]:80"],
    "corsAllowOrigin": ["https://a.example;*"],
    "acmeDirectory": ["https://ca.example.com/directory"],
    "acmeEmail": ["admin@example.com"],
    "valkeyUrl": [f"rediss://me:{MARK}@valkey.example.com:6379/0"],
    "adminEmail": ["admin@example.com"],
    "adminPassword": [f"{MARK}-{MARK}"],
    "adminName": ["Ann"],
    "edgeSubnet": ["10.213.7.0/24"],
    "trustedProxies": ['["192.0.2.7", "10.1.0.0/24", "2001:db8::/32"]'],
    "extraHosts": ['["host.docker.internal:host-gateway", "a:10.0.0.1"]'],
    "caFile": ["tests/unit/golden/private-ca.txt"],
    "extraEnvironment": ['{"A": 1, "B": "x"}'],
    "limits": ['{"valkey": {"memory": 512, "cpus": "0.5"}}'],
    "rotated": ['{"secret-key": "2026-01-31"}'],
    "acknowledged": ['["open-signup"]'],
}
"""Text by key that works, or nearly."""

TYPES: dict[str, TypeAdapter[Any]] = {
    key: TypeAdapter(cast("Any", Annotated[field.annotation, key, *field.metadata]))
    for key, (_, field) in FIELDS.items()
}
PIECES = [
    '"', "'", "`", "{", "}", "#", "\n", "\0", "\t", " ", "@", ":", "/", "//", "[", "]", "%", "%eth0", ".", "..", "-",
    ";", "*", "\\", "0", "00", "9" * 5000, "٣", "é", "K", "\ud800", "\u2028", "a" * 300, "null", "1e999",
]  # fmt: skip


def edits(text: str) -> Iterator[str]:
    """The text with every piece at every place, beside and instead of what stands there."""
    for place in range(len(text) + 1):
        for piece in PIECES:
            yield text[:place] + piece + text[place:]
            yield text[:place] + piece + text[place + 1 :]


def nearly(*good: str) -> st.SearchStrategy[str]:
    """Text that works, or would but for a piece too many."""
    edited = st.sampled_from([one for text in good for one in edits(text)])
    return st.one_of(edited, edited, st.sampled_from(good), st.text(max_size=20))


def read_or_refused(key: str, value: str) -> None:
    try:
        TYPES[key].validate_python(decoded(key, value))
    except ValidationError as refused:
        field = FIELDS[key][1]
        for error in refused.errors():
            raised = error.get("ctx", {}).get("error")
            example = raised.example if isinstance(raised, Invalid) and not error["loc"] else None
            if example is None:
                example = [*(field.examples or ()), field.default][0]
            TYPES[key].validate_python(example)


@pytest.mark.parametrize("key", GOOD)
def test_text_with_a_piece_too_many_is_read_or_refused_with_an_example_that_is_read(key: str) -> None:
    for text in GOOD[key]:
        for value in edits(text):
            read_or_refused(key, value)


@TRIED
@given(st.sampled_from(sorted(KEYS)), st.text(max_size=20))
def test_any_text_is_read_or_refused_with_an_example_that_is_read(key: str, value: str) -> None:
    read_or_refused(key, value)


LIMIT = {"memory": "512", "cpus": "0.5", "pids": "100", "nofile": "65536"}
OIDC = {
    "providerUrl": "https://id.example.com/.well-known/openid-configuration",
    "clientId": "open-webui",
    "clientSecret": MARK,
    "scopes": "openid email",
    "enableSignup": "true",
}


@pytest.mark.parametrize("key", OIDC)
def test_sign_in_with_a_piece_too_many_is_read_or_refused(key: str) -> None:
    for value in edits(OIDC[key]):
        with suppress(ValidationError):
            TYPES["oidc"].validate_python({**OIDC, key: value})


def objects(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the configuration like a good one, some of its values and keys not."""

    def values(one: Any) -> st.SearchStrategy[Any]:
        own = objects(one) if isinstance(one, dict) else nearly(one)
        return st.one_of(own, own, st.none(), st.booleans(), st.integers(-1, 99999), st.floats(), st.just({"a": [1]}))

    known = st.fixed_dictionaries({}, optional={key: values(one) for key, one in good.items()})
    return st.builds(lambda one, other: {**one, **other}, known, st.dictionaries(nearly(*good), st.just(1), max_size=1))


OBJECTS: dict[str, st.SearchStrategy[Any]] = {
    "limits": objects(dict.fromkeys(["open-webui", "valkey", "postgres", "gateway"], LIMIT)),
    "oidc": objects(OIDC),
    "extraEnvironment": objects({"OPENAI_API_KEY": MARK, "PORT": "1"}),
    "rotated": objects(dict.fromkeys(SECRET_NAMES, "2026-01-31")),
    "acknowledged": st.lists(nearly(*ACKNOWLEDGEMENTS), max_size=3),
}
SECRET_TEXTS = {"adminPassword": nearly(MARK), "valkeyUrl": nearly(f"rediss://me:{MARK}@valkey.example.com:6379/0")}
ANY = nearly(*(text for good in GOOD.values() for text in good if MARK not in text))


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, str]:
    keys = draw(st.lists(st.sampled_from([*sorted(KEYS), *OBJECTS, *SECRET_TEXTS]), max_size=6, unique=True))
    topology = draw(st.sampled_from(["single", "replicated"]))
    found = {key: draw(OBJECTS[key].map(json.dumps) if key in OBJECTS else SECRET_TEXTS.get(key, ANY)) for key in keys}
    return {"topology": topology, **found}


def read(overrides: dict[str, str]) -> Settings:
    given_values = {f"open-webui:{key}": value for key, value in {**DEFAULTS, **overrides}.items()}
    return Settings.of("open-webui", "team", given_values, {f"open-webui:{key}" for key in {*SECRET_KEYS, "oidc"}})


def refusal(overrides: dict[str, str]) -> str:
    try:
        read(overrides)
    except SettingsError as error:
        return str(error)
    return ""


@TRIED
@given(configurations())
def test_any_configuration_is_accepted_or_refused_and_no_secret_is_shown(overrides: dict[str, str]) -> None:
    assert MARK not in refusal(overrides)


# What people write, right or wrong by itself or with the rest; for keys that are not here, the default.
WRITTEN = {
    "production": ["true"],
    "replicas": ["1", "2", "3", "40"],
    "replicasMax": ["1", "2", "32"],
    "openWebuiImage": [f"{IMAGE}:v0.12.4", f"{IMAGE}:v0.11", f"{IMAGE}:main-slim", f"{IMAGE}:cuda@{DIGEST}"],
    "valkeyImage": ["valkey/valkey", "valkey/valkey:8.1.10"],
    "tutorialNames": ["true"],
    "uiBindAddress": ["0.0.0.0", "::", "fe80::1%eth0"],  # noqa: S104 - a setting
    "uiPort": ["443", "80", "0"],
    "httpPort": ["80", "443"],
    "publicUrl": ["https://chat.example.com", "http://chat.example.com", "https://localhost", "https://10.0.0.1:3443"],
    "tls": ["internal", "acme"],
    "acmeEmail": ["me@example.com", "me"],
    "acmeRoot": ["/etc/ssl/root.pem"],
    "acmeDirectory": ["https://ca.example.com/directory", "http://ca.example.com"],
    "trustedProxies": ['["127.0.0.1", "192.0.2.0/24"]', '["10.0.0.0/8"]', '["proxy"]'],
    "corsAllowOrigin": ["*", "https://other.example.com"],
    "adminEmail": ["admin@example.com", "admin"],
    "adminName": ["Ann"],
    "adminPassword": [MARK, "short"],
    "enableSignup": ["true"],
    "oidc": [json.dumps({"providerUrl": "https://id.example.com", "clientId": "a"})],
    "extraEnvironment": [
        json.dumps({"PORT": 1}),
        json.dumps({"WEBUI_AUTH": False}),
        json.dumps({"A-B": "x", "C": "y"}),
    ],
    "extraHosts": ['["a:host-gateway"]', '["localhost:10.0.0.1", "b:127.0.0.1"]'],
    "caFile": ["tests/unit/golden/private-ca.txt", "LICENSE"],
    "postgresMaxConnections": ["50", "500"],
    "valkeyDebugPort": ["6379", "443"],
    "valkeyMaxClients": ["50000"],
    "valkeyRights": ["+lpop", "+@all"],
    "valkeyTls": ["true"],
    "valkeyUrl": [f"redis://me:{MARK}@valkey.example.com"],
    "limits": [json.dumps({"valkey": {"memory": 32}}), json.dumps({"open-webui": {"memory": "2g"}, "x": {}})],
    "networkName": ["-"],
    "networkExternal": ["true"],
    "edgeSubnet": ["10.9.0.0/28", "10.9.0.1/24"],
    "openWebuiVolume": ["chat"],
    "volumesExternal": ["true"],
    "dataOnDestroy": ["delete"],
    "verification": ["off"],
    "acknowledged": ['["open-signups", "floating-tag"]'],
}
SECRETS = {"adminPassword": f"{MARK}-{MARK}", "valkeyUrl": f"rediss://me:{MARK}@valkey.example.com"}


@st.composite
def written(draw: st.DrawFn) -> dict[str, str]:
    keys = draw(st.lists(st.sampled_from(sorted(WRITTEN)), max_size=7, unique=True))
    topology = draw(st.sampled_from(["single", "replicated", "replicated"]))
    return {"topology": topology, **{key: draw(st.sampled_from(WRITTEN[key])) for key in keys}}


def merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}
    return other


def followed(overrides: dict[str, str], text: str) -> dict[str, str]:
    """The overrides as the refusal says to have them."""
    result = dict(overrides)
    for problem in re.split(r"(?m)^  (?=open-webui:)", text)[1:]:
        place = re.split(r"[: ]", problem.removeprefix("open-webui:"), maxsplit=1)[0]
        key, _, path = place.partition(".")
        if "Leave it out" in problem:
            if path:
                inside = json.loads(result[key])
                above, _, last = path.rpartition(".")
                (inside[above] if above else inside).pop(last, None)
                result[key] = json.dumps(inside)
            else:
                result.pop(key, None)
        elif "Set it encrypted" in problem:
            result[key] = json.dumps({**json.loads(result[key]), "clientSecret": "x"}) if path else SECRETS[key]
        else:
            lines = problem.partition("For example\n")[2]
            for name, value in yaml.safe_load(lines).items():
                named = name.removeprefix("open-webui:")
                whole = isinstance(value, dict)
                result[named] = as_config(merged(json.loads(result.get(named, "{}")), value) if whole else value)
    return result


@TRIED
@given(written())
def test_whoever_does_as_the_refusal_says_gets_there(overrides: dict[str, str]) -> None:
    steps = [overrides]
    while text := refusal(steps[-1]):
        steps.append(followed(steps[-1], text))
        assert len(steps) < 8, "\n".join(map(str, [*steps, text]))
