"""Single values of the configuration: text in, a checked value out, or the rule it breaks."""

from __future__ import annotations

import ipaddress
import json
import re
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

OLDEST_OPEN_WEBUI: Final = (0, 12, 0)
"""Oldest Open WebUI whose events cross Valkey the way the verification proves (per-room channels, 0.12.0)."""

OPEN_WEBUI_TRIED: Final = "ghcr.io/open-webui/open-webui:v0.12.4"
"""A reference that works, for messages."""


class Invalid(Exception):  # noqa: N818 - a verdict on a value, not an error of the program
    """A value cannot work: the rule it breaks, and a value that would."""

    def __init__(self, rule: str, example: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.example = example


def boolean(value: str) -> bool:
    """``true`` or ``false``."""
    if value not in {"true", "false"}:
        raise Invalid("true or false is wanted", "true")
    return value == "true"


def whole_number(least: int, most: int, example: str, what: str = "a whole number") -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(value: str) -> int:
        if not (re.fullmatch(r"[0-9]{1,9}", value) and least <= int(value) <= most):
            raise Invalid(f"{what} from {least} to {most} is wanted", example)
        return int(value)

    return parse


seconds: Final = whole_number(1, 3600, "600", "a whole number of seconds")
"""A whole number of seconds, up to an hour."""


def port(value: str) -> int:
    """A TCP port, 1 to 65535."""
    if not (re.fullmatch(r"[0-9]{1,5}", value) and 1 <= int(value) <= 65535):  # noqa: PLR2004 - largest TCP port
        raise Invalid("a port is a whole number from 1 to 65535", "3000")
    return int(value)


def port_or_zero(example: str) -> Callable[[str], int | None]:
    """A TCP port; 0 is none."""

    def parse(value: str) -> int | None:
        if value == "0":
            return None
        try:
            return port(value)
        except Invalid:
            raise Invalid("a port is a whole number from 1 to 65535, and 0 publishes nothing", example) from None

    return parse


def ip_address(value: str) -> str:
    """An IPv4 or IPv6 address, as Docker wants it for a published port: without a zone (``%eth0``)."""
    if not is_ip_address(value) or re.search(r"[\[\]]", value):
        raise Invalid("an IP address of this host is wanted", "127.0.0.1")
    return str(ipaddress.ip_address(value))


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """One of some words, in exactly this spelling."""

    def parse(value: str) -> str:
        if value not in choices:
            raise Invalid(f"one of {', '.join(choices)} is wanted", choices[0])
        return value

    return parse


def save_policy(value: str) -> tuple[tuple[int, int], ...]:
    """Pairs of seconds and changes, as Valkey's ``save`` takes them.

    Source: https://valkey.io/topics/persistence/
    """
    words = value.split()
    if len(words) % 2 or not all(re.fullmatch(r"0*[1-9][0-9]{0,8}", word) for word in words):
        raise Invalid("pairs of SECONDS CHANGES are wanted, or nothing for no snapshots", "30 1")
    numbers = [int(word) for word in words]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


_RIGHT: Final = re.compile(r"\+[a-z0-9][a-z0-9_.-]*(\|[a-z0-9][a-z0-9_.-]*)?|[~&][!-~]+")


def valkey_rights(value: str) -> tuple[str, ...]:
    """Commands, keys and channels as Valkey's ``ACL SETUSER`` takes them; no category, nothing that takes a right.

    Source: https://valkey.io/topics/acl/
    """
    words = tuple(value.split())
    if not all(_RIGHT.fullmatch(word) for word in words):
        raise Invalid(
            "commands (+lpop, +config|get), keys (~other:*) and channels (&other) are wanted, with spaces between",
            "+lpop",
        )
    return words


_DOCKER_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def docker_name_or_empty(value: str) -> str:
    """A name Docker accepts, or nothing.

    Source: https://github.com/moby/moby/blob/master/daemon/names/names.go
    """
    if value and not _DOCKER_NAME.fullmatch(value):
        raise Invalid("a Docker name starts with a letter or digit, then letters, digits, _ . -", "openwebui-network")
    return value


_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
# The first component is a host only if it looks like one; else capital letters would pass in it.
_REGISTRY: Final = rf"(?:localhost|{_LABEL}(?:\.{_LABEL})+|{_LABEL}(?=:)|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?P<name>(?P<registry>{_REGISTRY}(?=/))?(?(registry)/){_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}))?",
    re.ASCII,
)
_LONGEST_NAME: Final = 255


def match_reference(text: str) -> re.Match[str] | None:
    """An image reference as Docker takes it: groups ``name``, ``registry``, ``tag`` and ``digest``, or None.

    Source: https://github.com/distribution/reference/blob/main/reference.go and normalize.go
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    name = match["name"]
    # As Docker completes it; and what could be an image's id is none's name.
    whole = name if match["registry"] else f"docker.io/{name if '/' in name else f'library/{name}'}"
    return None if len(whole) > _LONGEST_NAME or re.fullmatch(r"[a-f0-9]{64}", name) else match


VALKEY_TRIED: Final = "docker.io/valkey/valkey:8.1.10-alpine"
POSTGRES_TRIED: Final = "docker.io/pgvector/pgvector:0.8.7-pg17"
GATEWAY_TRIED: Final = "docker.io/library/caddy:2.11.7-alpine"
OLDEST_POSTGRES: Final = 17
"""Oldest major version of Postgres that has the locale provider which the data folder is made with."""
OLDEST_GATEWAY: Final = (2, 9)
"""Oldest Caddy that knows all of the gateway's configuration (``storage_clean_interval off``)."""


def image_reference(value: str, example: str = VALKEY_TRIED) -> str:
    """An image reference with a tag or a digest."""
    match = match_reference(value)
    if not match:
        raise Invalid("this is not an image reference", example)
    if not (match["tag"] or match["digest"]):
        raise Invalid("a tag or a digest is missing, so the image could be any", f"{value}:TAG")
    return value


def _name_and_tag(reference: str) -> tuple[str, str]:
    """The last part of a reference's name, and its tag; each empty where there is none."""
    match = match_reference(reference)
    return (match["name"].rpartition("/")[2], match["tag"] or "") if match else ("", "")


def valkey_image(value: str) -> str:
    """An image reference, of none of those that have no ``valkey-server``."""
    name, _ = _name_and_tag(value)
    if re.match(r"redis|keydb|dragonfly", name):
        raise Invalid(
            f"an image of {name} has no valkey-server. Name Valkey's (it reads the data of Redis up to 7.2); or name a "
            "Redis that runs elsewhere in valkeyUrl",
            VALKEY_TRIED,
        )
    return image_reference(value)


def postgres_image(value: str) -> str:
    """An image reference of Postgres that names no major version older than 17."""
    image_reference(value, POSTGRES_TRIED)
    major = postgres_major(value)
    if 0 < major < OLDEST_POSTGRES:
        raise Invalid(
            f"it is Postgres {major}, and {OLDEST_POSTGRES} or later is needed, for the locale provider `builtin`",
            POSTGRES_TRIED,
        )
    return value


def postgres_major(reference: str) -> int:
    """The major version that a tag of pgvector (``0.8.7-pg17``) or Postgres (``17.5``) names; 0 where it names none."""
    name, tag = _name_and_tag(reference)
    named = re.search(r"(?:^|-)pg(\d+)", tag) or (re.match(r"(\d+)", tag) if name == "postgres" else None)
    return int(named[1]) if named else 0


def gateway_image(value: str) -> str:
    """An image reference that names no version of Caddy older than 2.9; one of another name has versions of its own."""
    image_reference(value, GATEWAY_TRIED)
    name, tag = _name_and_tag(value)
    if name == "caddy" and () < release(tag)[:2] < OLDEST_GATEWAY:
        raise Invalid("Caddy before 2.9 does not know all of the gateway's configuration", GATEWAY_TRIED)
    return value


def floats(reference: str) -> bool:
    """Whether an image reference names whatever is newest, such as ``main``, ``8-alpine`` or ``v0.12``.

    A digest or a full version names one image (two numbers are a full version of Postgres), and so does a commit.
    """
    match = match_reference(reference)
    if not match or match["digest"]:
        return False
    numbers = 2 if match["name"].endswith("postgres") else 3
    return not re.match(rf"v?\d+(\.\d+){{{numbers - 1}}}|(git|sha)-[0-9a-f]{{7}}", match["tag"])


_RELEASE: Final = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[^\d.].*)?")


def release(version: str) -> tuple[int, ...]:
    """The three numbers of a release that a tag or a label names; none for ``main`` and the like."""
    found = _RELEASE.fullmatch(version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def too_old(version: str) -> bool:
    """Whether a tag or a label names a release of Open WebUI before 0.12.0; ``main`` and the like name none."""
    return () < release(version) < OLDEST_OPEN_WEBUI


def is_slim(reference: str) -> bool:
    """Whether a reference names Open WebUI's image without machine learning: ``slim``, ``main-slim``, ``v0.12.4-slim``.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/.github/workflows/docker.yaml
    """
    return "slim" in _variant(reference)


def _variant(reference: str) -> list[str]:
    """The words of an image's tag, such as ``v0.12.4`` and ``slim``."""
    match = match_reference(reference)
    return (match["tag"] or "").split("-") if match else []


UNSUPPORTED: Final = {
    "ollama": "starts an Ollama beside Open WebUI, which the memory limit would kill and replicas could not share. Run "
    "Ollama by itself, and name it in OLLAMA_BASE_URL",
    "cuda": "computes on a graphics card that no container here is given, and is three times the size without one",
}
"""Variants of Open WebUI's image, by how a word of their tags begins, and why they cannot be deployed."""


def open_webui_image(value: str) -> str:
    """An image reference of Open WebUI that names no release older than 0.12.0, and no variant that cannot work."""
    image_reference(value, OPEN_WEBUI_TRIED)
    match = match_reference(value)
    name = match["name"] if match else ""
    words = _variant(value)
    for variant, reason in UNSUPPORTED.items():
        if any(word.startswith(variant) for word in words):
            plain = "-".join(word for word in words if not word.startswith(variant)) or "main"
            raise Invalid(f"the image for {variant} {reason}", f"{name}:{plain}")
    if match and too_old(match["tag"] or ""):
        raise Invalid(
            "Open WebUI before 0.12.0 sends its events another way, which the verification cannot prove",
            OPEN_WEBUI_TRIED,
        )
    return value


DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def is_ip_address(host: str) -> bool:
    """Whether a host is given by its address, IPv6 with or without brackets, and without a zone.

    Source: https://url.spec.whatwg.org/#concept-ipv6-parser (which has none)
    """
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return "%" not in host


def origin(value: str, example: str) -> str:
    """A web origin as a browser writes it: ``scheme://host[:port]`` in lower case, without the scheme's own port.

    Source: https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
    """
    parts, number = _split(value, example)
    if parts.scheme not in DEFAULT_PORTS:
        raise Invalid("it begins with http:// or https://", example)
    if parts.username is not None or parts.query or parts.fragment or parts.path.strip("/"):
        raise Invalid("scheme, host and port are all there may be, no user, path or query", example)
    host = parts.hostname or ""
    if ":" in host and is_ip_address(host):
        host = f"[{ipaddress.ip_address(host)}]"
    elif not _HOST.fullmatch(host) or (re.fullmatch(r"[0-9.]+", host) and not is_ip_address(host)):
        raise Invalid("its host is a name in ASCII (xn--... for others) or an IP address", example)
    return f"{parts.scheme}://{host}" + ("" if number in {None, DEFAULT_PORTS[parts.scheme]} else f":{number}")


def origins_or_empty(example: str) -> Callable[[str], str]:
    """Web origins with ``;`` between them, ``*`` for any, or nothing.

    Source: https://docs.openwebui.com/getting-started/env-configuration#cors_allow_origin
    """

    def parse(value: str) -> str:
        return ";".join(one if one == "*" else origin(one, example) for one in value.split(";")) if value else ""

    return parse


def https_url_or_empty(value: str) -> str:
    """A URL that begins with https://, or nothing.

    Source: https://www.rfc-editor.org/rfc/rfc3986#appendix-A for the characters
    """
    example = "https://ca.example.com/acme/acme/directory"
    if value and (_split(value, example)[0].scheme != "https" or not urlsplit(value).hostname):
        raise Invalid("it begins with https://", example)
    if not re.fullmatch(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]*", value, re.ASCII):
        raise Invalid("other characters than those of a URL are written with %", example)
    return value


def authorities_or_empty(value: str) -> str:
    """Certificates of certification authorities, PEM, or nothing."""
    if not value.strip():
        return ""
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        trusted.load_verify_locations(cadata=value)
    except (ssl.SSLError, TypeError) as error:
        rule = "the text of a PEM file is wanted, with all its lines, from -----BEGIN CERTIFICATE----- on"
        raise Invalid(rule, "") from error
    if not trusted.get_ca_certs():
        raise Invalid("the certificate of the CA's root is wanted, not one of a server", "")
    return f"{value.strip()}\n"


def is_web_url(value: str) -> bool:
    """Whether this is a URL that begins with http:// or https://."""
    try:
        parts, _ = _split(value, "")
    except Invalid:
        return False
    return parts.scheme in DEFAULT_PORTS and bool(parts.hostname)


def redis_url_or_empty(value: str) -> str | None:
    """Address of a Valkey or Redis without the database's number, None for nothing."""
    if not value:
        return None
    example = "rediss://openwebui:PASSWORD@valkey.example.com:6379"
    parts, _ = _split(value, example)
    if parts.scheme not in {"redis", "rediss"}:
        raise Invalid("Open WebUI takes redis:// and rediss:// (with TLS) only, for Valkey too", example)
    if not parts.hostname:
        raise Invalid("it names no host", example)
    if parts.path not in {"", "/", "/0"} or parts.query or parts.fragment:
        raise Invalid("it ends with host and port or with /0: databases 0 and 1 are used, and nothing else", example)
    return value.removesuffix("/0").removesuffix("/")


def _split(value: str, example: str) -> tuple[SplitResult, int | None]:
    """A URL's parts and its port; no text of the value is in the message, it may hold a password."""
    try:
        parts = urlsplit(value)
        number = parts.port
    except ValueError:
        raise Invalid("this is not a URL", example) from None
    if re.search(r"[\s\x00-\x1f\\]", value) or number == 0 or parts.netloc.endswith(":"):
        raise Invalid("this is not a URL", example)
    return parts, number


def email_or_empty(value: str) -> str:
    """An e-mail address, or nothing; as Open WebUI's ``validate_email_format`` has it, without spaces."""
    if value and not re.fullmatch(r"[^@\s]+@([^@\s]+\.[^@\s]+|localhost)", value):
        raise Invalid("an e-mail address is wanted", "admin@example.com")
    return value


def plain_email_or_empty(value: str) -> str:
    """An e-mail address as certificate authorities take it, or nothing: no quotes, braces or other alphabets."""
    if value and not re.fullmatch(r"[\w.!$%&'*+/=?^~-]+@[\w-]+(\.[\w-]+)+", value, re.ASCII):
        raise Invalid("an e-mail address without quotes, braces or letters beyond ASCII is wanted", "admin@example.com")
    return value


def password_or_empty(value: str) -> str | None:
    """A password, None for nothing; Open WebUI refuses more than 72 bytes."""
    # What cannot be printed may be no character at all, and has no bytes then.
    if value and not (value.isprintable() and 8 <= len(value.encode()) <= 72):  # noqa: PLR2004 - bytes
        raise Invalid("8 to 72 bytes that can be printed are wanted", "PASSWORD")
    return value or None


def text(value: str) -> str:
    """Text of one line that is not empty."""
    if not value.strip() or not value.isprintable():
        raise Invalid("text of one line is wanted", "Admin")
    return value


def subnet_or_empty(value: str) -> str:
    """A private IPv4 network with 16 to 256 addresses, or nothing."""
    if not value:
        return ""
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise Invalid("an IPv4 network is wanted, its address the first one in it", "10.213.7.0/24") from None
    if not network.is_private or not 24 <= network.prefixlen <= 28:  # noqa: PLR2004 - room for gateway and replicas
        raise Invalid("a private network of size /24 to /28 is wanted", "10.213.7.0/24")
    return str(network)


def networks(value: str) -> tuple[str, ...]:
    """IP addresses and networks, each as a network; none that is the whole internet."""
    found = []
    for word in json_words(value):
        try:
            network = ipaddress.ip_network(word)
        except ValueError:
            network = None
        if network is None or not network.prefixlen:
            rule = f"{word!r} is no IP address or network of proxies: such as 192.0.2.7 or 10.1.0.0/24 is wanted"
            raise Invalid(rule, '["192.0.2.7"]')
        found.append(network.with_prefixlen)
    return tuple(sorted(found))


def json_object(value: str) -> dict[str, Any]:
    """What an object in the configuration is to the program."""
    found = _json(value)
    if not isinstance(found, dict):
        raise Invalid("keys with values are wanted", "{}")
    return found


def json_words(value: str) -> frozenset[str]:
    """What a list of words in the configuration is to the program."""
    found = _json(value)
    if not (isinstance(found, list) and all(isinstance(one, str) for one in found)):
        raise Invalid("a list of words is wanted", "[]")
    return frozenset(found)


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None


def scalar_text(value: Any) -> str | None:
    """A scalar as the text that was meant (YAML reads ``1`` as a number), None for what is no scalar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None
