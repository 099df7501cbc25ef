"""A target's key: given out only if the Secret itself names the hosts that the target would send it to.

Whoever may write a target could otherwise have the operator, which reads Secrets, send somebody's key to a host of
theirs. So the owner of the Secret says where it may go, in an annotation, and the target's own words count for nothing.
A proxy counts as such a host: with certificates of the target's choice it could read the key.

What a refusal says depends on the Secret's values only once the hosts are allowed.

A key's reference names the hosts too (``bound``). Two targets may name the same entry and send it to different hosts,
and a sidecar may have a target's older version beside a newer set of keys: by a reference that says the Secret alone,
a key that is allowed for one host would be found for another.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from grokwarden.bundle import KeySource, TargetPart
from grokwarden_operator.listing import ALLOWED_HOSTS_ANNOTATION, SecretFact, SecretTrouble
from grokwarden_operator.plan import Reason, Truth
from grokwarden_operator.reconcile.hosts import Host, HostRule, host_of, is_allowed, rules_of

MAX_KEY_BYTES: Final = 16 * 1024
_HTTPS_PORT: Final = 443

Secrets = Mapping[str, SecretFact | SecretTrouble]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLookup:
    """What became of a target's key.

    Attributes:
        reference: ``namespace/secret/entry``; empty if the target needs none.
        status: Of the condition ``SecretResolved``; with ``reason`` and ``message``.
        key: The key, where ``status`` is true and one is needed. Never shown.
    """

    reference: str
    status: Truth
    reason: Reason
    message: str
    key: str | None = field(default=None, repr=False)

    @property
    def is_resolved(self) -> bool:
        return self.status is Truth.TRUE

    @property
    def is_unread(self) -> bool:
        """Nothing is known: what was known before still holds."""
        return self.reason is Reason.SECRET_UNREAD


def bound(part: TargetPart) -> TargetPart:
    """The target with a key's reference that says where the key would go: ``namespace/secret/entry@host:port``."""
    if part.key is None or part.key.secret is None:
        return part
    hosts = "@".join("?" if host is None else str(host) for host in _hosts(part).values())
    return replace(part, key=KeySource(secret=f"{part.key.secret}@{hosts}"))


def look_up_key(part: TargetPart, secrets: Secrets) -> KeyLookup:
    """The key of a target as its hosts may have it, or why not.

    Args:
        part: The target, ``bound``.
        secrets: By ``namespace/name``.
    """
    reference = part.key.secret if part.key is not None else None
    if reference is None:
        message = "the target is used without a key"
        return KeyLookup(reference="", status=Truth.TRUE, reason=Reason.NO_SECRET_NEEDED, message=message)
    namespace, name, entry = reference.partition("@")[0].split("/", 2)
    if namespace != part.name.split("/", 1)[0]:  # no document can say so; what a target may read must not hang on that
        return _refused(reference, Reason.SECRET_FORBIDDEN, f"Secret {namespace}/{name} is in another namespace")
    secret = secrets.get(f"{namespace}/{name}", SecretTrouble.UNREAD)
    if isinstance(secret, SecretTrouble):
        return _without_secret(reference, namespace, name, entry, secret)
    if denied := _denied_hosts(part, secret):
        return _refused(reference, Reason.HOST_NOT_ALLOWED, denied)
    return _entry_of(secret, entry, reference, f"it may go to {' and '.join(map(str, _hosts(part).values()))}")


def _entry_of(secret: SecretFact, entry: str, reference: str, allowance: str) -> KeyLookup:
    """The entry, if it is a key; to be asked only once the hosts are allowed."""
    name = f"{secret.namespace}/{secret.name}"
    if entry not in secret.entries:
        message = f"Secret {name} has no entry {entry}; name another one in spec.secretKeyRef.key, or add it"
        return _refused(reference, Reason.SECRET_ENTRY_NOT_FOUND, message)
    value = secret.entries[entry].strip()
    if trouble := _trouble_of(value):
        message = f"the entry {entry} of Secret {name} {trouble}; store the key alone"
        return _refused(reference, Reason.SECRET_UNUSABLE, message)
    return KeyLookup(
        reference=reference,
        status=Truth.TRUE,
        reason=Reason.SECRET_RESOLVED,
        message=f"the key is entry {entry} of Secret {name}; {allowance}",
        key=value.decode("ascii"),
    )


def _refused(reference: str, reason: Reason, message: str) -> KeyLookup:
    return KeyLookup(
        reference=reference,
        status=Truth.FALSE,
        reason=reason,
        message=f"{message}; until then no sidecar gets this key",
    )


def _without_secret(reference: str, namespace: str, name: str, entry: str, trouble: SecretTrouble) -> KeyLookup:
    match trouble:
        case SecretTrouble.NOT_FOUND:
            message = (
                f"there is no Secret {namespace}/{name}; create it with an entry {entry} and "
                f"the annotation {ALLOWED_HOSTS_ANNOTATION}"
            )
            return _refused(reference, Reason.SECRET_NOT_FOUND, message)
        case SecretTrouble.FORBIDDEN:
            message = (
                f"the operator may not read Secrets in namespace {namespace}; "
                "let it: name the namespace in its --secret-namespace, and bind grokwarden-secrets-reader there"
            )
            return _refused(reference, Reason.SECRET_FORBIDDEN, message)
        case SecretTrouble.UNREAD:
            message = f"Secret {namespace}/{name} could not be read yet; sidecars keep the key that they have"
            return KeyLookup(reference=reference, status=Truth.UNKNOWN, reason=Reason.SECRET_UNREAD, message=message)


def _denied_hosts(part: TargetPart, secret: SecretFact) -> str:
    """Why the Secret does not allow what the target would do with it; empty if it does."""
    hosts = _hosts(part)
    if None in hosts.values():
        unclear = " and ".join(member for member, host in hosts.items() if host is None)
        return f"the host in spec.{unclear} can't be told beyond doubt, so nobody can have allowed it; write it plainly"
    rules = rules_of(secret.allowed_hosts)
    denied = {
        member: host
        for member, host in hosts.items()
        if host is not None and not is_allowed(host, _rules_for(part, member, host, rules))
    }
    if not denied:
        return ""
    wanted = " and ".join(f"{host} (spec.{member})" for member, host in denied.items())
    says = f"allows {', '.join(map(str, rules))} alone" if rules else f"names no host in {ALLOWED_HOSTS_ANNOTATION}"
    entries = dict.fromkeys((*map(str, rules), *(_as_entry(host) for host in denied.values())))
    words = ("kubectl", "annotate", "--overwrite", "secret", "-n", secret.namespace, secret.name)
    command = shlex.join((*words, f"{ALLOWED_HOSTS_ANNOTATION}={','.join(entries)}"))
    return (
        f"Secret {secret.namespace}/{secret.name} {says}, and the target would send it to {wanted}; "
        f"if the Secret's owner wants that: {command}"
    )


def _rules_for(part: TargetPart, member: str, host: Host, rules: tuple[HostRule, ...]) -> tuple[HostRule, ...]:
    """In clear text only where an entry names the very port: who lists a host alone means it encrypted."""
    is_clear = member == "baseURL" and part.base_url.startswith("http://") and not host.is_own
    return tuple(rule for rule in rules if rule.port is not None) if is_clear else rules


def _hosts(part: TargetPart) -> dict[str, Host | None]:
    """Everybody who could read the key on its way, by the field that names them."""
    hosts = {"baseURL": host_of(part.base_url)}
    return hosts if part.proxy_url is None else {**hosts, "proxyURL": host_of(part.proxy_url)}


def _as_entry(host: Host) -> str:
    return str(host).removesuffix(f":{_HTTPS_PORT}")


def _trouble_of(value: bytes) -> str:
    """Why a value is no key that a header could carry; says nothing of the value but that."""
    if not value:
        return "is empty"
    if len(value) > MAX_KEY_BYTES:
        return f"is larger than {MAX_KEY_BYTES} bytes"
    if not all(0x21 <= byte <= 0x7E for byte in value):
        return "has white space, a line break or another character that no key has, inside the key"
    return ""
