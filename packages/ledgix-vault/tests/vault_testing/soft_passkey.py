"""A passkey in software: what a browser and its device would answer (WebAuthn level 3, ES256, no attestation)."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, USER_VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class SoftPasskey:
    """One credential. Its fields may be changed to misbehave."""

    origin: str
    host: str
    sign_count: int = 0
    flags: int = USER_PRESENT | USER_VERIFIED
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    user_handle: bytes = b""

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: Any) -> str:
        """What `navigator.credentials.create` gives for these options."""
        self.user_handle = base64.urlsafe_b64decode(options["user"]["id"] + "==")
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cose
        told = {"fmt": "none", "attStmt": {}, "authData": self._told(self.flags | HAS_CREDENTIAL) + attested}
        return self._answer(
            clientDataJSON=self._client_data("webauthn.create", options), attestationObject=cbor2.dumps(told)
        )

    def get(self, options: Any) -> str:
        """What `navigator.credentials.get` gives for these options; the counter grows."""
        self.sign_count += 1
        told, client_data = self._told(self.flags), self._client_data("webauthn.get", options)
        signature = self.key.sign(told + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=client_data, authenticatorData=told, signature=signature, userHandle=self.user_handle
        )

    def _told(self, flags: int) -> bytes:
        return sha256(self.host.encode()).digest() + bytes([flags]) + self.sign_count.to_bytes(4, "big")

    def _client_data(self, kind: str, options: Any) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, **response: bytes) -> str:
        shown = b64url(self.credential_id)
        written = {name: b64url(raw) for name, raw in response.items()}
        return json.dumps({"id": shown, "rawId": shown, "type": "public-key", "response": written})
