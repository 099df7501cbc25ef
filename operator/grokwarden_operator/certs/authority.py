"""The operator's own certificate authority: who sidecars believe to be the operator. Pure; the time comes in.

ECDSA P-256 throughout: RSA-3072 makes a storm of reconnecting sidecars four times slower. This module refuses to know
where keys are kept; ``certificates`` does.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from grokwarden.errors import GrokwardenError

AUTHORITY_LIFETIME: Final = timedelta(days=5 * 365)
LEAF_LIFETIME: Final = timedelta(days=30)
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a sidecar's clock may be behind."""


class AuthorityError(GrokwardenError):
    """A certificate or key that was kept can't be used. The text holds nothing of either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A server's certificate and its key.

    Attributes:
        chain_pem: What the server presents. The authority is not in it: whoever trusts it has it.
        issuer_pem: The authority's certificate.
        renew_at: From when on a third of its lifetime is left.
    """

    chain_pem: bytes
    key_pem: bytes = field(repr=False)
    issuer_pem: bytes
    expires_at: datetime
    renew_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate that signs others, and its key. Two are equal if their certificates are."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @property
    def certificate_pem(self) -> bytes:
        return certificate_pem(self.certificate)

    @property
    def key_pem(self) -> bytes:
        """The key, unencrypted: as secret as it gets."""
        return _key_pem(self.key)

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """The authority whose ``certificate_pem`` and ``key_pem`` these are.

        Raises:
            AuthorityError: One is damaged, they don't belong together, or the certificate may not sign others.
        """
        parsed = read_certificate(certificate)
        try:
            private = serialization.load_pem_private_key(key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise AuthorityError(f"the key is no unencrypted PEM private key ({type(error).__name__})") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise AuthorityError("the key is not an ECDSA key")
        if private.public_key() != parsed.public_key():
            raise AuthorityError("the key is not the certificate's")
        return cls(certificate=parsed, key=private)


def new_authority(now: datetime) -> Authority:
    """An authority that nobody trusts yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # Names differ, so that a bundle of two authorities leaves no doubt which one signed.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"grokwarden CA {serial:040x}"[:30])])
    certificate = (
        _builder(key.public_key(), subject=name, issuer=name, now=now, expires_at=now + AUTHORITY_LIFETIME)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def issue_server_certificate(authority: Authority, names: Sequence[str], *, now: datetime) -> Leaf:
    """A certificate for a server that is reached by these names.

    Args:
        authority: Who signs; the certificate never outlives it.
        names: DNS names and IP addresses; at least one.
        now: With a time zone.

    Raises:
        AuthorityError: The authority has expired.
    """
    expires_at = min(now + LEAF_LIFETIME, authority.certificate.not_valid_after_utc)
    if expires_at <= now:
        raise AuthorityError(f"the authority has expired on {expires_at:%Y-%m-%d %H:%M} UTC and can sign nothing more")
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "grokwarden-operator")])
    certificate = (
        _builder(key.public_key(), subject=subject, issuer=issuer.subject, now=now, expires_at=expires_at)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_issuer_identifier(issuer), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Leaf(
        chain_pem=certificate_pem(certificate),
        key_pem=_key_pem(key),
        issuer_pem=authority.certificate_pem,
        expires_at=certificate.not_valid_after_utc,
        renew_at=renewal_time(certificate),
    )


def renewal_time(certificate: x509.Certificate) -> datetime:
    """From when on a third of its lifetime is left."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return end - (end - start) / 3


def read_certificate(pem: bytes) -> x509.Certificate:
    """The certificate of an authority.

    Raises:
        AuthorityError: It is none, or one that may not sign others.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)  # what it signs refers to it
    except (ValueError, x509.ExtensionNotFound) as error:
        raise AuthorityError(f"the certificate can't be read ({type(error).__name__})") from None
    if not constraints.ca:
        raise AuthorityError("the certificate is not an authority's")
    return certificate


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """One PEM block."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def trust_bundle(certificates: Iterable[x509.Certificate]) -> bytes:
    """All of them, for whoever is to trust them."""
    return b"".join(certificate_pem(certificate) for certificate in certificates)


def _builder(
    key: ec.EllipticCurvePublicKey, *, subject: x509.Name, issuer: x509.Name, now: datetime, expires_at: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(expires_at)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _issuer_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
