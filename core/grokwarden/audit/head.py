"""The signed head: how far a log goes, said by the holder of a key after the records are on disk.

``signature`` is Ed25519 over the canonical JSON of the head without ``signature``. The key is the writer's own, made at
its first start: without a pinned public key a head proves only that the log and its head fit together.
"""

import base64
import binascii
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from grokwarden.audit.chain import canonical_json
from grokwarden.audit.errors import AuditKeyError

_KEY_BYTES: Final = 32


class Head(msgspec.Struct, kw_only=True, frozen=True):
    """Everything up to ``seq`` is on disk, and ``hash`` is that record's hash.

    Attributes:
        seq: The last record covered; 0 for a log that has none yet.
        time: When it was signed: UTC, RFC 3339.
        public_key: 32 bytes in base64.
        signature: 64 bytes in base64.
    """

    chain_id: str
    seq: int
    hash: str
    time: str
    public_key: str
    signature: str


def sign_head(key: Ed25519PrivateKey, *, chain_id: str, seq: int, last_hash: str, time: str) -> Head:
    """The head of a chain whose last record on disk is ``seq``."""
    public_key = public_key_text(key.public_key())
    unsigned = Head(chain_id=chain_id, seq=seq, hash=last_hash, time=time, public_key=public_key, signature="")
    signature = base64.b64encode(key.sign(_signed_bytes(unsigned))).decode()
    return msgspec.structs.replace(unsigned, signature=signature)


def encode_head(head: Head) -> bytes:
    """The bytes of ``head.json``."""
    return canonical_json(head) + b"\n"


def read_head(raw: bytes) -> Head | None:
    """The head in these bytes, its signature not yet checked, or ``None`` when there is none."""
    try:
        return msgspec.json.decode(raw, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_signed(head: Head) -> bool:
    """Whether the head was signed by the holder of the key that it names."""
    try:
        key = parse_public_key(head.public_key)
        key.verify(base64.b64decode(head.signature, validate=True), _signed_bytes(head))
    except (AuditKeyError, InvalidSignature, binascii.Error):
        return False
    return True


def public_key_text(key: Ed25519PublicKey) -> str:
    """The 32 bytes of the key in base64, as heads hold it."""
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def parse_public_key(text: str) -> Ed25519PublicKey:
    """The key in PEM, in 64 hexadecimal digits or in base64.

    Raises:
        AuditKeyError: It is none of these.
    """
    text = text.strip()
    if text.startswith("-----BEGIN"):
        return _parse_pem(text)
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * _KEY_BYTES else base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise AuditKeyError(
            f"{text[:80]!r} is not an Ed25519 public key: "
            "expected PEM, 64 hexadecimal digits or 44 characters of base64"
        )
    return Ed25519PublicKey.from_public_bytes(raw)


def _parse_pem(text: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(text.encode())
    except ValueError as error:
        raise AuditKeyError("the PEM text holds no public key that can be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise AuditKeyError("the PEM text holds a public key, but not an Ed25519 one")
    return key


def _signed_bytes(head: Head) -> bytes:
    fields = msgspec.to_builtins(head)
    del fields["signature"]
    return canonical_json(fields)
