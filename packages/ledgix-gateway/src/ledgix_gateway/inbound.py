"""One request as it arrived, nothing decoded, and the refusal of heads that two readers could understand differently.

Invariants:

- Header names are lower case and in the order of arrival; values are the bytes that came.
- A header stands once, except those that RFC 9110 defines as lists and that nothing is decided by (`_LISTS`).
- No header is spelt with `_`: CGI and WSGI make `X_Name` and `X-Name` the same.
- `Connection` takes no header of the message away: what was checked, or hashed, is what the tool sees.
- A body is framed in one way: by one decimal Content-Length, or by `chunked` alone (RFC 9112 section 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Self

from ledgix_gateway.codes import Code, refusal

Headers = tuple[tuple[bytes, bytes], ...]

_LISTS: Final = frozenset(
    (
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"cookie",
        b"forwarded",
        b"if-match",
        b"if-none-match",
        b"pragma",
        b"prefer",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"te",
        b"tracestate",
        b"trailer",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    )
)
_NAME: Final = re.compile(rb"[!#$%&'*+.^`|~0-9a-z-]+")  # RFC 9110 section 5.6.2, lower case, without "_"
_VALUE: Final = re.compile(rb"[\t\x20-\x7e]*")
_METHOD: Final = re.compile(r"[A-Z]+(?:-[A-Z]+)*")
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,18}")
HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9110 section 7.6.1, and its predecessors' lists. They speak about one connection and are never passed on."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """`target` is the raw path without its query, `query` what stood behind the `?`."""

    method: str
    target: bytes
    query: bytes
    headers: Headers = field(repr=False)  # they may carry a token
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, method: str, target: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Self:
        """The request without its body. Refuses a head that is ambiguous."""
        lowered = tuple((name.lower(), value) for name, value in headers)
        _refuse_ambiguous(method, lowered)
        return cls(method, target, query, lowered)

    def with_body(self, body: bytes) -> Self:
        """The same request, now that its body is here."""
        return replace(self, body=body)

    def values(self, name: str) -> tuple[bytes, ...]:
        """All values of a header; `name` in any case."""
        wanted = name.lower().encode()
        return tuple(value for header, value in self.headers if header == wanted)

    def text(self, name: str) -> str | None:
        """The one value of a header that something depends on, or None. Refuses what isn't one printable ASCII text."""
        found = self.values(name)
        if not found:
            return None
        if len(found) > 1:
            raise _ambiguous(f"The header {name} stands {len(found)} times.")
        if not re.fullmatch(rb"[\x20-\x7e]*", found[0]):
            raise _ambiguous(f"The header {name} must be printable ASCII.")
        return found[0].decode()

    @property
    def content_length(self) -> int | None:
        """The announced length of the body; None if it comes in chunks or isn't announced."""
        found = self.values("content-length")
        return int(found[0]) if found else None

    @property
    def announces_body(self) -> bool:
        """Whether the head says that a body follows."""
        return bool(self.values("transfer-encoding")) or bool(self.content_length)

    @property
    def wants_upgrade(self) -> bool:
        """Whether the caller wants another protocol on this connection."""
        return bool(self.values("upgrade")) or self.method == "CONNECT"


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers without those that are about one connection: the listed ones, and whatever `Connection` names."""
    kept = tuple((name.lower(), value) for name, value in headers)
    named = _named_by_connection(kept)
    return tuple((name, value) for name, value in kept if name not in HOP_BY_HOP and name not in named)


def _named_by_connection(headers: Headers) -> set[bytes]:
    return {option.strip().lower() for name, value in headers if name == b"connection" for option in value.split(b",")}


def _refuse_ambiguous(method: str, headers: Headers) -> None:
    if not _METHOD.fullmatch(method):
        raise _ambiguous("The method must be in capital letters.")
    seen: set[bytes] = set()
    for name, value in headers:
        if not _NAME.fullmatch(name):
            raise _ambiguous(f"The header name {name.decode('latin-1')!r} has a sign that readers take differently.")
        if not _VALUE.fullmatch(value):
            raise _ambiguous(f"The header {name.decode()} holds something else than printable ASCII.")
        if name in seen and name not in _LISTS:
            raise _ambiguous(f"The header {name.decode()} stands more than once.")
        seen.add(name)
    _refuse_ambiguous_framing(dict(headers))
    if lost := (_named_by_connection(headers) & seen) - HOP_BY_HOP:
        raise _ambiguous(f"Connection must not name {sorted(lost)[0].decode()}: it would be lost on the way.")


def _refuse_ambiguous_framing(by_name: dict[bytes, bytes]) -> None:
    length, encoding = by_name.get(b"content-length"), by_name.get(b"transfer-encoding")
    if length is not None and encoding is not None:
        raise _ambiguous("Content-Length and Transfer-Encoding contradict each other.")
    if length is not None and not _LENGTH.fullmatch(length):
        raise _ambiguous("Content-Length must be one plain decimal number.")
    if encoding is not None and encoding.lower() != b"chunked":
        raise _ambiguous("The only Transfer-Encoding that is accepted is chunked.")
    if not by_name.get(b"host"):
        raise _ambiguous("There must be exactly one Host header.")


def _ambiguous(detail: str) -> Exception:
    return refusal(Code.HEAD_AMBIGUOUS, detail)
