"""ID tokens: each way in which one may be wrong is refused, and nothing of a refused one is believed."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from ledgix_vault.tenancy.id_tokens import LEEWAY_SECONDS, Expected, Identity, IdTokenRefused, read_id_token

NOW = 1_780_000_000
EXPECTED = Expected("https://login.example.com", "the-client", "the-nonce")
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
GOOD: dict[str, Any] = {
    "iss": EXPECTED.issuer,
    "aud": EXPECTED.client_id,
    "sub": "248289761001",
    "nonce": EXPECTED.nonce,
    "iat": NOW,
    "exp": NOW + 300,
    "email": "Ada@Example.com",
    "email_verified": True,
    "name": "Ada Lovelace",
}


def published(*keys: Any) -> Any:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(claims: dict[str, Any], key: Any = KEY, alg: str = "RS256", **header: Any) -> str:
    return jwt.encode({"alg": alg, "kid": "one", **header}, claims, key, algorithms=[alg])


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(alg: str) -> str:
    """Header and claims as they would be signed."""
    return ".".join(b64(json.dumps(part).encode()) for part in ({"alg": alg, "kid": "one"}, GOOD))


def read(token: str, keys: Any = None, expected: Expected = EXPECTED) -> Identity:
    return read_id_token(token, published(KEY) if keys is None else keys, expected, NOW * 1_000_000)


def test_a_token_that_holds_names_a_person() -> None:
    assert read(signed(GOOD)) == Identity(EXPECTED.issuer, "248289761001", "ada@example.com", "Ada Lovelace")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://login.example.com/"},
        {"iss": "https://evil.example"},
        {"iss": ["https://login.example.com", "https://evil.example"]},
        {"aud": "another-client"},
        {"aud": []},
        {"aud": ["the-client", "another-client"]},  # and no `azp` that says whose it is
        {"aud": ["the-client", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"nonce": "another-nonce"},
        {"nonce": ""},
        {"nonce": None},
        {"exp": NOW - LEEWAY_SECONDS},
        {"exp": "9999999999"},
        {"exp": None},
        {"iat": NOW + LEEWAY_SECONDS + 1},
        {"nbf": NOW + LEEWAY_SECONDS + 1},
        {"sub": ""},
        {"sub": "a\0b"},
        {"sub": 7},
        {"sub": "x" * 256},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email_verified": None},
        {"email": "nobody"},
        {"email": None},
    ],
    ids=str,
)
def test_a_wrong_claim_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(IdTokenRefused):
        read(signed(GOOD | wrong))


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "nonce", "exp", "iat", "email", "email_verified"])
def test_a_missing_claim_is_refused(missing: str) -> None:
    with pytest.raises(IdTokenRefused):
        read(signed({name: value for name, value in GOOD.items() if name != missing}))


@pytest.mark.parametrize("claims", [{"aud": ["the-client"]}, {"aud": ["the-client", "other"], "azp": "the-client"}])
def test_an_audience_may_be_a_list(claims: dict[str, Any]) -> None:
    assert read(signed(GOOD | claims)).subject == "248289761001"


@pytest.mark.parametrize("name", [None, 7, "two\nlines", "x" * 500])
def test_a_name_that_cant_be_shown_is_left_out_or_cut(name: object) -> None:
    assert len(read(signed(GOOD | {"name": name})).name) <= 120


def test_a_signature_by_another_key_is_refused() -> None:
    with pytest.raises(IdTokenRefused):
        read(signed(GOOD, OTHER))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(IdTokenRefused):
        read(signed(GOOD, kid="two"))


def test_no_algorithm_is_no_signature() -> None:
    with pytest.raises(IdTokenRefused):
        read(f"{unsigned('none')}.")


def test_the_public_key_as_a_shared_secret_signs_nothing() -> None:
    public = KEY.as_pem(private=False)
    text = unsigned("HS256")
    forged = f"{text}.{b64(hmac.digest(public, text.encode(), 'sha256'))}"
    for keys in (published(KEY), {"keys": [{"kty": "oct", "kid": "one", "k": b64(public)}]}):
        with pytest.raises(IdTokenRefused):
            read(forged, keys)


def test_keys_of_kinds_that_are_unknown_here_dont_hinder_the_others() -> None:
    strange = [{"kty": "AKP", "kid": "pq"}, {"kty": "RSA", "use": "enc", "kid": "one"}, "text", None]
    assert read(signed(GOOD), {"keys": [*strange, *published(KEY)["keys"]]}).subject == "248289761001"


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": None}, {"keys": [{}]}, {"keys": [{"kty": "RSA", "n": 1}]}])
def test_keys_that_are_none_refuse(keys: dict[str, Any]) -> None:
    with pytest.raises(IdTokenRefused):
        read(signed(GOOD), keys)


def test_elliptic_curves_sign_too() -> None:
    key = ECKey.generate_key("P-256", {"kid": "one"})
    assert read(signed(GOOD, key, "ES256"), published(key)).subject == "248289761001"


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "....", "é.é.é", "null", signed(GOOD)[:-4], signed(GOOD) + "A"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(IdTokenRefused):
        read(token)


def test_claims_that_are_no_object_are_refused() -> None:
    from joserfc import jws

    with pytest.raises(IdTokenRefused):
        read(jws.serialize_compact({"alg": "RS256", "kid": "one"}, b"[1]", KEY))
