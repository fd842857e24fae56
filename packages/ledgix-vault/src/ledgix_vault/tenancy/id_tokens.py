"""What a provider says of a person: an ID token, believed only after every check (OpenID Connect Core 3.1.3.7).

- Signed by a key of the provider's own list, by an asymmetric algorithm; the header alone chooses nothing else.
- Issued by the provider and for the client that the tenant named, not over, for this very sign-in (nonce).
- The address is the person's: `email_verified` is true, not merely present.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid, Unauthenticated
from ledgix_vault.tenancy.people import LONGEST_NAME, read_email
from ledgix_vault.times import MICROSECONDS

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
GOOGLE: Final = "https://accounts.google.com"
LEEWAY_SECONDS = 60
LONGEST_SUBJECT = 255
KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is to a provider. `subject` is theirs for ever, the address may change."""

    issuer: str
    subject: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must be for."""

    issuer: str
    client_id: str
    nonce: str


class IdTokenRefused(Unauthenticated):
    """An ID token that doesn't hold; the detail says which check."""

    code = "single_sign_on_refused"


def read_id_token(token: str, keys: JsonObject, expected: Expected, now: int) -> Identity:
    """The identity that a token proves at `now` (microseconds); raises `IdTokenRefused`."""
    claims = _verified(token, keys, expected, now // MICROSECONDS)
    subject = claims["sub"]
    if not isinstance(subject, str) or not (0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable()):
        raise IdTokenRefused("The provider named nobody that can be remembered.")
    # A string "true" is refused, too: the claim is a boolean (section 5.1).
    if claims.get("email_verified") is not True:
        raise IdTokenRefused("The provider hasn't verified this e-mail address.")
    try:
        email = read_email(claims.get("email"))
    except Invalid as error:
        raise IdTokenRefused("The provider named no e-mail address.") from error
    # A private account there may have any address that its owner once read mail at; `hd` says whose it is today.
    if expected.issuer == GOOGLE and claims.get("hd") != email.rpartition("@")[2]:
        raise IdTokenRefused("This account isn't one of the organisation whose address it has.")
    name = claims.get("name")
    shown = name.strip()[:LONGEST_NAME] if isinstance(name, str) and name.isprintable() else ""
    return Identity(expected.issuer, subject, email, shown)


def _verified(token: str, keys: JsonObject, expected: Expected, now: int) -> dict[str, Any]:
    try:
        decoded = jwt.decode(token, _key_set(keys), algorithms=list(ALGORITHMS))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": expected.issuer},
                "aud": {"essential": True, "value": expected.client_id},
            },
            params={"client_id": expected.client_id, "nonce": expected.nonce},
        )
        claims.validate(now=now, leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        what = getattr(error, "error", "") or type(error).__name__
        raise IdTokenRefused(f"The provider's answer doesn't hold ({what}).") from error
    return dict(claims)


def _key_set(keys: JsonObject) -> KeySet:
    """The provider's keys that can verify a signature; of a kind that isn't known here there may be others."""
    found = keys.get("keys")
    listed: list[Any] = found if isinstance(found, list) else []
    usable = [
        each
        for each in listed
        if isinstance(each, dict) and each.get("kty") in KEY_TYPES and each.get("use", "sig") == "sig"
    ]
    if not usable:
        raise ValueError("no keys")
    return KeySet.import_key_set({"keys": usable})
