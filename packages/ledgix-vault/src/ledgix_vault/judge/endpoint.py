"""One request to where a tenant says that its model is, so that it can't be turned against the Vault's own network.

- The host is resolved once, every address is checked, and the connection goes to the very address that was checked;
  TLS still proves the host's name.
- Only HTTPS to public addresses, but for hosts that the operator of the Vault trusts by a setting.
- No redirect is followed, no proxy of the environment is used, and no more is read than an answer may have.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Self

import httpx2

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.judge.answers import OddAnswer

LARGEST_ANSWER = 65_536
USER_AGENT = "ledgix-vault-judge"
_CARRYING_IPV4 = tuple(
    IPv6Network(network)
    for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
)
"""Compatible, mapped, NAT64 (RFC 6052 and 8215), Teredo and 6to4."""
_DEFAULT_PORTS = {"https": 443, "http": 80}


def may_be_plain(url: str, trusted_hosts: frozenset[str]) -> bool:
    """Whether the operator lets this address be private or without TLS."""
    asked = httpx2.URL(url)
    return _host_and_port(asked) in trusted_hosts


def _host_and_port(url: httpx2.URL) -> str:
    return f"{url.host}:{url.port or _DEFAULT_PORTS.get(url.scheme, 0)}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes: the URL with the checked address in place of the host's name, and that name."""

    url: httpx2.URL
    host: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Host": self.host}

    @classmethod
    async def find(cls, url: str, trusted_hosts: frozenset[str]) -> Self:
        """Resolves and checks; raises `OddAnswer` for what may not be dialled."""
        asked = httpx2.URL(url)
        port = asked.port or _DEFAULT_PORTS.get(asked.scheme, 0)
        trusted = _host_and_port(asked) in trusted_hosts
        if asked.scheme != "https" and not (trusted and asked.scheme == "http"):
            raise OddAnswer("can't be reached: its address isn't HTTPS, and the operator doesn't trust that host")
        addresses = await _resolve(asked.host, port)
        if not trusted and not all(_is_public(address) for address in addresses):
            raise OddAnswer("can't be reached: its address is not a public one")
        dialled = asked.copy_with(host=str(addresses[0]), port=port)
        return cls(dialled, asked.netloc.decode("ascii"))


async def _resolve(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)  # SOCK_STREAM
        return [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    except (OSError, UnicodeError) as error:
        raise OddAnswer("can't be reached: its host isn't known") from error


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it leads out. An IPv6 address that carries an IPv4 address may lead anywhere, so it counts as private."""
    if isinstance(address, IPv6Address) and any(address in network for network in _CARRYING_IPV4):
        return False
    return address.is_global and not address.is_multicast


async def post(url: str, headers: Mapping[str, str], body: JsonObject, trusted_hosts: frozenset[str]) -> JsonObject:
    """The JSON object that the server answers; raises `OddAnswer` for anything else. It has no deadline of its own."""
    address = await Address.find(url, trusted_hosts)
    async with httpx2.AsyncClient(
        verify=_tls(), trust_env=False, follow_redirects=False, timeout=None, http2=False
    ) as client:
        request = client.build_request(
            "POST",
            address.url,
            headers={
                **headers,
                **address.headers,
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": USER_AGENT,
            },
            content=json.dumps(body),
            extensions={"sni_hostname": httpx2.URL(url).host},
        )
        try:
            response = await client.send(request, stream=True)
            try:
                return await _read(response)
            finally:
                await response.aclose()
        except httpx2.RequestError as error:
            raise OddAnswer("can't be reached, or dropped the connection") from error


async def _read(response: httpx2.Response) -> JsonObject:
    if response.status_code != 200:
        raise OddAnswer(f"answered with HTTP status {response.status_code}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise OddAnswer("sent a compressed answer, which it wasn't asked for")
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > LARGEST_ANSWER:
            raise OddAnswer("sent more than an answer may have")
    try:
        return json.parse_object(bytes(raw))
    except JsonError:
        raise OddAnswer("sent something else than one JSON object") from None


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
