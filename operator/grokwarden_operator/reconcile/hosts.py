"""Which host an address leads to, and whether a list of hosts allows it: the words of ``grokwarden.io/allowed-hosts``.

| entry | allows |
|---|---|
| ``api.x.ai`` | that host, any port; of a Secret, encrypted |
| ``api.x.ai:8443`` | that host, that port |
| ``*.example.com`` | hosts exactly one label below, as a certificate would; ``*.example.com:443`` likewise |
| ``[2001:db8::1]``, ``[2001:db8::1]:443`` | that address; without a port also without brackets |

An address or an entry that could be read in two ways is read in none: it leads nowhere, and allows nothing. What a name
resolves to is not known here, so a name that leads to this machine is caught only if it says so.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_.-]+)(?::([0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME: Final = 253
_OWN_NAMES: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address behind a translator


@dataclass(frozen=True, slots=True)
class Host:
    """Where an address leads: a name in lower case without a final dot, or an IP address as Python writes it."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{_shown(self.name)}:{self.port}"

    @property
    def is_own(self) -> bool:
        """It says of itself that it is this machine, or this link: loopback, link-local or unspecified."""
        address = _address(self.name)
        if address is None:
            return self.name in _OWN_NAMES or self.name.endswith(".localhost")
        return any(each.is_loopback or each.is_link_local or each.is_unspecified for each in _meant(address))


@dataclass(frozen=True, slots=True)
class HostRule:
    """An entry of a list of hosts. ``port`` is ``None`` for any; with ``is_wildcard``, ``name`` is what follows."""

    name: str
    port: int | None
    is_wildcard: bool = False

    def __str__(self) -> str:
        name = f"*.{self.name}" if self.is_wildcard else _shown(self.name)
        return name if self.port is None else f"{name}:{self.port}"

    def allows(self, host: Host) -> bool:
        """Whether this entry names that host."""
        if self.port not in {None, host.port}:
            return False
        if not self.is_wildcard:
            return host.name == self.name
        label, _, rest = host.name.partition(".")
        return bool(label) and rest == self.name and _address(host.name) is None


def host_of(url: str) -> Host | None:
    """Where an http or https address leads; ``None`` if that can't be told beyond doubt.

    That is so of a user in it, of a backslash, of white space, of a percent sign or a letter beyond ASCII in the host,
    of a number that is no dotted quad, and of a port that there isn't.
    """
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    default = _DEFAULT_PORTS.get(parts.scheme)
    read = _read_authority(parts.netloc)
    if default is None or read is None or read.is_wildcard:
        return None
    return Host(read.name, default if read.port is None else read.port)


def rule_of(entry: str) -> HostRule | None:
    """What an entry of a list of hosts allows; ``None`` if it is none."""
    text = entry.strip()
    if not text.isascii():
        return None
    bare = _address(text)  # without a port, brackets say nothing
    return HostRule(str(bare), None) if isinstance(bare, IPv6Address) and "%" not in text else _read_authority(text)


def rules_of(entries: Iterable[str]) -> tuple[HostRule, ...]:
    """The entries that say something."""
    return tuple(rule for entry in entries if (rule := rule_of(entry)) is not None)


def is_allowed(host: Host, rules: Iterable[HostRule]) -> bool:
    """Whether some entry names that host."""
    return any(rule.allows(host) for rule in rules)


def _read_authority(text: str) -> HostRule | None:
    found = _AUTHORITY.fullmatch(text.lower())
    if found is None:
        return None
    written, port = found[1], None if found[2] is None else int(found[2])
    if port is not None and not 0 < port < 65536:
        return None
    is_wildcard = written.startswith("*.")
    name = _name(written.removeprefix("*."))
    if name is None or (is_wildcard and ("." not in name or _address(name) is not None)):
        return None
    return HostRule(name, port, is_wildcard)


def _name(written: str) -> str | None:
    """The one spelling of a name or an address."""
    if written.startswith("["):
        address = _address(written[1:-1])
        return str(address) if isinstance(address, IPv6Address) else None
    name = written.removesuffix(".")
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if _NUMERIC.fullmatch(labels[-1]):  # to a resolver it is a number: 127.1 and 0x7f000001 are 127.0.0.1
        return str(address) if isinstance(address := _address(name), IPv4Address) else None
    return name


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _meant(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    """The address, and the IPv4 address inside it."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address in _TRANSLATED or int(address) >> 32 == 0:  # the latter is an old spelling of IPv4, RFC 4291
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _shown(name: str) -> str:
    return f"[{name}]" if ":" in name else name
