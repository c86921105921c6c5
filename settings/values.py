"""Single values of the configuration: each checker returns what it takes, or raises the rule that is broken.

pydantic calls the checkers, and bounds numbers and words by itself: :mod:`settings.field_types`. None of them has a
value of another setting; rules between settings are in :mod:`settings.rules`.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit


class Invalid(ValueError):  # noqa: N818 - a verdict on a value, not an error of the program
    """A value cannot work.

    Args:
        rule: The rule it breaks.
        example: A value that would work, as YAML or JSON has it; None for the setting's own example.
    """

    def __init__(self, rule: str, example: Any = None) -> None:
        # pydantic takes no half of a surrogate pair, which JSON may hold.
        super().__init__(rule.encode(errors="backslashreplace").decode())
        self.rule = rule
        self.example = example


def is_ip_address(host: str) -> bool:
    """Whether a host is given by its address, IPv6 with or without brackets, and without a zone.

    Source: https://url.spec.whatwg.org/#concept-ipv6-parser (which has none)
    """
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return "%" not in host


def ip_address(value: str) -> str:
    """An IPv4 or IPv6 address, as Docker wants it for a published port: without a zone (``%eth0``)."""
    if not is_ip_address(value) or re.search(r"[\[\]]", value):
        raise Invalid("an IP address of this host is wanted")
    return str(ipaddress.ip_address(value))


def subnet(value: str) -> str:
    """A private IPv4 network with 16 to 256 addresses."""
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise Invalid("an IPv4 network is wanted, its address the first one in it") from None
    if not network.is_private or not 24 <= network.prefixlen <= 28:  # noqa: PLR2004 - room for gateway and replicas
        raise Invalid("a private network of size /24 to /28 is wanted")
    return str(network)


def networks(words: tuple[str, ...]) -> tuple[str, ...]:
    """IP addresses and networks, each as a network, sorted; none that is the whole internet."""
    found = []
    for word in set(words):
        try:
            network = ipaddress.ip_network(word)
        except ValueError:
            network = None
        if network is None or not network.prefixlen:
            raise Invalid(
                f"{word!r} is no IP address or network of proxies: such as 192.0.2.7 or 10.1.0.0/24 is wanted"
            )
        found.append(network.with_prefixlen)
    return tuple(sorted(found))


HOST_NAME: Final = "host.docker.internal"
"""What this host is called inside containers, by custom."""
HOST_GATEWAY: Final = "host-gateway"
"""Docker's word for its host: https://docs.docker.com/reference/cli/docker/container/run/#add-host"""

_HOST_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)


def extra_hosts(words: Any) -> Any:
    """Addresses of hosts by their names, from words as for ``docker run --add-host``; what is no words stays.

    No IPv6: what Docker's plugin for Pulumi reads back of such an address is another one, a change at each update.
    """
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        return words
    found: dict[str, str] = {}
    for word in sorted(set(words)):
        name, _, address = word.lower().partition(":")
        if not (_HOST_NAME.fullmatch(name) and (address == HOST_GATEWAY or _is_ipv4(address))):
            raise Invalid(f"{word!r} is not NAME:ADDRESS, with an IPv4 address or {HOST_GATEWAY}, which is this host")
        if address != HOST_GATEWAY and ipaddress.IPv4Address(address).is_loopback:
            rule = f"{word!r} leads from a container to itself; this host is {HOST_GATEWAY}"
            raise Invalid(rule, [f"{name}:{HOST_GATEWAY}"])
        if found.setdefault(name, address) != address:
            raise Invalid(f"{name} has two addresses", [f"{name}:{address}"])
    return found


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def origin(value: str) -> str:
    """A web origin as a browser writes it: ``scheme://host[:port]`` in lower case, without the scheme's own port.

    Source: https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
    """
    parts, number = _split(value)
    if parts.scheme not in DEFAULT_PORTS:
        raise Invalid("it begins with http:// or https://")
    if parts.username is not None or parts.query or parts.fragment or parts.path.strip("/"):
        raise Invalid("scheme, host and port are all there may be, no user, path or query")
    host = parts.hostname or ""
    if ":" in host and is_ip_address(host):
        host = f"[{ipaddress.ip_address(host)}]"
    elif not _HOST.fullmatch(host) or (re.fullmatch(r"[0-9.]+", host) and not is_ip_address(host)):
        raise Invalid("its host is a name in ASCII (xn--... for others) or an IP address")
    return f"{parts.scheme}://{host}" + ("" if number in {None, DEFAULT_PORTS[parts.scheme]} else f":{number}")


def origins(value: str) -> str:
    """Web origins with ``;`` between them, ``*`` for any.

    Source: https://docs.openwebui.com/getting-started/env-configuration#cors_allow_origin
    """
    return ";".join(one if one == "*" else origin(one) for one in value.split(";"))


def https_url(value: str) -> str:
    """A URL that begins with https://.

    Source: https://www.rfc-editor.org/rfc/rfc3986#appendix-A for the characters
    """
    parts, _ = _split(value)
    if parts.scheme != "https" or not parts.hostname:
        raise Invalid("it begins with https://")
    if not re.fullmatch(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]*", value, re.ASCII):
        raise Invalid("other characters than those of a URL are written with %")
    return value


OLLAMA_HERE: Final = "host"
OLLAMA_OFF: Final = "off"


def ollama(value: str) -> str:
    """Where Ollama is: ``host``, ``off``, or a URL, given back without a slash at its end."""
    if value in {OLLAMA_HERE, OLLAMA_OFF}:
        return value
    parts, _ = _split(value)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise Invalid(f"it is {OLLAMA_HERE} (this host), {OLLAMA_OFF}, or a URL", "http://gpu.lan:11434")
    if parts.username is not None or parts.query or parts.fragment or ";" in value:
        raise Invalid("scheme, host, port and path are all there may be", "http://gpu.lan:11434")
    return value.rstrip("/")


DISCOVERY: Final = "/.well-known/openid-configuration"
"""End of a discovery document's URL: https://openid.net/specs/openid-connect-discovery-1_0.html, section 4."""


def discovery_url(value: str) -> str:
    """The URL of an OpenID Connect provider's discovery document."""
    try:
        parts, _ = _split(value)
        is_web_url = parts.scheme in DEFAULT_PORTS and bool(parts.hostname)
    except Invalid:
        is_web_url = False
    if not (is_web_url and value.endswith(DISCOVERY)):
        better = value.rstrip("/") + DISCOVERY if is_web_url else None
        raise Invalid(f"the URL of the discovery document is wanted, it ends with {DISCOVERY}", better)
    return value


def scopes(value: str) -> str:
    """Scopes of OpenID Connect with spaces between them, ``openid`` among them."""
    if "openid" not in value.split():
        raise Invalid("OpenID Connect needs the scope openid", f"openid {value}")
    return value


def redis_url(value: str) -> str:
    """Address of a Valkey or Redis, given back without the database's number."""
    parts, _ = _split(value)
    if parts.scheme not in {"redis", "rediss"}:
        raise Invalid("Open WebUI takes redis:// and rediss:// (with TLS) only, for Valkey too")
    if not parts.hostname:
        raise Invalid("it names no host")
    if parts.path not in {"", "/", "/0"} or parts.query or parts.fragment:
        raise Invalid("it ends with host and port or with /0: databases 0 and 1 are used, and nothing else")
    return value.removesuffix("/0").removesuffix("/")


def _split(value: str) -> tuple[SplitResult, int | None]:
    """A URL's parts and its port; no text of the value is in the message, it may hold a password."""
    try:
        parts = urlsplit(value)
        number = parts.port
    except ValueError:
        raise Invalid("this is not a URL") from None
    if re.search(r"[\s\x00-\x1f\\]", value) or number == 0 or parts.netloc.endswith(":"):
        raise Invalid("this is not a URL")
    return parts, number


def authorities(value: str) -> str:
    """Certificates of certification authorities, PEM; blank text gives none."""
    if not value.strip():
        return ""
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        trusted.load_verify_locations(cadata=value)
    except (ssl.SSLError, TypeError) as error:
        raise Invalid(
            "the text of a PEM file is wanted, with all its lines, from -----BEGIN CERTIFICATE----- on"
        ) from error
    if not trusted.get_ca_certs():
        raise Invalid("the certificate of the CA's root is wanted, not one of a server")
    return f"{value.strip()}\n"


CHECKOUT: Final = Path(__file__).parent.parent
"""The project's directory, where a path in a stack file begins that is not absolute."""


def authorities_in_file(value: str) -> str:
    """The certificates in a PEM file of certification authorities."""
    path = CHECKOUT / value
    try:
        if not path.is_file():
            raise Invalid(f"there is no file {path}; a path is absolute, or begins in the project's directory")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        rule = f"{path} is no text; a PEM file is wanted (openssl x509 -inform der -in FILE -out FILE.pem makes one)"
        raise Invalid(rule) from None
    if "PRIVATE KEY-----" in text:
        raise Invalid(f"{path} holds a private key, which no container needs; name a file of certificates alone")
    if not text.strip():
        raise Invalid(f"{path} is empty")
    return authorities(text)


def password(value: str) -> str:
    """A password; Open WebUI refuses more than 72 bytes."""
    # What cannot be printed may be no character at all, and has no bytes then.
    if not (value.isprintable() and 8 <= len(value.encode()) <= 72):  # noqa: PLR2004 - bytes
        raise Invalid("8 to 72 bytes that can be printed are wanted")
    return value


def line(value: str) -> str:
    """Text of one line that is not empty."""
    if not value.strip() or not value.isprintable():
        raise Invalid("text of one line is wanted")
    return value


def save_policy(value: Any) -> Any:
    """Pairs of seconds and changes, from text as Valkey's ``save`` takes it; what is no text stays.

    Source: https://valkey.io/topics/persistence/
    """
    if not isinstance(value, str):
        return value
    words = value.split()
    if len(words) % 2 or not all(re.fullmatch(r"0*[1-9][0-9]{0,8}", word) for word in words):
        raise Invalid("pairs of SECONDS CHANGES are wanted, or nothing for no snapshots")
    numbers = [int(word) for word in words]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


_RIGHT: Final = re.compile(r"\+[a-z0-9][a-z0-9_.-]*(\|[a-z0-9][a-z0-9_.-]*)?|[~&][!-~]+")


def valkey_rights(value: Any) -> Any:
    """Commands, keys and channels, from text as Valkey's ``ACL SETUSER`` takes it; what is no text stays.

    No category, and nothing that takes a right.

    Source: https://valkey.io/topics/acl/
    """
    if not isinstance(value, str):
        return value
    words = tuple(value.split())
    if not all(_RIGHT.fullmatch(word) for word in words):
        raise Invalid(
            "commands (+lpop, +config|get), keys (~other:*) and channels (&other) are wanted, with spaces between"
        )
    return words


def rotation_word(value: Any) -> str:
    """A word without spaces, such as a date."""
    written = scalar_text(value) or ""
    # A date without quotes reaches the program so from the Pulumi CLI, and as it is written from the other engine.
    written = re.sub(r" 00:00:00 \+0000 UTC$", "", written)
    if not re.fullmatch(r"[\w.-]+", written, re.ASCII):
        raise Invalid("a word without spaces, such as a date, is wanted")
    return written


def variable_name(value: str) -> str:
    """The name of an environment variable."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        better = re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"^[^A-Za-z_]+", "", value)) or "NAME"
        raise Invalid(f"the name of a variable has letters, digits and _ only: {better}")
    return value


def variable_text(value: Any) -> str:
    """The text of an environment variable."""
    written = scalar_text(value)
    if written is None or "\0" in written:
        raise Invalid("text, a number, true or false is wanted")
    return written


def scalar_text(value: Any) -> str | None:
    """A scalar as the text that was meant (YAML reads ``1`` as a number), None for what is no scalar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None
