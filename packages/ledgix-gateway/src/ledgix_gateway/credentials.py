"""Which header carries the approval token, and what becomes of headers before a call is forwarded.

Invariants:

- A call has one token at most, in one place.
- Headers that carry tokens are never forwarded, and neither is anything that tells the tool what only we may tell it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ledgix.errors import FormatError
from ledgix.formats import json
from ledgix.formats.keys import unb64url
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.inbound import HOP_BY_HOP, Headers, Inbound, end_to_end

AUTHORIZATION: Final = "authorization"
REQUEST_ID: Final = "x-ledgix-request-id"
OWN_HEADER: Final = "x-ledgix-token"
_BEARER: Final = re.compile(r"bearer ([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)  # RFC 6750 section 2.1
_ALMOST_BEARER: Final = re.compile(r"\s*bearer\b\s*(.*?)\s*", re.IGNORECASE)
OVERRIDES: Final = frozenset(
    (
        b"x-forwarded-prefix",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-http-method-override",
        b"x-http-method",
        b"x-method-override",
    )
)
"""By these a caller replaces method or path in some frameworks, after they were checked."""

_OURS: Final = OVERRIDES | frozenset(
    (
        b"content-length",
        b"expect",
        b"forwarded",
        b"host",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-key",
        b"sec-websocket-protocol",
        b"sec-websocket-version",
    )
)
"""Set by us, or never forwarded."""
UNFORWARDED: Final = _OURS | HOP_BY_HOP | {REQUEST_ID.encode(), OWN_HEADER.encode(), b"traceparent", b"tracestate"}
"""What a tool may not see as the caller wrote it: no argument can stand there."""


@dataclass(frozen=True, slots=True)
class TokenPlaces:
    """The headers in which a token may stand, in lower case."""

    headers: tuple[str, ...] = (AUTHORIZATION, OWN_HEADER)

    def token_of(self, inbound: Inbound) -> str | None:
        """The one token of the call, or None; refuses two, even equal ones. Unverified."""
        found = [text for name in self.headers if (text := _token_in(inbound, name)) is not None]
        if len(found) > 1:
            raise refusal(Code.TOKEN_AMBIGUOUS, f"Send one token, in one of {', '.join(self.headers)}.")
        return found[0] if found else None

    def forwarded(self, inbound: Inbound) -> Headers:
        """The headers that may reach the tool: none that carried a token, none about this connection, none of ours."""
        return self._without(inbound, self.carriers(inbound))

    def forwarded_unchecked(self, inbound: Inbound, issuer: str) -> Headers:
        """Like `forwarded`, for a call that nobody checked: an `Authorization` that isn't ours belongs to the tool."""
        token = _bearer_in(inbound)
        theirs = token is not None and not is_issued_by(token, issuer)
        return self._without(inbound, self.carriers(inbound) - ({AUTHORIZATION.encode()} if theirs else set()))

    def carriers(self, inbound: Inbound) -> set[bytes]:
        """The headers that carry a token, or may, in this request: whoever forwards it removes them."""
        carriers = {name.encode() for name in self.headers if name != AUTHORIZATION} | {OWN_HEADER.encode()}
        if AUTHORIZATION in self.headers and _bearer_in(inbound) is not None:
            carriers.add(AUTHORIZATION.encode())
        return carriers

    def _without(self, inbound: Inbound, carriers: set[bytes]) -> Headers:
        dropped = carriers | _OURS | {REQUEST_ID.encode()}
        return tuple((name, value) for name, value in end_to_end(inbound.headers) if name not in dropped)


def _token_in(inbound: Inbound, name: str) -> str | None:
    text = inbound.text(name)
    if name != AUTHORIZATION or text is None:
        return text
    if not _ALMOST_BEARER.fullmatch(text):
        return None  # another scheme is the tool's own affair
    bearer = _BEARER.fullmatch(text)
    if bearer is None:
        raise refusal(Code.TOKEN_INVALID, "Write the token as Bearer, one space, and the token.")
    return bearer[1]


def _bearer_in(inbound: Inbound) -> str | None:
    """What `Authorization` holds behind the word Bearer, well written or not: it must not slip through to the tool."""
    almost = _ALMOST_BEARER.fullmatch(inbound.text(AUTHORIZATION) or "")
    return almost[1] if almost else None


def is_issued_by(token: str, issuer: str) -> bool:
    """Whether a bearer token says, unverified, that this Vault issued it."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        return json.parse_object(unb64url(parts[1])).get("iss") == issuer
    except FormatError:
        return False
