"""Outgoing HTTP that can't be turned inwards: the address is looked up, checked, and exactly that one is dialled.

A name that means a public address at the first look and a private one at the second gains nothing: there is one look.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx2

from ledgix_vault.errors import Invalid, Unavailable

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends to public addresses by https only; with `allow_private` to any address, by http too."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        check_url(request.url, allow_private=self._allow_private)
        host = request.url.host
        address = await self._address(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        request.url = request.url.copy_with(host=address)
        # The name still decides which certificate is right; the Host header was set from it already.
        request.extensions = {**request.extensions, "sni_hostname": host}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _address(self, host: str, port: int) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unavailable(f"The address of {host} can't be found.", code="address_unknown") from error
        addresses = [str(where[4][0]) for where in found]
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise Invalid(
                f"{host} isn't on the public internet, so the Vault doesn't ask it.", path="$", code="address_private"
            )
        return addresses[0]


def check_url(url: httpx2.URL, *, allow_private: bool) -> None:
    """Raises `Invalid` for an address that is never asked, whatever its name means."""
    schemes = ("https", "http") if allow_private else ("https",)
    if url.scheme not in schemes or not url.host or url.userinfo:
        raise Invalid(f"must be {' or '.join(f'{scheme}://' for scheme in schemes)}host/…", path="$.base_url")


def is_public(address: str) -> bool:
    """Whether an address is on the public internet; one that carries another inside counts as both."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inside = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            inside = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inside is not None and not is_public(str(inside)):
            return False
        if parsed.ipv4_mapped is not None:
            return True
    return parsed.is_global and not parsed.is_multicast
