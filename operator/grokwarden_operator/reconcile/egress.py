"""Whether the cluster's settings let a target's calls leave at all. The settings win over every resource."""

from collections.abc import Iterable

from grokwarden.bundle import TargetPart
from grokwarden_operator.reconcile.hosts import HostRule, host_of, is_allowed


def egress_trouble(part: TargetPart, rules: Iterable[HostRule]) -> str:
    """Why a target may not be used: fields and hosts, and who can allow them; empty if it may.

    Without rules every host is fine but those that say of themselves that they are this machine or this link: through
    them a target's author could reach what the network keeps from them.

    Args:
        part: The target, compiled.
        rules: Of the cluster's settings.
    """
    rules = tuple(rules)
    urls = {"baseURL": part.base_url, "proxyURL": part.proxy_url}
    troubles = (_trouble(member, url, rules) for member, url in urls.items() if url is not None)
    return "; ".join(trouble for trouble in troubles if trouble)


def _trouble(member: str, url: str, rules: tuple[HostRule, ...]) -> str:
    host = host_of(url)
    if host is None:
        return f"spec.{member}: its host can't be told beyond doubt; write it plainly, in lower-case ASCII"
    if is_allowed(host, rules):
        return ""
    if rules:
        allowed = ", ".join(map(str, rules))
        return f"spec.{member}: {host} is none of the hosts that the operator's settings allow ({allowed})"
    if host.is_own:
        return f"spec.{member}: {host} is loopback or link-local, which only the operator's settings can allow"
    return ""
