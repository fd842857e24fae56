"""The approval token (A-JWT, contract section 3): a compact JWS over one approval.

Invariants:

- The same claims and key give the same bytes, on every retry and every poll.
- A token is accepted only if: its algorithm is EdDSA (RFC 9864 calls it Ed25519), its type JWT, its key one of the
  given ones, its signature holds, every claim has its type, issuer, audience and, where given, tenant are the
  expected ones, and it has not expired.
- base64url and JSON are read strictly: no token has a second spelling.

Not checked here, because it needs memory: that a token is used once (`jti`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json import JSONEncoder
from typing import NoReturn

from ledgix.errors import FormatError, TokenError, VerificationError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PrivateKey, PublicKey, b64url, unb64url

_MAX_HEADER = 1024
_ALGORITHMS = ("EdDSA", "Ed25519")
_TEXT_CLAIMS = (
    "iss",
    "aud",
    "jti",
    "request_id",
    "tool",
    "agent_id",
    "session_id",
    "policy_id",
    "tool_args_hash",
    "tenant",
    "policy_version_id",
)


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What an approval says. `iat` and `exp` are seconds since 1970; `policy_version_id` is `""` without a policy."""

    iss: str
    aud: str
    iat: int
    exp: int
    jti: str
    request_id: str
    tool: str
    agent_id: str
    session_id: str
    policy_id: str
    tool_args_hash: str
    tenant: str
    policy_version_id: str
    human_principal: str | None = None
    parent_jti: str | None = None

    def to_json(self) -> JsonObject:
        """The claims in the order in which a token carries them."""
        members: JsonObject = {
            "iss": self.iss,
            "aud": self.aud,
            "sub": "clearance",
            "iat": self.iat,
            "exp": self.exp,
            "jti": self.jti,
            "request_id": self.request_id,
            "tool": self.tool,
            "agent_id": self.agent_id,
            "session_id": self.session_id,
            "policy_id": self.policy_id,
            "decision": "approved",
            "tool_args_hash": self.tool_args_hash,
            "tenant": self.tenant,
            "policy_version_id": self.policy_version_id,
        }
        if self.human_principal is not None:
            members["human_principal"] = self.human_principal
        if self.parent_jti is not None:
            members["parent_jti"] = self.parent_jti
        return members


def issue(claims: TokenClaims, key: PrivateKey) -> str:
    """The signed token; deterministic."""
    signing_input = f"{key.jose_header}.{b64url(_ENCODER.encode(claims.to_json()).encode())}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode()))}"


def verify(
    token: str,
    keys: Mapping[str, PublicKey],
    *,
    issuer: str,
    audience: str,
    now: int,
    leeway: int = 0,
    tenant: str | None = None,
) -> TokenClaims:
    """The claims of a token that holds at `now`; raises TokenError for any other."""
    members = _verified_members(token, keys)
    claims = _claims(members)
    expected = {"sub": "clearance", "decision": "approved", "iss": issuer, "aud": audience}
    if tenant is not None:
        expected["tenant"] = tenant
    for name, value in expected.items():
        if members.get(name) != value:
            _refuse(f"its {name} is {members.get(name)!r:.80}, expected {value!r}")
    # `iat` is no "not before" (RFC 7519 section 4.1.6): a verifier whose clock is behind still accepts.
    if claims.exp <= now - leeway:
        raise TokenError("token_expired", f"the approval token expired {now - claims.exp} s ago")
    return claims


def key_id(token: str) -> str:
    """The `kid` that the token names, unverified: to fetch keys that aren't known yet. Raises TokenError."""
    return str(_header(_parts(token)[0])["kid"])


def _verified_members(token: str, keys: Mapping[str, PublicKey]) -> JsonObject:
    header_part, claims_part, signature_part = _parts(token)
    kid = _header(header_part)["kid"]
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        _refuse(f"its key {kid!r:.80} is not one of the known token keys")
    try:
        claims, signature = unb64url(claims_part), unb64url(signature_part)
        key.verify(signature, f"{header_part}.{claims_part}".encode())
        return json.parse_object(claims)
    except (FormatError, VerificationError) as error:
        _refuse(str(error))


def _parts(token: str) -> list[str]:
    parts = token.split(".")
    if len(parts) != 3:
        _refuse("it has not three parts")
    if len(parts[0]) > _MAX_HEADER:
        _refuse("its header is too long")
    return parts


@lru_cache(maxsize=64)
def _header(part: str) -> JsonObject:
    try:
        header = json.parse_object(unb64url(part))
    except FormatError as error:
        _refuse(f"its header is unreadable: {error}")
    if header.get("alg") not in _ALGORITHMS:
        _refuse(f"its algorithm is {header.get('alg')!r:.80}, expected EdDSA")
    if header.get("typ") != "JWT":
        _refuse(f"its type is {header.get('typ')!r:.80}, expected JWT")
    # RFC 7515 section 4.1.11: extensions that aren't understood must be refused; we understand none.
    if "crit" in header or "b64" in header:
        _refuse("its header demands extensions")
    if not isinstance(header.get("kid"), str):
        _refuse("its header names no key")
    return header


def _claims(members: JsonObject) -> TokenClaims:
    texts = {name: members.get(name) for name in _TEXT_CLAIMS}
    for name, value in texts.items():
        if not isinstance(value, str):
            _refuse(f"its claim {name} is missing or no string")
    times = {name: members.get(name) for name in ("iat", "exp")}
    for name, value in times.items():
        if not isinstance(value, int) or isinstance(value, bool):
            _refuse(f"its claim {name} is missing or no whole number")
    optional = {name: members.get(name) for name in ("human_principal", "parent_jti")}
    for name, value in optional.items():
        if value is not None and not isinstance(value, str):
            _refuse(f"its claim {name} is no string")
    return TokenClaims(**texts, **times, **optional)  # type: ignore[arg-type]  # checked one by one above


def _refuse(why: str) -> NoReturn:
    raise TokenError("token_invalid", f"the approval token is not valid: {why}")


_ENCODER = JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
