"""Ed25519, thumbprints, base64url and attestations, against published vectors."""

import json as stdlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import attestations
from ledgix.formats.attestations import Attestation, attest
from ledgix.formats.keys import PrivateKey, PublicKey, b64url, thumbprint, unb64url

KEY = PrivateKey.from_seed(bytes(range(32)))
LATER = PrivateKey.from_seed(bytes(range(1, 33)))
SINCE = "2026-02-01T00:00:00.000000Z"


def test_rfc_8032(vectors: Path) -> None:
    cases = stdlib.loads((vectors / "ed25519-rfc8032" / "rfc8032_7_1.json").read_text())["cases"]
    assert len(cases) == 3
    for case in cases:
        key = PrivateKey.from_seed(bytes.fromhex(case["seed"]))
        message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
        assert key.public.raw.hex() == case["pk"]
        assert key.sign(message) == signature
        assert key.seed().hex() == case["seed"]
        key.public.verify(signature, message)


def test_wycheproof(vectors: Path) -> None:
    suite = stdlib.loads((vectors / "ed25519-wycheproof" / "testvectors_v1" / "ed25519_test.json").read_text())
    seen = 0
    for group in suite["testGroups"]:
        key = PublicKey(bytes.fromhex(group["publicKey"]["pk"]))
        for case in group["tests"]:
            signature, message = bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"])
            seen += 1
            if case["result"] == "valid":
                key.verify(signature, message)
            else:
                with pytest.raises(VerificationError):
                    key.verify(signature, message)
    assert seen == suite["numberOfTests"] == 151


def test_thumbprint_of_rfc_8037(vectors: Path) -> None:
    case = stdlib.loads((vectors / "jwk-thumbprint" / "rfc7638_rfc8037.json").read_text())["okp"]
    key = PrivateKey.from_seed(unb64url(case["d"]))
    assert thumbprint(case["jwk"]) == key.kid == key.public.kid == case["thumbprint"]
    assert PublicKey.from_jwk(case["jwk"]) == key.public


def test_jwk_goes_both_ways() -> None:
    jwk = KEY.public.jwk()
    assert jwk == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
        "kid": KEY.kid,
        "use": "sig",
        "alg": "EdDSA",
    }
    assert PublicKey.from_jwk(jwk) == KEY.public
    assert PublicKey.from_jwk({**jwk, "alg": "Ed25519", "unknown": 1}) == KEY.public


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"kty": None},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"x": None},
        {"x": ""},
        {"x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="},
        {"x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbh"},
        {"x": "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"},
        {"x": b64url(bytes(31))},
        {"x": b64url(bytes(33))},
        {"kid": "another"},
        {"kid": None},
        {"use": "enc"},
        {"alg": "RS256"},
        {"alg": "none"},
        {"alg": ["EdDSA"]},
        {"d": b64url(bytes(32))},
    ],
)
def test_a_jwk_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        PublicKey.from_jwk({**KEY.public.jwk(), **change})


SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
NOT_CANONICAL = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


@pytest.mark.parametrize("raw", SMALL_ORDER + NOT_CANONICAL)
def test_points_that_let_anybody_sign_are_refused(raw: str) -> None:
    with pytest.raises(FormatError, match="small order or not canonical"):
        PublicKey(bytes.fromhex(raw))


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_the_refused_points_are_of_small_order(raw: str) -> None:
    """Eight times the point is the neutral element, by the curve's own equations (RFC 8032 section 5.1)."""
    p = 2**255 - 19
    d = -121665 * pow(121666, p - 2, p) % p
    encoded = int.from_bytes(bytes.fromhex(raw), "little")
    y, sign = encoded & ((1 << 255) - 1), encoded >> 255
    square = (y * y - 1) * pow(d * y * y + 1, p - 2, p) % p
    x = pow(square, (p + 3) // 8, p)
    if (x * x - square) % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    assert (x * x - square) % p == 0
    x = p - x if x & 1 != sign else x
    for _ in range(3):
        t = d * x * x * y * y % p
        x, y = 2 * x * y * pow(1 + t, p - 2, p) % p, (y * y + x * x) * pow(1 - t, p - 2, p) % p
    assert (x % p, y) == (0, 1)


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33), "x" * 32, None])
def test_a_key_has_32_bytes(raw: Any) -> None:
    with pytest.raises(FormatError):
        PublicKey(raw)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_a_seed_has_32_bytes(seed: bytes) -> None:
    with pytest.raises(FormatError):
        PrivateKey.from_seed(seed)


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    signature = KEY.sign(b"message")
    KEY.public.verify(signature, b"message")
    for key, bad, message in [
        (KEY.public, signature, b"massage"),
        (LATER.public, signature, b"message"),
        (KEY.public, signature[:63], b"message"),
        (KEY.public, signature + b"\0", b"message"),
        (KEY.public, b"", b"message"),
        (KEY.public, bytes([signature[0] ^ 1]) + signature[1:], b"message"),
    ]:
        with pytest.raises(VerificationError):
            key.verify(bad, message)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_no_32_bytes_make_a_random_signature_hold(raw: bytes, signature: bytes) -> None:
    """Points off the curve included: every refusal is one of ours."""
    try:
        key = PublicKey(raw)
    except FormatError:
        return
    with pytest.raises(VerificationError):
        key.verify(signature, b"message")


def test_keys_are_values_and_secrets_stay_out_of_texts() -> None:
    key = PrivateKey.generate()
    assert PublicKey(key.public.raw) == key.public
    assert hash(PublicKey(key.public.raw)) == hash(key.public)
    assert key.public != KEY.public
    assert key.seed().hex() not in repr(key)
    assert b64url(key.seed()) not in repr(key)
    assert key.kid in repr(key)


@given(st.binary(max_size=70))
def test_base64url_round_trip(raw: bytes) -> None:
    text = b64url(raw)
    assert "=" not in text
    assert unb64url(text) == raw


@pytest.mark.parametrize("text", ["A", "AA==", "AB", "AA\n", " AA", "A+==", "+A", "/w", "A.A", "ÄÄ", "AAA!", "\ud800"])
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(FormatError):
        unb64url(text)


def test_an_attestation_binds_the_key_and_its_start() -> None:
    found = attest(LATER.public, SINCE, KEY)
    attestations.verify(found, LATER.public, SINCE, KEY.public)
    tampered = bytes([found.signature[0] ^ 1]) + found.signature[1:]
    for attestation, key, since, by in [
        (found, LATER.public, SINCE, LATER.public),
        (found, KEY.public, SINCE, KEY.public),
        (found, LATER.public, "2026-02-01T00:00:00.000001Z", KEY.public),
        (Attestation(found.payload, tampered, KEY.kid), LATER.public, SINCE, KEY.public),
        (Attestation(found.payload + b"\0", found.signature, KEY.kid), LATER.public, SINCE, KEY.public),
        (Attestation(found.payload, found.signature, LATER.kid), LATER.public, SINCE, KEY.public),
        (attest(LATER.public, SINCE, LATER), LATER.public, SINCE, LATER.public),
    ]:
        with pytest.raises(VerificationError):
            attestations.verify(attestation, key, since, by)


def test_a_public_jwk_text_has_one_spelling() -> None:
    text = attestations.encode_public_jwk(KEY.public)
    assert attestations.decode_public_jwk(text) == KEY.public
    spaced = b64url(stdlib.dumps(KEY.public.jwk()).encode())
    with pytest.raises(FormatError, match="spelling"):
        attestations.decode_public_jwk(spaced)
