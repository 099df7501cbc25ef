"""Which pod this is, as the token in it says: the names for audit records.

The token is our own file, and the operator checks it; nothing here decides anything, so its signature is not looked at.
"""

import base64
import binascii

import msgspec

from grokwarden_sidecar.calls.call_log import Identity

NOBODY = Identity(namespace="", pod="", service_account="")


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Kubernetes(msgspec.Struct, frozen=True):
    namespace: str = ""
    pod: _Named = _Named()
    serviceaccount: _Named = _Named()


class _Claims(msgspec.Struct, frozen=True):
    kubernetes: _Kubernetes = msgspec.field(name="kubernetes.io", default=_Kubernetes())


def identity_in(token: str) -> Identity:
    """The pod that a service-account token is bound to; what the token doesn't say is empty."""
    _, _, rest = token.partition(".")
    payload, _, _ = rest.partition(".")
    try:
        data = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
        claims = msgspec.json.decode(data, type=_Claims).kubernetes
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return NOBODY
    return Identity(namespace=claims.namespace, pod=claims.pod.name, service_account=claims.serviceaccount.name)
