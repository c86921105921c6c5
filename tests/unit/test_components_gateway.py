"""The gateway's configuration, line by line, and what of it is published."""

from typing import Any
from unittest.mock import Mock

import pytest

from components.building.volume import DataVolume
from components.gateway import CA_FILE, CADDYFILE, DATA_PATH, RELOAD, published_ports
from components.gateway.args import GatewayArgs
from components.gateway.caddyfile import ACME_ROOT_FILE, ADMIN, caddyfile
from components.limits import DEFAULTS


def gateway(**changes: Any) -> GatewayArgs:
    return GatewayArgs(
        **{
            "image": "docker.io/library/caddy:2.11.7-alpine",
            "container_name": "gateway",
            "files_name": "gateway-files",
            "data": DataVolume(name="gateway-data"),
            "network": Mock(),
            "address": "10.213.7.2",
            "upstreams": ["app-1", "app-2"],
            "upstream_port": 8080,
            "public_url": "http://chat.example.com",
            "limits": DEFAULTS["gateway"],
            "labels": {},
            **changes,
        }
    )


def internal(**changes: Any) -> GatewayArgs:
    return gateway(**{"tls": "internal", "public_url": "https://chat.example.com", **changes})


def acme(**changes: Any) -> GatewayArgs:
    return gateway(
        **{"tls": "acme", "acme_email": "admin@example.com", "public_url": "https://chat.example.com", **changes}
    )


def lines(args: GatewayArgs) -> list[str]:
    return [line.strip() for line in caddyfile(args).splitlines()]


WHY = {
    "admin unix//run/caddy/admin.sock": "a port would be open to every container of the edge network",
    "persist_config off": "the root cannot be written, and the file is what counts",
    "grace_period 5s": "a reload that waits for sockets without end never ends",
    "skip_install_trust": "there is no trust store it could write into",
    "storage_clean_interval off": "it would remove the folder of the certificate that is being made, for a minute",
    "protocols h1 h2": "HTTP/3 needs a UDP port that is not published",
    "respond /gateway-health 200": "its health is its own: a gateway without a replica is not to be killed",
    "reverse_proxy app-1:8080 app-2:8080 {": "everybody is spread over all replicas",
    "lb_policy round_robin": "sockets live long: what is least busy now is not in an hour",
    "lb_try_duration 5s": "a request that met a dead replica is given to another one",
    "lb_try_interval 250ms": "and soon",
    "fail_duration 10s": "a replica that refused is left alone for a while",
    "max_fails 1": "after the first time",
    "health_uri /health": "/ready is red on all of them when Valkey is down, and then nobody is served",
    "health_interval 2s": "a replica that hangs is out after that and the timeout",
    "health_timeout 3s": "a busy one answers later than at once",
    "flush_interval -1": "an answer that is streamed is shown word by word",
    "stream_close_delay 12h": "without it every reload cuts every socket",
    "header_up X-Forwarded-For {client_ip}": "one address and no list, of which a replica would take the proxy's",
    "dial_timeout 2s": "a container that is gone drops packets, it does not refuse",
}


@pytest.mark.parametrize("args", [gateway(), internal(), acme()], ids=["off", "internal", "acme"])
@pytest.mark.parametrize("line", WHY)
def test_every_gateway_has(line: str, args: GatewayArgs) -> None:
    assert lines(args).count(line) == 1, WHY[line]


@pytest.mark.parametrize(
    "args", [gateway(), internal(http_port=80), acme(acme_directory="https://ca.lan")], ids=["off", "internal", "acme"]
)
def test_the_file_has_as_many_closing_braces_as_opening_ones(args: GatewayArgs) -> None:
    text = caddyfile(args).replace("{uri}", "").replace("{client_ip}", "")
    assert text.count("{") == text.count("}")
    assert text.endswith("}\n")


@pytest.mark.parametrize("args", [gateway(), internal(), acme()], ids=["off", "internal", "acme"])
@pytest.mark.parametrize(
    "unwanted",
    [
        "/ready",  # All replicas would be taken out at once.
        "unhealthy_status",  # A restart of Postgres would take all replicas out.
        "trusted_proxies",  # Nobody in front of it is believed about addresses.
        "read_timeout",  # A model may think for long.
    ],
)
def test_no_gateway_has(unwanted: str, args: GatewayArgs) -> None:
    assert unwanted not in caddyfile(args)


CLAIMS = ("X-Forwarded-*", "X-Real-IP", "Forwarded")
PROXIES = {"trusted_proxies": ["192.0.2.7/32", "2001:db8::/64"]}


@pytest.mark.parametrize("args", [gateway(), internal(), acme()], ids=["off", "internal", "acme"])
def test_nobody_is_believed_about_an_address_a_scheme_or_a_person(args: GatewayArgs) -> None:
    assert [line for line in lines(args) if line.startswith("request_header")] == [
        f"request_header -{name}" for name in CLAIMS
    ]


def test_a_trusted_proxy_alone_is_believed() -> None:
    found = lines(gateway(**PROXIES, identity_headers=["X-Email", "X-Groups"]))
    at = found.index("@strangers not remote_ip 192.0.2.7/32 2001:db8::/64")
    assert found[at + 1 : at + 6] == [f"request_header @strangers -{name}" for name in (*CLAIMS, "X-Email", "X-Groups")]
    # Of a list of addresses the last that is no proxy's: what stands before it, whoever asks may have written.
    assert "trusted_proxies static 192.0.2.7/32 2001:db8::/64" in found
    assert "trusted_proxies_strict" in found


@pytest.mark.parametrize("proxies", [{}, PROXIES], ids=["nobody", "a proxy"])
def test_behind_a_proxy_that_speaks_https_replicas_are_told_so(proxies: dict[str, Any]) -> None:
    claimed = "header_up X-Forwarded-Proto https"
    assert lines(gateway(public_url="https://chat.example.com", **proxies)).count(claimed) == 1
    assert claimed not in lines(gateway(**proxies))
    # It knows itself.
    assert claimed not in lines(internal(**proxies))


HSTS = "header ?Strict-Transport-Security max-age=31536000"


@pytest.mark.parametrize("args", [internal(), acme(), internal(public_url="https://chat.example.com:443")])
def test_browsers_are_told_to_come_by_https_where_it_is_ours(args: GatewayArgs) -> None:
    assert lines(args).count(HSTS) == 1


@pytest.mark.parametrize(
    "args",
    [
        gateway(public_url="https://chat.example.com"),  # The proxy's to say.
        # It would count for whatever else is at that host.
        internal(public_url="https://chat.example.com:3443"),
        internal(public_url="https://localhost"),
        internal(public_url="https://chat.localhost"),
        internal(public_url="https://192.0.2.7"),
        internal(public_url="https://[2001:db8::1]"),
    ],
)
def test_browsers_are_not_told_so_for_a_host_that_is_not_this_site_s_alone(args: GatewayArgs) -> None:
    assert "Strict-Transport-Security" not in caddyfile(args)


def test_its_health_is_told_inside_its_container_only() -> None:
    text = caddyfile(gateway())
    assert "http://127.0.0.1:2020 {\n    bind 127.0.0.1\n    respond /gateway-health 200\n}" in text


def test_without_tls_it_takes_every_host_and_makes_no_certificate() -> None:
    found = lines(gateway())
    assert ":8080 {" in found
    assert "auto_https off" in found
    assert not [line for line in found if line.startswith(("tls", "email", "acme_ca", "default_sni", "https:"))]


def test_its_own_authority_signs_for_the_host_people_open_and_for_who_names_none() -> None:
    found = lines(internal(public_url="https://chat.example.com:3443"))
    assert "https://chat.example.com:8443 {" in found
    assert "tls internal" in found
    # Who connects by address sends no name, and would get no certificate.
    assert "default_sni chat.example.com" in found
    assert "auto_https disable_redirects" in found


def test_a_public_authority_is_told_an_account() -> None:
    found = lines(acme())
    assert "https://chat.example.com:8443 {" in found
    assert "email admin@example.com" in found
    assert not [line for line in found if line.startswith(("acme_ca", "tls", "default_sni"))]


def test_another_authority_is_asked_where_it_is_named() -> None:
    assert "acme_ca https://ca.example.com/directory" in lines(acme(acme_directory="https://ca.example.com/directory"))


def test_a_private_authority_is_trusted_by_its_root() -> None:
    assert f"acme_ca_root {ACME_ROOT_FILE}" in lines(acme(acme_directory="https://ca.lan/directory", acme_root="PEM"))
    assert "acme_ca_root" not in caddyfile(internal(acme_root="PEM"))


def test_a_private_authority_is_asked_for_no_challenge_at_a_port_that_is_not_published() -> None:
    named = {"acme_directory": "https://ca.lan/directory"}
    assert "tls {\n        issuer acme {\n            disable_http_challenge\n" in caddyfile(acme(**named))
    assert "disable_http_challenge" not in caddyfile(acme(**named, http_port=80))
    # An issuer that is named is the only one: Caddy has a second public one where none is.
    assert "issuer" not in caddyfile(acme())


def test_plain_http_is_redirected_to_the_public_url_with_the_path() -> None:
    text = caddyfile(internal(public_url="https://chat.example.com:3443", http_port=8000))
    assert "http://:8080 {\n    redir https://chat.example.com:3443{uri} permanent\n}" in text


def test_nothing_is_redirected_unless_asked_for() -> None:
    assert "permanent" not in caddyfile(internal())


def test_an_ipv6_host_is_bracketed_in_the_sites_address_and_nowhere_else() -> None:
    found = lines(internal(public_url="https://[2001:db8::1]:3443"))
    assert "https://[2001:db8::1]:8443 {" in found
    assert "default_sni 2001:db8::1" in found


def test_one_replica_is_enough() -> None:
    assert "reverse_proxy app-1:8080 {" in lines(gateway(upstreams=["app-1"]))


def published(args: GatewayArgs) -> list[tuple[str, int, int]]:
    return [(port.address, port.host_port, port.container_port) for port in published_ports(args)]


def test_the_port_leads_to_http_without_tls_and_to_https_with_it() -> None:
    assert published(gateway(port=3001)) == [("127.0.0.1", 3001, 8080)]
    assert published(internal(port=3443)) == [("127.0.0.1", 3443, 8443)]


def test_the_port_for_plain_http_is_published_at_the_same_address() -> None:
    found = published(acme(bind_address="0.0.0.0", port=443, http_port=80))  # noqa: S104 - a setting
    assert found == [("0.0.0.0", 443, 8443), ("0.0.0.0", 80, 8080)]  # noqa: S104 - the same


def test_the_reload_reads_the_file_that_is_uploaded_over_the_socket_that_is_served() -> None:
    assert RELOAD[RELOAD.index("--config") + 1] == CADDYFILE
    assert RELOAD[RELOAD.index("--address") + 1] == ADMIN
    assert f"admin {ADMIN}" in lines(gateway())


def test_the_authoritys_certificate_lies_in_the_volume() -> None:
    assert CA_FILE.startswith(f"{DATA_PATH}/caddy/")
