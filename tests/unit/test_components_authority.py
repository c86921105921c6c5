"""The certificates that are generated, as a TLS library sees them."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from components.authority import VALID_DAYS, generate
from components.valkey.args import SERVICE_NAME


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return generate(SERVICE_NAME)


@pytest.fixture(scope="module")
def server(made: dict[str, str]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made["cert_pem"].encode())


@pytest.fixture(scope="module")
def authority(made: dict[str, str]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made["ca_pem"].encode())


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """A handshake in memory; raises what the client finds wrong."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname=host)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client_side.version() in {"TLSv1.2", "TLSv1.3"}


def contexts(folder: Path, serving: dict[str, str], trusting: dict[str, str]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    (folder / "cert.pem").write_text(serving["cert_pem"])
    (folder / "key.pem").write_text(serving["key_pem"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    client = ssl.create_default_context(cadata=trusting["ca_pem"])
    # What newer Pythons do by default: chains are held to RFC 5280 in every detail.
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    return server, client


def test_who_trusts_the_authority_connects_by_the_name(made: dict[str, str], tmp_path: Path) -> None:
    shake_hands(*contexts(tmp_path, made, made), SERVICE_NAME)


def test_another_name_is_refused(made: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(*contexts(tmp_path, made, made), "postgres")


def test_another_stacks_authority_is_not_trusted(made: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(*contexts(tmp_path, made, generate(SERVICE_NAME)), SERVICE_NAME)


def test_the_authority_signed_the_certificate(authority: x509.Certificate, server: x509.Certificate) -> None:
    server.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(authority)


def test_the_key_is_the_certificates(made: dict[str, str], server: x509.Certificate) -> None:
    key = load_pem_private_key(made["key_pem"].encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == server.public_key()


def test_the_authoritys_own_key_is_kept_nowhere(made: dict[str, str], authority: x509.Certificate) -> None:
    assert made.keys() == {"ca_pem", "cert_pem", "key_pem"}
    key = load_pem_private_key(made["key_pem"].encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() != authority.public_key()


def test_the_server_can_sign_for_nobody(server: x509.Certificate, authority: x509.Certificate) -> None:
    assert server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert server.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.value.path_length, constraints.critical) == (True, 0, True)


def test_the_certificate_is_for_the_host_alone(server: x509.Certificate) -> None:
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [SERVICE_NAME]


def test_both_are_valid_already_where_a_clock_is_late_and_long_enough(
    server: x509.Certificate, authority: x509.Certificate
) -> None:
    now = dt.datetime.now(dt.UTC)
    for certificate in (server, authority):
        assert certificate.not_valid_before_utc < now - dt.timedelta(hours=23)
        assert certificate.not_valid_after_utc > now + dt.timedelta(days=VALID_DAYS - 1)


def test_no_two_are_alike(made: dict[str, str]) -> None:
    other = generate(SERVICE_NAME)
    assert not [name for name in made if made[name] == other[name]]
