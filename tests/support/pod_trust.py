"""What stands between a pod and its operator: an authority, its certificates (good and bad), and the pod's token."""

import base64
import datetime
import ipaddress
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLAIMS: dict[str, Any] = {
    "aud": ["grokwarden"],
    "kubernetes.io": {
        "namespace": "shop",
        "pod": {"name": "bot-7f9", "uid": "pod-uid"},
        "serviceaccount": {"name": "bot", "uid": "account-uid"},
    },
}


def token_of(claims: dict[str, Any] = CLAIMS, *, signature: str = "c2lnbmF0dXJl") -> str:
    """A token in the form of the API server's."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part(claims)}.{signature}"


class Authority:
    """An ECDSA P-256 authority for one test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operator authority")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            self._builder(self._name, self._key.public_key(), until=now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server_context(self, *names: str, is_expired: bool = False) -> ssl.SSLContext:
        """With a certificate for these names; ``127.0.0.1`` if none is given."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        until = now - datetime.timedelta(hours=1) if is_expired else now + datetime.timedelta(days=1)
        certificate = (
            self._builder(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operator")]), key.public_key(), until=until
            )
            .add_extension(x509.SubjectAlternativeName(list(map(_name, names or ("127.0.0.1",)))), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with tempfile.TemporaryDirectory() as directory:
            chain = Path(directory, "chain.pem")
            chain.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(chain)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, until: datetime.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - datetime.timedelta(days=2))
            .not_valid_after(until)
        )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
