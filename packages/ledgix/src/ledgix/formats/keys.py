"""Ed25519 keys, their identifiers, and base64url.

Invariants:

- A key's `kid` is its RFC 7638 thumbprint; nothing else can name it.
- A public key is 32 bytes, canonically encoded and not of small order: a point for which anybody could forge
  signatures, or on which two honest verifiers may differ, is refused when it is read.
- A signature is 64 bytes and holds over exactly the bytes that were given.
- base64url has no padding and one spelling for each value.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledgix.errors import FormatError, VerificationError

_FIELD_PRIME = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    (
        0,
        1,
        _FIELD_PRIME - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    )
)
"""The y coordinates of the eight points whose order divides 8; the last two belong to order 8."""


def b64url(raw: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """The bytes of unpadded base64url; raises FormatError for padding, other alphabets and second spellings."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raise FormatError("not base64url") from None
    if b64url(raw) != text:
        raise FormatError("not base64url in its one spelling (no padding, no stray bits)")
    return raw


def thumbprint(jwk: Mapping[str, object]) -> str:
    """RFC 7638 (with RFC 8037 for Ed25519): base64url of the SHA-256 of the required members in order."""
    crv, kty, x = jwk.get("crv"), jwk.get("kty"), jwk.get("x")
    if crv != "Ed25519" or kty != "OKP" or not isinstance(x, str) or len(unb64url(x)) != 32:
        raise FormatError("not the JWK of an Ed25519 key")
    return b64url(hashlib.sha256(f'{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}'.encode()).digest())


@dataclass(frozen=True)
class PublicKey:
    """A verification key; `raw` are its 32 bytes, `kid` follows from them."""

    raw: bytes
    kid: str = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.raw, bytes) or len(self.raw) != 32:
            raise FormatError("an Ed25519 public key has 32 bytes")
        y = int.from_bytes(self.raw, "little") & ((1 << 255) - 1)
        if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:
            raise FormatError("this Ed25519 public key is of small order or not canonical")
        object.__setattr__(self, "kid", thumbprint({"crv": "Ed25519", "kty": "OKP", "x": b64url(self.raw)}))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> Self:
        """The key of a JWK; raises FormatError if any member contradicts Ed25519, signing, or the thumbprint."""
        if "d" in jwk:
            raise FormatError("this JWK holds a private key")
        kid = thumbprint(jwk)
        allowed: dict[str, tuple[object, ...]] = {"kid": (kid,), "use": ("sig",), "alg": ("EdDSA", "Ed25519")}
        for member, values in allowed.items():
            if member in jwk and jwk[member] not in values:
                raise FormatError(f"the JWK's {member} is {jwk[member]!r}, expected {values[0]!r}")
        return cls(unb64url(str(jwk["x"])))

    def jwk(self) -> dict[str, str]:
        """The JWK as the Vault publishes it (contract section 3)."""
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(self.raw), "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def verify(self, signature: bytes, message: bytes) -> None:
        """Returns if `signature` is this key's over `message`; raises VerificationError otherwise."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise VerificationError(f"the signature is not of key {self.kid}") from None

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)


class PrivateKey:
    """A signing key. Its text form shows the public part only."""

    __slots__ = ("_key", "jose_header", "kid", "public", "sign")

    def __init__(self, key: Ed25519PrivateKey, sign: Callable[[bytes], bytes] | None = None) -> None:
        """`sign` may be another implementation for the same key: Ed25519 is deterministic, the bytes are the same."""
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())
        self.kid = self.public.kid
        self.sign = sign or key.sign
        # The first part of every token that this key signs.
        self.jose_header = b64url(f'{{"alg":"EdDSA","kid":"{self.kid}","typ":"JWT"}}'.encode())

    @classmethod
    def generate(cls) -> Self:
        """A new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """The key of a 32-byte RFC 8032 seed."""
        if len(seed) != 32:
            raise FormatError("an Ed25519 seed has 32 bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def seed(self) -> bytes:
        """The 32 secret bytes, for whoever stores them encrypted."""
        return self._key.private_bytes_raw()

    def __repr__(self) -> str:
        return f"PrivateKey(kid={self.kid!r})"
