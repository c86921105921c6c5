"""What settings cannot be together: each rule, how it is said, and that the line it proposes works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from components import embedding
from components.accounts import Oidc
from components.authority import generate
from components.limits import Pools
from components.open_webui.environment import base_environment, ca_environment, replicated_environment
from settings.blocks import ACKNOWLEDGEMENTS
from settings.models import ONLY_SINGLE
from settings.references import OPEN_WEBUI_TRIED
from settings.rules import NOT_REPLICATED
from settings.variables import why_owned
from tests.unit.test_settings import PROJECT, REPLICATED, as_config, read, refusal

PRODUCTION = {
    **REPLICATED,
    "production": True,
    "openWebuiImage": "ghcr.io/open-webui/open-webui:v0.12.4",
    "publicUrl": "https://chat.example.com",
    "tls": "internal",
}
ACME = {
    **REPLICATED,
    "tls": "acme",
    "acmeEmail": "admin@example.com",
    "publicUrl": "https://chat.example.com",
    "uiBindAddress": "0.0.0.0",  # noqa: S104 - a setting
    "uiPort": 443,
}
PRIVATE_CA = {**ACME, "acmeDirectory": "https://ca.lan/acme/directory"}
CERTIFICATES = generate("ca.lan")
ROOT, SERVER = CERTIFICATES["ca_pem"], CERTIFICATES["cert_pem"]
OIDC = {
    "providerUrl": "https://id.example.com/.well-known/openid-configuration",
    "clientId": "open-webui",
    "clientSecret": "hush-hush",
}
VALKEY_URL = "rediss://openwebui:hush-hush@valkey.example.com:6379"


def proposed(text: str) -> dict[str, Any]:
    """What the refusal proposes to write, keys without namespace."""
    lines = [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]
    return {key.removeprefix("open-webui:"): value for key, value in yaml.safe_load("\n".join(lines)).items()}


def merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}
    return other


@pytest.mark.parametrize(
    ("given", "key", "says"),
    [
        ({"replicas": 2}, "replicas", "is '2': topology single has SQLite and Chroma, which have one writer each"),
        ({"production": True}, "production", "is 'true': topology single has no TLS"),
        ({"tls": "internal"}, "tls", "is 'internal': it would have no effect in topology single. It needs topology"),
        ({"adminEmail": "a@b.example"}, "adminEmail", "no effect in topology single"),
        ({"limits": {"gateway": {"memory": 512}}}, "limits.gateway", "this is not a container of this topology"),
        (
            {"limits": {"valkey": {"memory": 32}}},
            "limits.valkey.memory",
            "is 32: valkey does not run with less than 64",
        ),
        ({"extraEnvironment": {"REDIS_URL": "x"}}, "extraEnvironment.REDIS_URL", "lie in this stack's Valkey"),
        ({"extraEnvironment": {"DATABASE_URL": "x"}}, "extraEnvironment.DATABASE_URL", "in the data volume"),
        ({"extraEnvironment": {"SSL_CERT_FILE": "x"}}, "extraEnvironment.SSL_CERT_FILE", "set caFile"),
        (
            {"extraEnvironment": {"WEBUI_AUTH": "False"}},
            "extraEnvironment.WEBUI_AUTH",
            "whoever reaches the URL is the administrator. If that is meant, add no-sign-in to acknowledged",
        ),
        (
            {**REPLICATED, "extraEnvironment": {"WEBUI_AUTH": "False"}, "acknowledged": ["no-sign-in"]},
            "extraEnvironment.WEBUI_AUTH",
            "is the administrator. Leave it out",
        ),
        ({"extraEnvironment": {"DEFAULT_USER_ROLE": "admin"}}, "extraEnvironment.DEFAULT_USER_ROLE", "every new"),
        (
            {"extraEnvironment": {"WEBUI_AUTH_TRUSTED_EMAIL_HEADER": "X-Email"}},
            "extraEnvironment.WEBUI_AUTH_TRUSTED_EMAIL_HEADER",
            "could send that header and be anybody",
        ),
        (
            {"extraHosts": ["ollama"]},
            "extraHosts",
            "'ollama' is not NAME:ADDRESS, with an IPv4 address or host-gateway",
        ),
        ({"ollama": "gpu.lan:11434"}, "ollama", "it is host (this host), off, or a URL"),
        ({"ollama": "http://me:secret@gpu.lan"}, "ollama", "scheme, host, port and path are all there may be"),
        (
            {"ollama": "host", "extraEnvironment": {"OLLAMA_BASE_URL": "http://gpu.lan"}},
            "extraEnvironment",
            "ollama says it",
        ),
        ({"extraHosts": ["ollama:::1"]}, "extraHosts", "'ollama:::1' is not NAME:ADDRESS"),
        ({"extraHosts": ["-a:10.0.0.1"]}, "extraHosts", "'-a:10.0.0.1' is not NAME:ADDRESS"),
        ({"extraHosts": ["ollama:127.0.0.1"]}, "extraHosts", "from a container to itself; this host is host-gateway"),
        ({"extraHosts": ["a:10.0.0.1", "A:10.0.0.2"]}, "extraHosts", "a has two addresses"),
        (
            {**REPLICATED, "extraHosts": ["a:10.0.0.1", "open-webui-team-postgres:10.0.0.1"]},
            "extraHosts",
            "open-webui-team-postgres is a name that this stack needs itself",
        ),
        ({"extraHosts": ["redis:10.0.0.1"]}, "extraHosts", "redis is a name that this stack needs itself"),
        ({"caFile": "no/such.pem"}, "caFile", "is 'no/such.pem': there is no file "),
        ({"caFile": "tests"}, "caFile", "there is no file "),
        ({"caFile": "LICENSE"}, "caFile", "the text of a PEM file is wanted"),
        ({"rotated": {"secret-key": "2026-01-31"}}, "rotated", "no effect in topology single"),
        ({**REPLICATED, "tutorialNames": True}, "tutorialNames", "is 'true': topology replicated cannot have it"),
        ({**REPLICATED, "openWebuiVolume": "chat"}, "openWebuiVolume", "replicas have Postgres"),
        ({**REPLICATED, "networkExternal": True}, "networkExternal", "needs a network whose addresses it knows"),
        ({**REPLICATED, "valkeyDebugPort": 6379}, "valkeyDebugPort", "is '6379': topology replicated cannot have it"),
        ({"uiPort": 6379, "valkeyDebugPort": 6379}, "valkeyDebugPort", "the UI is published on this port"),
        ({**ACME, "httpPort": 443}, "httpPort", "the UI is published on this port"),
        ({**REPLICATED, "replicas": 9}, "replicasMax", "is '8': replicas is 9"),
        ({**REPLICATED, "replicas": 0}, "replicas", "from 1 to 32"),
        ({**REPLICATED, "replicasMax": 33}, "replicasMax", "from 1 to 32"),
        ({**REPLICATED, "postgresMaxConnections": 50}, "postgresMaxConnections", "8 replicas need 77 database"),
        ({**REPLICATED, "edgeSubnet": "10.9.0.0/28"}, "edgeSubnet", "7 addresses for replicas, and replicasMax is 8"),
        ({**REPLICATED, "edgeSubnet": "10.9.0.1/24"}, "edgeSubnet", "its address the first one in it"),
        ({**REPLICATED, "edgeSubnet": "10.9.0.0/16"}, "edgeSubnet", "/24 to /28"),
        ({**REPLICATED, "edgeSubnet": "8.8.8.0/24"}, "edgeSubnet", "a private network"),
        ({**REPLICATED, "valkeyMaxClients": 50000}, "limits.valkey.nofile", "valkeyMaxClients 50000 needs 50032"),
        (
            {**REPLICATED, "limits": {"open-webui": {"memory": 512}}},
            "limits.open-webui.memory",
            "is 512: open-webui does not run with less than 1536",
        ),
        (
            {**REPLICATED, "openWebuiImage": f"{OPEN_WEBUI_TRIED}-slim", "limits": {"open-webui": {"memory": 512}}},
            "limits.open-webui.memory",
            "is 512: open-webui does not run with less than 768",
        ),
        ({**REPLICATED, "limits": {"gateway": {"cpus": 0}}}, "limits.gateway.cpus", "a number of CPUs above 0"),
        (
            {**REPLICATED, "limits": {"gateway": {"cpus": "two"}}},
            "limits.gateway.cpus",
            'is "two": a number of CPUs above',
        ),
        ({**REPLICATED, "limits": {"gateway": {"pids": 100.5}}}, "limits.gateway.pids", "a whole number above 0"),
        ({**REPLICATED, "limits": {"gateway": {"memory": "1g"}}}, "limits.gateway.memory", "a whole number of MiB"),
        ({**REPLICATED, "limits": {"gateway": {}, "gateway.x": 1}}, "limits.gateway.x", "did you mean gateway?"),
        ({**REPLICATED, "limits": {"gateway": 512}}, "limits.gateway", "some of memory, cpus, pids, nofile"),
        ({**REPLICATED, "publicUrl": "chat.example.com"}, "publicUrl", "begins with http:// or https://"),
        ({**REPLICATED, "publicUrl": "https://a.example/chat"}, "publicUrl", "no user, path or query"),
        ({**REPLICATED, "publicUrl": "https://a.example/?x"}, "publicUrl", "no user, path or query"),
        ({**REPLICATED, "publicUrl": "https://me@a.example"}, "publicUrl", "no user, path or query"),
        ({**REPLICATED, "publicUrl": "https://a.example:99999"}, "publicUrl", "this is not a URL"),
        ({**REPLICATED, "publicUrl": "https://b\u00fccher.example"}, "publicUrl", "a name in ASCII"),
        ({**REPLICATED, "publicUrl": "https://10.0.0.256"}, "publicUrl", "a name in ASCII (xn--... for others) or an"),
        ({**REPLICATED, "publicUrl": "https://a.example"}, "tls", "nobody would speak https there"),
        ({**REPLICATED, "tls": "internal", "publicUrl": "http://a.example"}, "publicUrl", "the gateway speaks https"),
        ({**REPLICATED, "corsAllowOrigin": "http://a.example"}, "corsAllowOrigin", "the UI itself could not connect"),
        ({**REPLICATED, "corsAllowOrigin": "a.example"}, "corsAllowOrigin", "begins with http:// or https://"),
        ({**REPLICATED, "httpPort": 80}, "httpPort", "is '80': it redirects to https, and tls is off"),
        ({**REPLICATED, "acmeEmail": "a@b.example"}, "acmeEmail", "no effect, for tls is off; it needs tls: acme"),
        ({**REPLICATED, "acmeDirectory": "https://ca.example/d"}, "acmeDirectory", "no effect, for tls is off"),
        ({**ACME, "acmeDirectory": "http://ca.example/d"}, "acmeDirectory", "it begins with https://"),
        ({**ACME, "acmeRoot": ROOT}, "acmeRoot", "acmeDirectory names none, so that a public one is asked"),
        ({**REPLICATED, "acmeRoot": ROOT}, "acmeRoot", "no effect, for tls is off"),
        ({**PRIVATE_CA, "acmeRoot": "/etc/ssl/root.pem"}, "acmeRoot", "the text of a PEM file is wanted"),
        ({**PRIVATE_CA, "acmeRoot": SERVER}, "acmeRoot", "the CA's root is wanted, not one of a server"),
        ({**ACME, "acmeEmail": ""}, "acmeEmail", "is '': tls is acme, and the CA writes there"),
        ({"trustedProxies": ["192.0.2.7"]}, "trustedProxies", "no effect in topology single"),
        ({**REPLICATED, "trustedProxies": ["0.0.0.0/0"]}, "trustedProxies", "is no IP address or network of proxies"),
        ({**REPLICATED, "trustedProxies": ["10.1.0.1/24"]}, "trustedProxies", "is no IP address or network of proxies"),
        ({**REPLICATED, "trustedProxies": ["10.0.0.0/8"]}, "trustedProxies", "10.0.0.0/8 overlaps with 10.213."),
        (
            {**REPLICATED, "trustedProxies": ["127.0.0.1"], "uiBindAddress": "192.0.2.1"},
            "uiBindAddress",
            "trustedProxies has 127.0.0.1/32, a proxy on this host",
        ),
        (
            {**REPLICATED, "extraEnvironment": {"WEBUI_AUTH_TRUSTED_EMAIL_HEADER": "X-Email"}},
            "trustedProxies",
            "Without a proxy that is trusted anybody could",
        ),
        (
            {
                **REPLICATED,
                "trustedProxies": ["192.0.2.7"],
                "extraEnvironment": {"WEBUI_AUTH_TRUSTED_NAME_HEADER": "X-*"},
            },
            "extraEnvironment.WEBUI_AUTH_TRUSTED_NAME_HEADER",
            "the name of a header is wanted",
        ),
        (
            {
                **REPLICATED,
                "trustedProxies": ["192.0.2.7"],
                "extraEnvironment": {"WEBUI_AUTH_TRUSTED_NAME_HEADER": "X_Name"},
            },
            "extraEnvironment.WEBUI_AUTH_TRUSTED_NAME_HEADER",
            "the gateway passes none with _",
        ),
        ({**ACME, "acmeEmail": "admin"}, "acmeEmail", "an e-mail address without quotes"),
        ({**ACME, "publicUrl": "https://192.0.2.7"}, "publicUrl", "a CA gives no certificate for 192.0.2.7"),
        ({**ACME, "publicUrl": "https://localhost"}, "publicUrl", "a CA gives no certificate for localhost"),
        ({**ACME, "publicUrl": "https://chat.internal"}, "publicUrl", "a CA gives no certificate for chat.internal"),
        ({**ACME, "uiPort": 8443}, "uiPort", "the CA connects from the internet to port 443 (uiPort) or 80 (httpPort)"),
        ({**ACME, "uiBindAddress": "127.0.0.1"}, "uiBindAddress", "the CA connects from the internet"),
        (
            {**ACME, "uiBindAddress": "127.0.0.1", "trustedProxies": ["127.0.0.1"]},
            "acknowledged",
            "the CA connects from the internet",
        ),
        ({**REPLICATED, "valkeyUrl": VALKEY_URL, "valkeyTls": True}, "valkeyTls", "a Valkey elsewhere"),
        ({**REPLICATED, "valkeyUrl": VALKEY_URL, "valkeyMaxClients": 500}, "valkeyMaxClients", "a Valkey elsewhere"),
        ({**REPLICATED, "valkeyUrl": VALKEY_URL, "valkeyRights": "+lpop"}, "valkeyRights", "a Valkey elsewhere"),
        ({**REPLICATED, "valkeyRights": "+@all"}, "valkeyRights", "commands (+lpop, +config|get), keys"),
        ({**REPLICATED, "valkeyRights": "+lpop nopass"}, "valkeyRights", "commands (+lpop, +config|get), keys"),
        ({"valkeyRights": "+lpop"}, "valkeyRights", "no effect in topology single"),
        (
            {**REPLICATED, "replicasMax": 22, "limits": {"valkey": {"memory": 256}}},
            "limits.valkey.memory",
            "replicasMax 22 needs 264 MiB",
        ),
        (
            {**REPLICATED, "valkeyUrl": VALKEY_URL, "limits": {"valkey": {"memory": 512}}},
            "limits.valkey",
            "a Valkey elsewhere",
        ),
        ({"valkeyImage": "redis:7"}, "valkeyImage", "is 'redis:7': an image of redis has no valkey-server"),
        ({"valkeyImage": "docker.io/redis/redis-stack-server:7.4.0-v1"}, "valkeyImage", "has no valkey-server"),
        ({**REPLICATED, "postgresImage": "pgvector/pgvector:0.8.7-pg16"}, "postgresImage", "it is Postgres 16, and 17"),
        ({**REPLICATED, "postgresImage": "pgvector/pgvector:pg16"}, "postgresImage", "it is Postgres 16, and 17"),
        ({**REPLICATED, "postgresImage": "docker.io/library/postgres:15.3"}, "postgresImage", "it is Postgres 15"),
        ({**REPLICATED, "gatewayImage": "caddy:2.7.6"}, "gatewayImage", "Caddy before 2.9 does not know"),
        ({"openWebuiImage": "Chat:1"}, "openWebuiImage", "is 'Chat:1': this is not an image reference"),
        ({"topology": "replicated"}, "adminEmail", "is '': nobody could sign in"),
        ({"topology": "replicated", "oidc": OIDC}, "adminEmail", "nobody could sign in"),
        ({**REPLICATED, "adminEmail": "admin"}, "adminEmail", "is 'admin': an e-mail address is wanted"),
        (
            {"topology": "replicated", "enableSignup": True, "adminName": "A"},
            "adminName",
            "no effect without adminEmail",
        ),
        (
            {"topology": "replicated", "enableSignup": True, "adminPassword": "hush-hush"},
            "adminPassword",
            "no effect without adminEmail",
        ),
        ({**REPLICATED, "oidc": {**OIDC, "clientID": "x"}}, "oidc.clientID", "did you mean clientId?"),
        ({**REPLICATED, "oidc": {**OIDC, "enableSignup": "yes"}}, "oidc.enableSignup", "true or false is wanted"),
        ({**REPLICATED, "oidc": {**OIDC, "clientId": 5}}, "oidc.clientId", "is 5: text is wanted"),
        ({**REPLICATED, "oidc": {**OIDC, "scopes": "email"}}, "oidc.scopes", "needs the scope openid"),
        (
            {**REPLICATED, "oidc": {**OIDC, "providerUrl": "https://id.example.com/realm"}},
            "oidc.providerUrl",
            "the URL of the discovery document is wanted",
        ),
        ({**REPLICATED, "extraEnvironment": {"A-B": "1"}}, "extraEnvironment.A-B", "letters, digits and _ only: A_B"),
        ({**REPLICATED, "extraEnvironment": {"A": None}}, "extraEnvironment.A", "text, a number, true or false"),
        ({**REPLICATED, "extraEnvironment": {"VECTOR_DB": "chroma"}}, "extraEnvironment.VECTOR_DB", "Chroma has one"),
        ({**REPLICATED, "extraEnvironment": {"DATABASE_URL": "x"}}, "extraEnvironment.DATABASE_URL", "SQLite has one"),
        ({**REPLICATED, "extraEnvironment": {"WEBUI_URL": "x"}}, "extraEnvironment.WEBUI_URL", "set publicUrl"),
        *(
            ({**REPLICATED, "extraEnvironment": {name: value}}, f"extraEnvironment.{name}", f"it is {value!r}: {says}")
            for name, value, says in (
                ("WEBUI_AUTH", "False", "without sign-in whoever reaches the URL is the administrator"),
                ("WEBUI_AUTH", "1", "without sign-in"),
                ("DEFAULT_USER_ROLE", "admin", "every new account would be an administrator's"),
            )
        ),
        (
            {**REPLICATED, "rotated": {"valkey-tls": "1"}},
            "rotated.valkey-tls",
            'is "1": it would have no effect: valkeyTls is off',
        ),
        (
            {**REPLICATED, "adminPassword": "hush-hush", "rotated": {"admin-password": "1"}},
            "rotated.admin-password",
            "no effect: adminPassword is set",
        ),
        (
            {"topology": "replicated", "enableSignup": True, "rotated": {"admin-password": "1"}},
            "rotated.admin-password",
            "no effect: there is no adminEmail",
        ),
        *(
            ({**REPLICATED, "valkeyUrl": VALKEY_URL, "rotated": {name: "1"}}, f"rotated.{name}", "a Valkey elsewhere")
            for name in ("valkey-openwebui", "valkey-verify", "valkey-health", "valkey-tls")
        ),
        ({**REPLICATED, "rotated": {"secretkey": "1"}}, "rotated.secretkey", "did you mean secret-key?"),
        ({**REPLICATED, "rotated": {"secret-key": "31 Jan"}}, "rotated.secret-key", "a word without spaces"),
        ({**REPLICATED, "acknowledged": ["floating-tags"]}, "acknowledged", "floating-tag (an image may change"),
        ({**PRODUCTION, "corsAllowOrigin": "*"}, "corsAllowOrigin", "is '*': production allows no web site"),
        ({**PRODUCTION, "verification": "off"}, "verification", "is 'off': production is proved"),
        ({**PRODUCTION, "dataOnDestroy": "delete"}, "dataOnDestroy", "is 'delete': production keeps its data"),
        (
            {**PRODUCTION, "tls": "off", "publicUrl": "http://a.example"},
            "tls",
            "is 'off': production is not reached by http://a.example",
        ),
        ({**PRODUCTION, "tls": "off", "publicUrl": ""}, "tls", "is 'off': production is not reached by http://127"),
        ({**PRODUCTION, "enableSignup": True}, "enableSignup", "add open-signup to acknowledged"),
        (
            {
                **PRODUCTION,
                "tls": "off",
                "uiBindAddress": "0.0.0.0",  # noqa: S104 - a setting
                "acknowledged": ["tls-terminated-elsewhere"],
            },
            "uiBindAddress",
            "is '0.0.0.0': production does not offer http without TLS on every address",
        ),
        *(
            (
                {**PRODUCTION, key: image},
                key,
                f"is {image!r}: production takes no tag that names another image tomorrow",
            )
            for key, image in (
                ("openWebuiImage", "ghcr.io/open-webui/open-webui:main"),
                ("openWebuiImage", "ghcr.io/open-webui/open-webui:v0.12"),
                ("openWebuiImage", "ghcr.io/open-webui/open-webui:latest"),
                ("valkeyImage", "docker.io/valkey/valkey:8-alpine"),
                ("postgresImage", "docker.io/pgvector/pgvector:pg17"),
                ("gatewayImage", "docker.io/library/caddy:alpine"),
            )
        ),
    ],
)
def test_a_rule_names_key_value_and_reason_and_the_line_it_proposes_works(
    given: Mapping[str, Any], key: str, says: str
) -> None:
    config = {name: as_config(value) for name, value in given.items()}
    text = refusal(config)
    assert "a setting that cannot work" in text, "and says nothing else"
    assert f"open-webui:{key}" in text
    assert says in text
    assert "hush" not in text
    if text.endswith("Leave it out"):
        top, _, within = key.partition(".")
        left = {name: value for name, value in given[top].items() if name != within} if within else None
        read({name: value for name, value in {**config, top: left and as_config(left)}.items() if value})
    else:
        proposal = merged(given, proposed(text))
        read({name: as_config(value) for name, value in proposal.items()})


@pytest.mark.parametrize(
    ("given", "key", "says"),
    [
        ({"oidc": OIDC}, "oidc", "no effect in topology single"),
        ({"extraEnvironment": {"DATABASE_URL": "x://a:hush@h"}}, "extraEnvironment.DATABASE_URL", "data volume"),
        ({**REPLICATED, "extraEnvironment": {"DATABASE_URL": "x://a:hush@h"}}, "extraEnvironment.DATABASE_URL", "one"),
        ({**REPLICATED, "extraEnvironment": {"A-B": "hush"}}, "extraEnvironment.A-B", "A_B"),
        ({**REPLICATED, "valkeyUrl": "valkey://:hush-hush@h"}, "valkeyUrl", "redis:// and rediss:// (with TLS) only"),
        ({**REPLICATED, "valkeyUrl": "redis://:hush-hush@h/3"}, "valkeyUrl", "databases 0 and 1 are used"),
        ({**REPLICATED, "valkeyUrl": "redis://:hush-hush@h/0?x=y"}, "valkeyUrl", "databases 0 and 1 are used"),
        ({**REPLICATED, "valkeyUrl": "redis://:hush-hush@h:0"}, "valkeyUrl", "this is not a URL"),
        ({**REPLICATED, "valkeyUrl": "redis:///0"}, "valkeyUrl", "it names no host"),
        ({**REPLICATED, "adminPassword": "hush-hush" * 9}, "adminPassword", "8 to 72 bytes"),
        ({**REPLICATED, "adminPassword": "hush"}, "adminPassword", "8 to 72 bytes"),
        ({**REPLICATED, "oidc": {**OIDC, "clientSecret": 5}}, "oidc.clientSecret", "text is wanted"),
        ({**REPLICATED, "oidc": {"providerUrl": OIDC["providerUrl"], "clientId": "x"}}, "oidc.clientSecret", "missing"),
    ],
)
def test_a_secret_that_cannot_work_is_not_shown(given: Mapping[str, Any], key: str, says: str) -> None:
    text = refusal({name: as_config(value) for name, value in given.items()})
    assert f"open-webui:{key}: " in text
    assert says in text
    assert "hush" not in text
    path = "--path " if "." in key else ""
    encrypted = f"Set it encrypted: python -m tooling.engine config set {path}{key} --secret --stack team"
    assert text.endswith((encrypted, "Leave it out"))


@pytest.mark.parametrize(
    ("key", "example"),
    [
        ("openWebuiImage", "open-webui"),
        ("valkeyImage", "valkey"),
        ("postgresImage", "pgvec"),
        ("gatewayImage", "caddy"),
    ],
)
def test_an_image_that_is_none_is_answered_with_one_of_its_own_kind(key: str, example: str) -> None:
    assert example in proposed(refusal({**REPLICATED, key: "NO IMAGE"}))[key]


KEY = {"OPENAI_API_KEY": "hush-hush"}
PLAIN = [
    KEY,
    {"OPENAI_API_KEYS": "hush;hush"},
    {"S3_SECRET_ACCESS_KEY": "hush-hush"},
    {"GOOGLE_CLIENT_SECRET": "hush-hush"},
    {"LDAP_APP_PASSWORD": "hush-hush"},
    {"SOME_TOKEN": "hush-hush"},
    {"AUTOMATIC1111_API_AUTH": "me:hush-hush"},
    {"GOOGLE_APPLICATION_CREDENTIALS_JSON": "{hush}"},
    {"TOOL_SERVER_CONNECTIONS": '[{"url": "http://tools.lan", "auth_type": "bearer", "key": "hush-hush"}]'},
    {"HTTPS_PROXY": "http://me:hush-hush@proxy.lan:3128"},
]


NAMED_LIKE_SECRETS = {
    "USER_PERMISSIONS_FEATURES_API_KEYS": "true",
    "BRAVE_SEARCH_CONTEXT_TOKENS": "8192",
    "RAG_SOURCE_METADATA_KEYS": "title,page",
    "LICENSE_PUBLIC_KEY": "MCowBQYDK2Vw",
    "TOOL_SERVER_CONNECTIONS": '[{"url": "http://tools.lan", "auth_type": "none", "key": ""}]',
    "TAGS_GENERATION_PROMPT_TEMPLATE": 'Answer as JSON, with "key": "value" for each.',
    "GOOGLE_APPLICATION_CREDENTIALS": "/app/backend/data/account.json",
}


@pytest.mark.parametrize("variables", PLAIN)
def test_production_takes_no_key_of_a_service_in_plain_text(variables: dict[str, str]) -> None:
    (name,) = variables
    text = refusal(
        {name: as_config(value) for name, value in {**PRODUCTION, "extraEnvironment": variables}.items()}, ()
    )
    assert f"open-webui:extraEnvironment.{name} stands in plain text in the stack file" in text
    assert f"python -m tooling.engine config set --path extraEnvironment.{name} --secret --stack team" in text
    assert "hush" not in text


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        ({**REPLICATED, "extraEnvironment": KEY}, []),
        ({**PRODUCTION, "extraEnvironment": KEY}, ["extraEnvironment"]),
        ({**PRODUCTION, "extraEnvironment": {"ENABLE_API_KEYS": "true", "OPENAI_API_KEY": "", "A": "b"}}, []),
        ({**PRODUCTION, "extraEnvironment": {"OLLAMA_BASE_URL": "http://ollama.lan:11434"}}, []),
        ({**PRODUCTION, "extraEnvironment": NAMED_LIKE_SECRETS}, []),
    ],
    ids=["not production", "encrypted", "no secrets", "no password", "named like secrets"],
)
def test_what_is_encrypted_or_no_secret_is_taken(given: Mapping[str, Any], secret: list[str]) -> None:
    read({name: as_config(value) for name, value in given.items()}, secret=secret)


@pytest.mark.parametrize("key", ["adminPassword", "valkeyUrl", "oidc"])
def test_a_secret_in_plain_text_is_refused_unseen(key: str) -> None:
    value = {"adminPassword": "hush-hush", "valkeyUrl": VALKEY_URL, "oidc": as_config(OIDC)}[key]
    text = refusal({**REPLICATED, key: value}, secret=())
    assert "stands in plain text in the stack file" in text
    assert "hush" not in text


def test_a_mistyped_secret_is_not_shown() -> None:
    assert "open-webui:adminPasword is not a setting. Did you mean adminPassword?" in refusal(
        {"adminPasword": "hush"}, secret=()
    )


@pytest.mark.parametrize(
    "given",
    [
        {**ACME, "uiPort": 8443, "httpPort": 80},
        {**ACME, "uiPort": 8443, "acknowledged": ["ports-forwarded"]},
        {**ACME, "uiBindAddress": "127.0.0.1", "acknowledged": ["ports-forwarded"]},
        {**PRIVATE_CA, "uiPort": 8443, "publicUrl": "https://chat:8443"},
        {**PRIVATE_CA, "acmeRoot": ROOT},
        {**REPLICATED, "publicUrl": "https://a.example", "acknowledged": ["tls-terminated-elsewhere"]},
        {**REPLICATED, "publicUrl": "http://a.example:8080", "uiPort": 3001},
        {**REPLICATED, "valkeyUrl": VALKEY_URL},
        {"topology": "replicated", "oidc": {**OIDC, "enableSignup": True}},
        {**REPLICATED, "extraEnvironment": {"OAUTH_ROLES_CLAIM": "roles", "OAUTH_ALLOWED_ROLES": "staff"}},
        {**PRODUCTION, "tls": "off", "publicUrl": "", "acknowledged": ["http-public-url"]},
        {**PRODUCTION, "enableSignup": True, "acknowledged": ["open-signup"]},
        {**PRODUCTION, "openWebuiImage": "ghcr.io/open-webui/open-webui:main", "acknowledged": ["floating-tag"]},
        {**PRODUCTION, "openWebuiImage": f"ghcr.io/open-webui/open-webui:main@sha256:{'a' * 64}"},
        {**PRODUCTION, "openWebuiImage": "ghcr.io/open-webui/open-webui:git-0a1b2c3"},
        {**PRODUCTION, "postgresImage": "docker.io/library/postgres:17.5"},
        {**REPLICATED, "postgresImage": "a.example/mirror:pg18", "gatewayImage": "a.example/caddy:2-alpine"},
        {**REPLICATED, "gatewayImage": "a.example/edge-proxy:1.4.0"},
        {**REPLICATED, "valkeyImage": "a.example/redis-mirror/valkey:8"},
        {"extraEnvironment": {"WEBUI_AUTH": "False", "HTTP_PROXY": "http://proxy.lan"}, "acknowledged": ["no-sign-in"]},
        {"extraEnvironment": {"WEBUI_URL": "https://chat.lan", "ENABLE_SIGNUP": "false", "VECTOR_DB": "qdrant"}},
        {"extraHosts": ["host.docker.internal:host-gateway", "nas_1:10.0.0.7"]},
        {**REPLICATED, "extraEnvironment": {"WEBUI_AUTH": "true", "DEFAULT_USER_ROLE": "user"}},
        {**REPLICATED, "extraEnvironment": {"WEBSOCKET_SERVER_PING_INTERVAL": "20"}},
        {**REPLICATED, "valkeyTls": True, "rotated": {"valkey-tls": "1", "valkey-verify": "1", "admin-password": "1"}},
        {**PRODUCTION, "tls": "off", "acknowledged": ["tls-terminated-elsewhere"]},
    ],
)
def test_what_works_or_is_acknowledged_is_accepted(given: Mapping[str, Any]) -> None:
    read({key: as_config(value) for key, value in given.items()})


def test_a_rule_is_silent_about_what_could_not_be_read() -> None:
    text = refusal({**REPLICATED, "publicUrl": "https:/a", "tls": "internal", "acmeEmail": "nobody"})
    assert "no effect" not in text
    assert len(re.findall(r"(?m)^  open-webui:", text)) == 2


def test_all_rules_that_are_broken_are_told_at_once() -> None:
    text = refusal({"topology": "replicated", "production": "true", "verification": "off", "dataOnDestroy": "delete"})
    for key in ("adminEmail", "verification", "dataOnDestroy", "openWebuiImage", "tls"):
        assert f"open-webui:{key} is " in text


def test_what_only_one_container_of_each_kind_can_have_is_refused_to_replicas_with_a_reason() -> None:
    assert set(NOT_REPLICATED) == set(ONLY_SINGLE)


def test_every_acknowledgement_is_told_in_the_project_file() -> None:
    description = PROJECT["config"]["acknowledged"]["description"]
    assert all(word in description for word in ACKNOWLEDGEMENTS)


def test_no_variable_this_project_sets_can_be_set_beside_it() -> None:
    environment = replicated_environment(
        log_level="INFO",
        public_url="https://chat.example.com",
        cors_allow_origin="https://chat.example.com",
        enable_signup=False,
        panel_settings=True,
        pools=Pools(size=1, overflow=1, vector_size=1, vector_overflow=1),
        oidc=Oidc(provider_url="", client_id=""),
        compute_threads=1,
    )
    secret = ("WEBUI_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "WEBSOCKET_REDIS_URL", "OAUTH_CLIENT_SECRET")
    admin = ("WEBUI_ADMIN_EMAIL", "WEBUI_ADMIN_PASSWORD", "WEBUI_ADMIN_NAME")
    # What embeds documents, and whether its model is looked for: there are reasons to set those otherwise.
    free = {*embedding.DEFAULTS, "RAG_EMBEDDING_MODEL_AUTO_UPDATE", "RAG_RERANKING_MODEL_AUTO_UPDATE"}
    assert {name for name in (*environment, *secret, *admin) if not why_owned(name, replicated=True)} == free
    of_single = (*base_environment(log_level="INFO"), *ca_environment(""), *secret[:4])
    assert {name for name in of_single if not why_owned(name, replicated=False)} == free
