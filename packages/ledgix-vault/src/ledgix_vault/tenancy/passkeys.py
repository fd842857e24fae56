"""Passkeys (WebAuthn level 3): a key pair for this site, kept by a device, used after the device knew its owner.

- A challenge is ours, fresh, for one person or for nobody known yet, and counts once.
- The relying party and the origin are those of the public address; the device must have verified its owner.
- A signature counter that doesn't grow means a copy of the key: refused (section 6.1.1).

Left out: attestation. Which make of device somebody uses is their affair.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ledgix_vault.errors import Invalid, Unauthenticated

CHALLENGE_BYTES = 32
MOST_PASSKEYS = 20
LONGEST_PASSKEY_NAME = 60
LONGEST_CREDENTIAL = 32_768
_MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class Site:
    """The address that passkeys are for: the relying party's id is its host."""

    origin: str
    host: str

    @classmethod
    def of(cls, public_url: str) -> Site:
        """The site under a public address."""
        parts = urlsplit(public_url)
        port = parts.port if parts.port != {"https": 443, "http": 80}[parts.scheme] else None
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        return cls(f"{parts.scheme}://{shown}" + (f":{port}" if port else ""), host)

    @property
    def has_passkeys(self) -> bool:
        """Whether browsers make passkeys here: by TLS or on this very machine, and never for a bare IP address."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return self.origin.startswith("https:") or self.host == "localhost"
        return False


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey of a person. `credential_id` is base64url, `public_key` a COSE key, moments microseconds."""

    credential_id: str
    person_id: str
    public_key: bytes = field(repr=False)
    sign_count: int
    name: str
    created_at: int
    last_used_at: int | None = None

    @property
    def key_hash(self) -> str:
        """SHA-256 of the public key in hex: what the ledger says of it."""
        return sha256(self.public_key).hexdigest()


def check_passkey_name(name: str) -> str:
    """A passkey's name, trimmed; raises `Invalid` unless it can be shown in one line."""
    name = name.strip() or "Passkey"
    if len(name) > LONGEST_PASSKEY_NAME or not name.isprintable():
        raise Invalid(f"must be at most {LONGEST_PASSKEY_NAME} printable characters", path="$.name")
    return name


def registration_options(
    site: Site, challenge: bytes, person_id: str, email: str, name: str, known: list[Passkey]
) -> str:
    """What the browser needs to make a passkey, as JSON (section 5.4)."""
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name="Ledgix",
        user_id=person_id.encode(),
        user_name=email,
        user_display_name=name or email,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_described(known),
    )
    return webauthn.options_to_json(options)


def authentication_options(site: Site, challenge: bytes, known: list[Passkey]) -> str:
    """What the browser needs to use a passkey, as JSON (section 5.5); with none known any of this site will do."""
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        challenge=challenge,
        allow_credentials=_described(known) or None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def read_registration(site: Site, challenge: bytes, credential: str, person_id: str, name: str, now: int) -> Passkey:
    """The passkey that a browser made for this challenge; raises `Invalid` (section 7.1)."""
    try:
        made = webauthn.verify_registration_response(
            credential=_bounded(credential),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise Invalid("This passkey could not be added. Try again.", path="$.credential") from error
    return Passkey(
        credential_id=bytes_to_base64url(made.credential_id),
        person_id=person_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=name,
        created_at=now,
    )


def credential_id_of(credential: str) -> tuple[str, str]:
    """Which passkey an answer claims to be of, and the person that the device remembers with it ("" if it doesn't)."""
    try:
        parsed = parse_authentication_credential_json(_bounded(credential))
        handle = parsed.response.user_handle
        return bytes_to_base64url(parsed.raw_id), handle.decode() if handle else ""
    except _MALFORMED as error:
        raise Unauthenticated(REFUSED) from error


REFUSED = "This passkey is not known here, or was not used as it should be."


def check_assertion(site: Site, challenge: bytes, credential: str, passkey: Passkey) -> int:
    """The new signature counter of a passkey that answered this challenge; raises `Unauthenticated` (section 7.2)."""
    try:
        shown = webauthn.verify_authentication_response(
            credential=_bounded(credential),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise Unauthenticated(REFUSED) from error
    return shown.new_sign_count


def _bounded(credential: str) -> str:
    if len(credential) > LONGEST_CREDENTIAL:
        raise ValueError("longer than any credential")
    return credential


def _described(known: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=webauthn.base64url_to_bytes(each.credential_id)) for each in known]
