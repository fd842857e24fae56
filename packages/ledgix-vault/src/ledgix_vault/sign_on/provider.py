"""A provider of OpenID Connect, as far as the Vault asks it: what it says of itself, a code's ID token, its keys.

- Public addresses by HTTPS only, but for hosts that the operator of the Vault trusts by a setting; the address that is
  checked is the one that is dialled (`outbound.guard`).
- No redirect is followed, no proxy of the environment is used; one deadline for all, and no more is read than an answer
  may have.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid, Unavailable
from ledgix_vault.outbound.guard import Trust, guarded_client

DEADLINE_SECONDS = 10
LARGEST_ANSWER = 262_144
DISCOVERY = "/.well-known/openid-configuration"
SCOPE = "openid email profile"


class ProviderFailed(Unavailable):
    """The provider can't be asked, or answers what no provider answers."""

    code = "provider_failed"


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider says of itself (OpenID Connect Discovery 1.0 section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    by_post: bool  # takes the client's secret in the form alone
    names_itself: bool  # sends `iss` back with the code (RFC 9207)


@dataclass(frozen=True, slots=True)
class Client:
    """The Vault, as the provider knows it."""

    client_id: str
    secret: str
    redirect_uri: str


def is_trusted(url: str, trusted_hosts: frozenset[str]) -> bool:
    """Whether the operator lets this address be private or without TLS."""
    return Trust(trusted_hosts).covers(httpx2.URL(url))


async def discover(issuer: str, trusted_hosts: frozenset[str]) -> Provider:
    """Reads the provider's own description; raises `ProviderFailed` when it isn't this issuer's."""
    found = await _ask("GET", issuer.rstrip("/") + DISCOVERY, trusted_hosts)
    if found.get("issuer") != issuer:
        raise ProviderFailed("The provider says that it is another issuer.")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Provider(
        issuer=issuer,
        authorization_endpoint=_address(found, "authorization_endpoint", trusted_hosts),
        token_endpoint=_address(found, "token_endpoint", trusted_hosts),
        jwks_uri=_address(found, "jwks_uri", trusted_hosts),
        by_post=isinstance(methods, list) and "client_secret_basic" not in methods,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


def authorization_url(provider: Provider, client: Client, state: str, nonce: str, verifier: str) -> str:
    """Where the browser goes (RFC 6749 section 4.1.1, with PKCE S256: RFC 7636 section 4.3)."""
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    joined = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{joined}{urlencode(asked)}"


async def redeem(
    provider: Provider, client: Client, code: str, verifier: str, trusted_hosts: frozenset[str]
) -> tuple[str, JsonObject]:
    """(ID token, the provider's keys) for a code; the token is not checked yet."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": verifier,
    }
    headers: dict[str, str] = {}
    if not client.secret:
        form["client_id"] = client.client_id
    elif provider.by_post:
        form |= {"client_id": client.client_id, "client_secret": client.secret}
    else:  # RFC 6749 section 2.3.1: both are form-encoded before they are joined
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    answer = await _ask("POST", provider.token_endpoint, trusted_hosts, headers, form)
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise ProviderFailed("The provider sent no ID token.")
    return token, await _ask("GET", provider.jwks_uri, trusted_hosts)


async def _ask(
    method: str,
    url: str,
    trusted_hosts: frozenset[str],
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> JsonObject:
    try:
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            guarded_client(Trust(trusted_hosts), DEADLINE_SECONDS) as client,
        ):
            sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
            async with client.stream(method, url, headers=sent, data=form) as response:
                return await _read(response)
    except (httpx2.RequestError, httpx2.InvalidURL, TimeoutError) as error:
        raise ProviderFailed("The provider can't be reached.") from error
    except ProviderFailed:
        raise
    except (Invalid, Unavailable) as error:
        raise ProviderFailed(f"The provider can't be reached: {error.detail}") from error


async def _read(response: httpx2.Response) -> JsonObject:
    if response.status_code != 200:
        raise ProviderFailed(f"The provider answered with HTTP status {response.status_code}.")
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > LARGEST_ANSWER:
            raise ProviderFailed("The provider sent more than an answer may have.")
    try:
        return json.parse_object(bytes(raw))
    except JsonError as error:
        raise ProviderFailed("The provider sent something else than one JSON object.") from error


def _address(found: JsonObject, name: str, trusted_hosts: frozenset[str]) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not (url.isascii() and url.isprintable()):
        raise ProviderFailed(f"The provider says no “{name}”.")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_trusted(url, trusted_hosts)):
        raise ProviderFailed(f"The provider's “{name}” isn't HTTPS.")
    return url
