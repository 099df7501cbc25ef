"""The operator's own authority, judged by OpenSSL and by the verifier of ``cryptography``."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from grokwarden_operator.certs.authority import (
    AUTHORITY_LIFETIME,
    LEAF_LIFETIME,
    Authority,
    AuthorityError,
    Leaf,
    issue_server_certificate,
    new_authority,
    read_certificate,
    renewal_time,
    trust_bundle,
)
from grokwarden_operator.certs.tls import file_in_memory, file_in_private_directory, present, server_context
from tls_handshakes import shake_hands, trusting

NOW = datetime.now(UTC)
SERVICE = "grokwarden-operator.grokwarden-system.svc"
NAMES = (SERVICE, f"{SERVICE}.cluster.local", "127.0.0.1", "::1")


def served(leaf: Leaf) -> ssl.SSLContext:
    context = server_context()
    present(context, chain_pem=leaf.chain_pem, key_pem=leaf.key_pem)
    return context


def verify(leaf: Leaf, authority: Authority, *, name: str, at: datetime) -> None:
    """What ``cryptography`` makes of it, independently of OpenSSL."""
    is_address = name[0].isdigit() or ":" in name
    subject = x509.IPAddress(ip_address(name)) if is_address else x509.DNSName(name)
    policy = PolicyBuilder().store(Store([authority.certificate])).time(at)
    policy.build_server_verifier(subject).verify(x509.load_pem_x509_certificate(leaf.chain_pem), [])


@pytest.mark.parametrize("name", NAMES)
def test_a_sidecar_that_trusts_the_authority_accepts_each_name(name):
    """A name that is missing cuts off every sidecar that uses it."""
    authority = new_authority(NOW)
    leaf = issue_server_certificate(authority, NAMES, now=NOW)

    shake_hands(trusting(authority.certificate_pem), served(leaf), name=name)
    verify(leaf, authority, name=name, at=NOW)


def test_a_name_that_was_not_asked_for_is_not_accepted():
    """One certificate for everything would be one for any service of the cluster."""
    authority = new_authority(NOW)
    leaf = issue_server_certificate(authority, NAMES, now=NOW)

    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'api\.x\.ai'"):
        shake_hands(trusting(authority.certificate_pem), served(leaf), name="api.x.ai")


def test_another_authority_of_the_same_make_is_not_believed():
    """A Secret made anew by mistake must show at once, and not pass by its name."""
    leaf = issue_server_certificate(new_authority(NOW), NAMES, now=NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(trusting(new_authority(NOW).certificate_pem), served(leaf), name=SERVICE)


def test_of_a_bundle_of_two_each_one_is_believed():
    """During a rotation sidecars have both, and must accept whichever signed."""
    old, new = new_authority(NOW), new_authority(NOW)
    client = trusting(trust_bundle([old.certificate, new.certificate]))

    for authority in (old, new):
        shake_hands(client, served(issue_server_certificate(authority, NAMES, now=NOW)), name=SERVICE)


def test_the_authority_can_sign_servers_and_no_other_authority():
    """Whoever steals a leaf's key must not be able to sign with it, nor to make an intermediate authority."""
    authority = new_authority(NOW)
    leaf = x509.load_pem_x509_certificate(issue_server_certificate(authority, NAMES, now=NOW).chain_pem)
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = authority.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert (constraints.value.ca, constraints.value.path_length, constraints.critical) == (True, 0, True)
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert list(extended) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]


def test_keys_are_on_p256():
    """RSA-3072 makes a storm of reconnecting sidecars four times slower."""
    authority = new_authority(NOW)
    leaf = x509.load_pem_x509_certificate(issue_server_certificate(authority, NAMES, now=NOW).chain_pem)

    for key in (authority.certificate.public_key(), leaf.public_key()):
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)


def test_a_sidecar_whose_clock_is_four_minutes_behind_accepts_a_fresh_certificate():
    """Clocks differ between nodes, and a certificate made this second must not be one of the future."""
    authority = new_authority(NOW)
    leaf = issue_server_certificate(authority, NAMES, now=NOW)

    verify(leaf, authority, name=SERVICE, at=NOW - timedelta(minutes=4))
    with pytest.raises(VerificationError):
        verify(leaf, authority, name=SERVICE, at=NOW - timedelta(minutes=6))


def test_both_are_renewed_when_a_third_of_their_life_is_left():
    """Early enough that an operator which is down for a week loses nothing."""
    authority = new_authority(NOW)
    leaf = issue_server_certificate(authority, NAMES, now=NOW)

    assert leaf.expires_at == NOW.replace(microsecond=0) + LEAF_LIFETIME
    assert abs(leaf.renew_at - (NOW + LEAF_LIFETIME * 2 / 3)) < timedelta(minutes=5)
    assert abs(renewal_time(authority.certificate) - (NOW + AUTHORITY_LIFETIME * 2 / 3)) < timedelta(minutes=5)


def test_a_certificate_does_not_outlive_its_authority():
    """Else it would look good for days after every sidecar has begun to refuse it."""
    authority = new_authority(NOW)
    end = authority.certificate.not_valid_after_utc

    assert issue_server_certificate(authority, NAMES, now=end - timedelta(days=2)).expires_at == end
    with pytest.raises(AuthorityError, match="expired"):
        issue_server_certificate(authority, NAMES, now=end)


def test_an_authority_is_read_back_and_still_signs():
    """Another replica, and this one after a restart, work from the Secret's bytes alone."""
    authority = new_authority(NOW)
    again = Authority.from_pem(authority.certificate_pem, authority.key_pem)

    assert again == authority
    verify(issue_server_certificate(again, NAMES, now=NOW), authority, name=SERVICE, at=NOW)


def test_what_is_no_authority_is_refused_with_the_reason():
    """A person has to mend the Secret, and nothing of a key may be told on the way."""
    authority, other = new_authority(NOW), new_authority(NOW)
    leaf = issue_server_certificate(authority, NAMES, now=NOW)
    damaged = authority.key_pem[:60] + b"\n-----END PRIVATE KEY-----\n"

    with pytest.raises(AuthorityError, match="the key is not the certificate's"):
        Authority.from_pem(authority.certificate_pem, other.key_pem)
    with pytest.raises(AuthorityError, match="no unencrypted PEM private key"):
        Authority.from_pem(authority.certificate_pem, damaged)
    with pytest.raises(AuthorityError, match="the certificate can't be read"):
        Authority.from_pem(b"-----BEGIN CERTIFICATE-----\nnonsense", authority.key_pem)
    with pytest.raises(AuthorityError, match="not an authority's"):
        read_certificate(leaf.chain_pem)


def test_serials_are_never_used_twice():
    """A verifier may take two certificates of one serial for the same one."""
    authority = new_authority(NOW)
    leaves = [issue_server_certificate(authority, NAMES, now=NOW) for _ in range(5)]

    assert len({x509.load_pem_x509_certificate(leaf.chain_pem).serial_number for leaf in leaves}) == 5


def test_no_key_is_in_what_is_printed():
    """A log line or a traceback with one of these in it must not be the end of the secret."""
    authority = new_authority(NOW)
    leaf = issue_server_certificate(authority, NAMES, now=NOW)

    assert "PRIVATE" not in f"{authority!r} {leaf!r}"


def test_old_tls_is_refused():
    """A sidecar of ours speaks 1.3; who asks for less than 1.2 is none."""
    context = server_context()

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_key_on_its_way_to_the_library_is_this_users_alone(tmp_path):
    """The library takes it from a path; for as long as that is, nobody else may open it, and afterwards nobody can."""
    with file_in_private_directory(b"key", parent=tmp_path) as path:
        [directory] = tmp_path.iterdir()
        file = directory / "certificate.pem"
        assert (str(file), file.read_bytes()) == (path, b"key")
        assert (file.stat().st_mode & 0o777, directory.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not list(tmp_path.iterdir())

    with file_in_memory(b"key") as path:
        assert Path(path).read_bytes() == b"key"
        assert "memfd:" in str(Path(path).readlink())
