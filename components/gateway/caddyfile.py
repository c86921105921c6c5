"""The Caddyfile: text from the gateway's arguments; pure.

Source: https://caddyserver.com/docs/caddyfile/concepts
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from components.gateway.args import GatewayArgs, TlsMode

HTTP_PORT: Final = 8080
HTTPS_PORT: Final = 8443
HEALTH_PORT: Final = 2020
"""TCP port, inside the container only, on which the gateway tells its own health."""

CONFIGURATION_PATH: Final = "/etc/caddy"
ACME_ROOT_FILE: Final = f"{CONFIGURATION_PATH}/acme-root.pem"
"""Root certificate of a private ACME authority."""

ADMIN: Final = "unix//run/caddy/admin.sock"
"""Caddy's admin endpoint: no other container can reach a socket in memory."""

HSTS_SECONDS: Final = 31536000
"""A year, as https://hstspreload.org asks for."""

PROXY_HEADERS: Final = ("X-Forwarded-*", "X-Real-IP", "Forwarded")
"""Headers by which a proxy says for whom it asks."""

_WORD: Final = re.compile(r"""(?!#|<<)[^\s"`{}\\]*""")
"""Text that is one token of a Caddyfile, and means what it says."""


def caddyfile(args: GatewayArgs) -> str:
    """The gateway's configuration.

    The gateway asks a replica for ``/health`` and not ``/ready``: an outage of Valkey makes all replicas unready, and a
    gateway without a replica serves nobody. A socket outlives a change of the configuration by at most twelve hours. No
    timeout cuts a socket, because Open WebUI's ping every 25 s keeps it in use.

    The replicas are told the address and the scheme of whoever connects. Caddy believes its trusted proxies about both,
    and removes from all other requests the headers that claim an address, a scheme or a person. Where people come by
    https and Caddy is not the one that speaks TLS, the scheme is that of the public URL.

    Raises:
        ValueError: An argument has characters that mean something else in a Caddyfile, or the URL names no host.

    Source: https://caddyserver.com/docs/caddyfile/directives/reverse_proxy,
    https://caddyserver.com/docs/caddyfile/options#trusted-proxies and
    https://caddyserver.com/docs/caddyfile/concepts#tokens-and-quotes
    """
    words = [args.public_url, args.acme_email, args.acme_directory, *args.upstreams]
    words += [*args.trusted_proxies, *args.identity_headers]
    if unfit := [word for word in words if not _WORD.fullmatch(word)]:
        raise ValueError(f"{unfit[0]!r} cannot stand in a Caddyfile: leave out spaces, quotes, braces and backslashes.")
    public = urlsplit(args.public_url)
    host = public.hostname or ""
    if not host:
        raise ValueError(
            f"public_url is {args.public_url!r} and names no host: write scheme://host or scheme://host:port."
        )
    options = [
        f"admin {ADMIN}",
        "persist_config off",
        "grace_period 5s",
        f"http_port {HTTP_PORT}",
        f"https_port {HTTPS_PORT}",
        # Caddy would open further ports for https and its redirects by itself.
        "auto_https off" if args.tls == "off" else "auto_https disable_redirects",
        "skip_install_trust",
        # Caddy cleans its storage as it starts. It then takes the folder of the certificate that it is making for an
        # empty one, and the certificate comes a minute later. There is one site here, and nothing to clean.
        # https://github.com/caddyserver/certmagic/blob/v0.25.6/maintain.go#L805
        "storage_clean_interval off",
        *([f"default_sni {host}"] if args.tls == "internal" else []),
        *([f"email {args.acme_email}"] if args.tls == "acme" and args.acme_email else []),
        *([f"acme_ca {args.acme_directory}"] if args.tls == "acme" and args.acme_directory else []),
        *([f"acme_ca_root {ACME_ROOT_FILE}"] if args.tls == "acme" and args.acme_root else []),
        # HTTP/3 would need a UDP port published.
        "servers {\n        protocols h1 h2\n" + _trusted_proxies(args.trusted_proxies) + "    }",
    ]
    upstreams = " ".join(f"{name}:{args.upstream_port}" for name in args.upstreams)
    bracketed = f"[{host}]" if ":" in host else host
    site = f":{HTTP_PORT}" if args.tls == "off" else f"https://{bracketed}:{HTTPS_PORT}"
    tls = "    tls internal\n" if args.tls == "internal" else ""
    if args.tls == "acme" and args.acme_directory and not args.http_port:
        # Without an HTTP port nothing leads to where http-01 is answered. Caddy begins with any of the challenges, and
        # does not try another while the CA, such as step-ca, still waits for the first.
        tls = "    tls {\n        issuer acme {\n            disable_http_challenge\n        }\n    }\n"
    redirect = f"http://:{HTTP_PORT} {{\n    redir {args.public_url}{{uri}} permanent\n}}\n" if args.http_port else ""
    scheme = "\n        header_up X-Forwarded-Proto https" if args.tls == "off" and public.scheme == "https" else ""
    lines = "\n".join(f"    {option}" for option in options)
    return f"""{{
{lines}
}}
http://127.0.0.1:{HEALTH_PORT} {{
    bind 127.0.0.1
    respond /gateway-health 200
}}
{redirect}{site} {{
{tls}{_removed_headers(args)}{_hsts(args.tls, public)}    reverse_proxy {upstreams} {{
        header_up X-Forwarded-For {{client_ip}}{scheme}
        lb_policy round_robin
        lb_try_duration 5s
        lb_try_interval 250ms
        fail_duration 10s
        max_fails 1
        health_uri /health
        health_interval 2s
        health_timeout 3s
        flush_interval -1
        stream_close_delay 12h
        transport http {{
            dial_timeout 2s
        }}
    }}
}}
"""


def _trusted_proxies(proxies: Sequence[str]) -> str:
    """Options by which Caddy believes these proxies; empty for none."""
    if not proxies:
        return ""
    # Strict: of a list of addresses Caddy takes, from the right, the first that is not a proxy's. Anybody may have
    # written what stands left of it.
    return f"        trusted_proxies static {' '.join(proxies)}\n        trusted_proxies_strict\n"


def _removed_headers(args: GatewayArgs) -> str:
    """Remove headers that only a trusted proxy may send from all other requests. Caddy ignores the case of names."""
    from_whom = "@strangers " if args.trusted_proxies else ""
    matcher = f"    @strangers not remote_ip {' '.join(args.trusted_proxies)}\n" if args.trusted_proxies else ""
    return matcher + "".join(
        f"    request_header {from_whom}-{name}\n" for name in dict.fromkeys((*PROXY_HEADERS, *args.identity_headers))
    )


def _hsts(tls: TlsMode, public: SplitResult) -> str:
    """Tell browsers to come by https only, unless a replica sends the header itself; empty where that would do harm.

    The header counts for all ports of a host. So it is sent only where the host is this site's alone: not for
    ``localhost``, nor for a port beside others. Browsers ignore it for IP addresses.

    Source: https://www.rfc-editor.org/rfc/rfc6797
    """
    host = public.hostname or ""
    own = public.port in {None, 443} and host != "localhost" and not host.endswith(".localhost")
    if tls == "off" or not own or ":" in host or host.replace(".", "").isdecimal():
        return ""
    return f"    header ?Strict-Transport-Security max-age={HSTS_SECONDS}\n"
