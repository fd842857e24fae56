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
from ledgix_gateway.inbound import Headers, Inbound, end_to_end

AUTHORIZATION: Final = "authorization"
REQUEST_ID: Final = "x-ledgix-request-id"
OWN_HEADER: Final = "x-ledgix-token"
_BEARER: Final = re.compile(r"bearer ([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
_OURS: Final = frozenset(
    (
        b"content-length",
        b"expect",
        b"forwarded",
        b"host",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-http-method-override",
        b"x-http-method",
        b"x-method-override",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-key",
        b"sec-websocket-protocol",
        b"sec-websocket-version",
    )
)
"""Set by us, or never forwarded: some frameworks let some of them replace method and path after they were checked."""


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
        return self._without(inbound, self._carriers(inbound))

    def forwarded_unchecked(self, inbound: Inbound, issuer: str) -> Headers:
        """Like `forwarded`, for a call that nobody checked: an `Authorization` that isn't ours belongs to the tool."""
        token = _token_in(inbound, AUTHORIZATION)
        theirs = token is not None and not is_issued_by(token, issuer)
        return self._without(inbound, self._carriers(inbound) - ({AUTHORIZATION.encode()} if theirs else set()))

    def _carriers(self, inbound: Inbound) -> set[bytes]:
        carriers = {name.encode() for name in self.headers if name != AUTHORIZATION} | {OWN_HEADER.encode()}
        if AUTHORIZATION in self.headers and _token_in(inbound, AUTHORIZATION) is not None:
            carriers.add(AUTHORIZATION.encode())
        return carriers

    def _without(self, inbound: Inbound, carriers: set[bytes]) -> Headers:
        dropped = carriers | _OURS | {REQUEST_ID.encode()}
        return tuple((name, value) for name, value in end_to_end(inbound.headers) if name not in dropped)


def _token_in(inbound: Inbound, name: str) -> str | None:
    text = inbound.text(name)
    if text is None or name != AUTHORIZATION:
        return text
    bearer = _BEARER.fullmatch(text)
    return bearer[1] if bearer else None  # another scheme is the tool's own affair


def is_issued_by(token: str, issuer: str) -> bool:
    """Whether a bearer token says, unverified, that this Vault issued it."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        return json.parse_object(unb64url(parts[1])).get("iss") == issuer
    except FormatError:
        return False
