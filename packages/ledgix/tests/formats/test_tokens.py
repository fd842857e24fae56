"""The approval token: deterministic, readable by PyJWT, and refused in every altered form."""

import json as stdlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import LedgixError, TokenError
from ledgix.formats import tokens
from ledgix.formats.keys import PrivateKey, b64url, unb64url
from ledgix.formats.tokens import TokenClaims

KEY = PrivateKey.from_seed(bytes(range(32)))
OTHER = PrivateKey.from_seed(bytes(range(1, 33)))
KEYS = {KEY.kid: KEY.public}
NOW = 1_800_000_100
CLAIMS = TokenClaims(
    iss="alcv-vault",
    aud="ledgix-sdk",
    iat=1_800_000_000,
    exp=1_800_000_300,
    jti="0b6f0a0e-1111-4222-8333-444455556666",
    request_id="9d3f0a0e-1111-4222-8333-444455556666",
    tool="stripe_refund",
    agent_id="refund-agent",
    session_id="",
    policy_id="refunds",
    tool_args_hash="ab" * 32,
    tenant="acme",
    policy_version_id="6f1f0a0e-1111-4222-8333-444455556666",
)


def check(token: str, **options: Any) -> TokenClaims:
    expected: dict[str, Any] = {"issuer": "alcv-vault", "audience": "ledgix-sdk", "now": NOW, "tenant": "acme"}
    return tokens.verify(token, KEYS, **(expected | options))


def signed(claims: object, key: PrivateKey = KEY, **header: object) -> str:
    """A token with any content, properly signed."""
    head = {"alg": "EdDSA", "kid": key.kid, "typ": "JWT"} | header
    body = claims if isinstance(claims, bytes) else stdlib.dumps(claims).encode()
    signing_input = f"{b64url(stdlib.dumps(head).encode())}.{b64url(body)}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode()))}"


def test_bytes_are_pinned() -> None:
    token = tokens.issue(CLAIMS, KEY)
    head, body, _ = token.split(".")
    assert unb64url(head) == f'{{"alg":"EdDSA","kid":"{KEY.kid}","typ":"JWT"}}'.encode()
    assert unb64url(body) == (
        b'{"iss":"alcv-vault","aud":"ledgix-sdk","sub":"clearance","iat":1800000000,"exp":1800000300,'
        b'"jti":"0b6f0a0e-1111-4222-8333-444455556666","request_id":"9d3f0a0e-1111-4222-8333-444455556666",'
        b'"tool":"stripe_refund","agent_id":"refund-agent","session_id":"","policy_id":"refunds",'
        b'"decision":"approved","tool_args_hash":"' + b"ab" * 32 + b'","tenant":"acme",'
        b'"policy_version_id":"6f1f0a0e-1111-4222-8333-444455556666"}'
    )
    assert tokens.issue(replace(CLAIMS), PrivateKey.from_seed(bytes(range(32)))) == token


@pytest.mark.parametrize("changes", [{}, {"human_principal": "jürgen", "parent_jti": "p"}, {"human_principal": ""}])
def test_round_trip_and_pyjwt_agrees(changes: dict[str, Any]) -> None:
    claims = replace(CLAIMS, **changes)
    token = tokens.issue(claims, KEY)
    assert check(token) == claims
    public = jwt.PyJWK(KEY.public.jwk(), algorithm="EdDSA")
    decoded = jwt.decode(
        token,
        public,
        algorithms=["EdDSA"],
        audience="ledgix-sdk",
        issuer="alcv-vault",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert decoded == claims.to_json()
    assert ("human_principal" in decoded) == (claims.human_principal is not None)


def test_the_new_name_of_the_algorithm_is_accepted() -> None:
    assert check(signed(CLAIMS.to_json(), alg="Ed25519")) == CLAIMS


def test_time() -> None:
    token = tokens.issue(CLAIMS, KEY)
    assert check(token, now=CLAIMS.exp - 1) == CLAIMS
    assert check(token, now=CLAIMS.iat - 5) == CLAIMS
    assert check(token, now=CLAIMS.exp + 9, leeway=10) == CLAIMS
    for now, leeway in [(CLAIMS.exp, 0), (CLAIMS.exp + 10, 10)]:
        with pytest.raises(TokenError) as caught:
            check(token, now=now, leeway=leeway)
        assert caught.value.code == "token_expired"


@pytest.mark.parametrize("option", [{"issuer": "x"}, {"audience": "x"}, {"tenant": "other"}, {"tenant": ""}])
def test_expectations_are_compared(option: dict[str, str]) -> None:
    with pytest.raises(TokenError) as caught:
        check(tokens.issue(CLAIMS, KEY), **option)
    assert caught.value.code == "token_invalid"


def test_tenant_is_optional() -> None:
    assert check(tokens.issue(CLAIMS, KEY), tenant=None) == CLAIMS


CHANGED_CLAIMS: list[dict[str, Any]] = [
    {"sub": "other"},
    {"sub": None},
    {"decision": "denied"},
    {"aud": ["ledgix-sdk"]},
    {"exp": "1800000300"},
    {"exp": True},
    {"exp": None},
    {"exp": 1800000300.5},
    {"exp": 1e400},
    {"iat": None},
    {"jti": None},
    {"jti": 7},
    {"tenant": None},
    {"tool": ["stripe_refund"]},
    {"human_principal": 5},
    {"parent_jti": []},
]


@pytest.mark.parametrize("change", CHANGED_CLAIMS)
def test_signed_but_wrong_claims_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(TokenError) as caught:
        check(signed(CLAIMS.to_json() | change))
    assert caught.value.code == "token_invalid"


@pytest.mark.parametrize("name", sorted(CLAIMS.to_json()))
def test_no_claim_may_be_missing(name: str) -> None:
    members = CLAIMS.to_json()
    del members[name]
    with pytest.raises(TokenError):
        check(signed(members))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "eddsa"},
        {"alg": None},
        {"alg": ["EdDSA"]},
        {"typ": "JWS"},
        {"typ": None},
        {"kid": OTHER.kid},
        {"kid": None},
        {"kid": {}},
        {"crit": ["exp"]},
        {"b64": False},
        {"x": "y" * 2000},
    ],
)
def test_headers_that_are_refused(header: dict[str, Any]) -> None:
    with pytest.raises(TokenError) as caught:
        check(signed(CLAIMS.to_json(), **header))
    assert caught.value.code == "token_invalid"


def test_a_key_in_the_header_is_not_believed() -> None:
    forged = signed(CLAIMS.to_json(), OTHER, kid=KEY.kid, jwk=OTHER.public.jwk())
    with pytest.raises(TokenError, match="the signature is not of key"):
        check(forged)


def _hs256(token: str) -> str:
    """The classic confusion: the public key used as a secret."""
    return jwt.encode(dict(CLAIMS.to_json()), KEY.public.raw, algorithm="HS256", headers={"kid": KEY.kid})


def _none(token: str) -> str:
    return jwt.encode(dict(CLAIMS.to_json()), None, algorithm="none", headers={"kid": KEY.kid})


ALTERED: list[Callable[[str], str]] = [
    _hs256,
    _none,
    lambda token: "",
    lambda token: "..",
    lambda token: token + ".",
    lambda token: token + "=",
    lambda token: token + " ",
    lambda token: "\n" + token,
    lambda token: token.rsplit(".", 1)[0],
    lambda token: token.rsplit(".", 1)[0] + ".",
    lambda token: token[:-1],
    lambda token: token.replace(".", ".\u00e9", 1),
    lambda token: token.replace(".", ".\ud800", 1),
    lambda token: token[:-1] + chr(ord(token[-1]) + 1),
    lambda token: signed(b"[]"),
    lambda token: signed(b"{}"),
    lambda token: signed(b"not json"),
    lambda token: signed(b"\xff"),
    lambda token: signed(b'{"exp":1,"exp":2}'),
    lambda token: signed(b"[" * 100_000),
    lambda token: signed(CLAIMS.to_json() | {"tool": "other"}).rsplit(".", 1)[0] + "." + token.rsplit(".", 1)[1],
]


@pytest.mark.parametrize("alter", ALTERED)
def test_altered_tokens_are_refused(alter: Callable[[str], str]) -> None:
    with pytest.raises(TokenError) as caught:
        check(alter(tokens.issue(CLAIMS, KEY)))
    assert caught.value.code == "token_invalid"
    assert isinstance(caught.value, LedgixError)


@given(st.integers(0, 2000), st.sampled_from("AaB0_-.=/+ \n\xe9"))
def test_no_second_spelling(at: int, sign: str) -> None:
    token = tokens.issue(CLAIMS, KEY)
    at %= len(token)
    altered = token[:at] + sign + token[at + 1 :]
    if altered != token:
        with pytest.raises(TokenError):
            check(altered)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: b64url(raw) + ".." + b64url(raw)))
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        check(token)


def test_the_key_can_be_asked_for_before_it_is_known() -> None:
    assert tokens.key_id(tokens.issue(CLAIMS, OTHER)) == OTHER.kid
    with pytest.raises(TokenError, match="not one of the known"):
        check(tokens.issue(CLAIMS, OTHER))
    with pytest.raises(TokenError):
        tokens.key_id("garbage")
