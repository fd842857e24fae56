"""Hosts out of addresses, and patterns over them.

Invariants
- A host is what a client would connect to, or it is not told at all: an address that readers read differently
  (backslashes, control characters, percent signs in the host, numbers that are an IPv4 address in disguise) has none.
- Hosts are compared label by label, in lower case, without port, user and trailing dot, names of other scripts in
  their ASCII form (xn--…). `*` never reaches over a dot, but for a first label `*`: it stands for one label or more.
  So `*.example.com` means every subdomain, and neither example.com nor evil-example.com; `*` alone means every host.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from ledgix_vault.policy.globs import matches

LONGEST_HOST: Final = 253
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_PATTERN_LABEL: Final = re.compile(r"[a-z0-9_*?-]{1,63}", re.ASCII)
_BARE: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\s/?#@:\\\[\]]+)(?::[0-9]{1,5})?(?:[/?#].*)?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_READ_DIFFERENTLY: Final = frozenset("ßςẞ\u200c\u200d")
"""Letters that the two standards for international names (IDNA 2003 and 2008) turn into different hosts."""


@lru_cache(maxsize=4096)
def host_of(address: str) -> str | None:
    """The host of a URI or of a bare `host[:port][/path]`; None where it can't be told."""
    if not address.isprintable() or " " in address or "\\" in address:
        return None
    if "://" not in address:
        if not _BARE.fullmatch(address):
            return None
        address = f"//{address}"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return normal_host(host) if host else None


def normal_host(host: str) -> str | None:
    """A host as it is compared; None for what isn't one."""
    if ":" in host:
        return _address(host)
    ascii_host = _in_ascii(host.removesuffix("."))
    if ascii_host is None or len(ascii_host) > LONGEST_HOST:
        return None
    labels = ascii_host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return _address(ascii_host) if _NUMBER.fullmatch(labels[-1]) else ascii_host


def host_matches(pattern: str, host: str) -> bool:
    """Whether a pattern means this host, which is `normal_host`'s."""
    if pattern == "*":
        return True
    if (":" in host) or pattern.startswith("["):
        return _address(pattern[1:-1]) == host
    wanted = _in_ascii(pattern.removesuffix("."))
    if wanted is None:
        return False
    patterns, labels = wanted.split("."), host.split(".")
    if patterns[0] == "*" and len(labels) > len(patterns):
        labels = labels[len(labels) - len(patterns) :]
    return len(patterns) == len(labels) and all(map(matches, patterns, labels))


def host_pattern_flaw(pattern: str) -> str | None:
    """Why a pattern could mean no host; None for one that could."""
    if pattern.startswith("["):
        closed = pattern.endswith("]")
        return None if closed and _address(pattern[1:-1]) else "is no IPv6 address"
    wanted = _in_ascii(pattern.removesuffix("."))
    if wanted is None or not all(_PATTERN_LABEL.fullmatch(label) for label in wanted.split(".")):
        return "is no pattern of a host, like api.example.com or *.example.com, without scheme, port and path"
    return None


def _address(host: str) -> str | None:
    """An IP address in its one spelling, an IPv4 address that is dressed up as IPv6 as itself."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return None
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
    return found.compressed


def _in_ascii(host: str) -> str | None:
    if host.isascii():
        return host.lower()
    if _READ_DIFFERENTLY & set(host):
        return None
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
