"""The one way out to addresses that tenants set.

- A name is looked up once, every address that it means is checked, and exactly a checked one is dialled; TLS still
  proves the name. A name that means a public address at the first look and a private one at the second gains nothing.
- Only HTTPS to public addresses, but for hosts that the operator of the Vault trusts by a setting.
- No redirect is followed and no proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM
from typing import Any

import httpx2

from ledgix_vault.errors import Invalid, Unavailable

ADDRESS_PRIVATE = "address_private"
ADDRESS_PLAIN = "address_plain"
ADDRESS_UNKNOWN = "address_unknown"
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_LEADING_ANYWHERE = tuple(IPv6Network(network) for network in ("64:ff9b:1::/48", "2001::/32"))
"""NAT64 for local use (RFC 8215) and Teredo: what they carry can't be told from outside."""
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Trust:
    """Where the operator lets requests go although it is private or without TLS: to `hosts` (`name:port`), or
    anywhere."""

    hosts: frozenset[str] = frozenset()
    anywhere: bool = False

    def covers(self, url: httpx2.URL) -> bool:
        """Whether this address may be private, and plain HTTP."""
        return self.anywhere or f"{url.host}:{url.port or _DEFAULT_PORTS.get(url.scheme, 0)}" in self.hosts


def check_url(url: httpx2.URL, trust: Trust, path: str = "$") -> None:
    """Raises `Invalid` at `path` for an address that is never asked, whatever its name means."""
    schemes = ("https", "http") if trust.covers(url) else ("https",)
    if url.scheme not in schemes or not url.host or url.userinfo:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise Invalid(f"must be {wanted}host/…", path=path, code=ADDRESS_PLAIN if url.scheme == "http" else None)


def guarded_client(trust: Trust, timeout: float | None = None, **more: Any) -> httpx2.AsyncClient:
    """A client that leaves by the guard alone. Use as `async with`."""
    return httpx2.AsyncClient(
        transport=GuardedTransport(trust), trust_env=False, follow_redirects=False, timeout=timeout, **more
    )


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Resolves, checks and dials; raises `Invalid` (`address_private`, `address_plain`) or `Unavailable`
    (`address_unknown`) for what it doesn't dial."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._inner = httpx2.AsyncHTTPTransport(verify=_tls(), trust_env=False, http2=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        check_url(url, self._trust, "$.base_url")
        addresses = await _resolve(url.host, url.port or _DEFAULT_PORTS[url.scheme])
        if not self._trust.covers(url) and not all(is_public(address) for address in addresses):
            raise Invalid(f"{url.host} isn't a public address, so the Vault doesn't ask it.", code=ADDRESS_PRIVATE)
        request.url = url.copy_with(host=addresses[0])
        # The name still decides which certificate is right; the Host header was set from it already.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"The address of {host} can't be found.", code=ADDRESS_UNKNOWN) from error
    return [str(address[0]) for *_, address in found]


def is_public(address: str) -> bool:
    """Whether an address is on the public internet; one that carries another inside counts as both."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _leads_out(parsed)
    if any(parsed in network for network in _LEADING_ANYWHERE):
        return False
    inside = _carried(parsed)
    return _leads_out(inside) if inside is not None else _leads_out(parsed)


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _leads_out(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
