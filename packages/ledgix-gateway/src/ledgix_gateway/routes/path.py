"""A raw path as segments, each decoded once, or a refusal: no two servers may read it differently.

Refused are: anything but printable ASCII; escapes that aren't canonical (RFC 3986 section 6.2.2: capital hex digits,
and only of characters that need one); escaped slashes, backslashes, percent signs (double encoding), semicolons and
control characters; backslashes; path parameters (`;`); empty segments, except one at the end; `.` and `..`, and
segments that are only dots and spaces (some file systems take them for the same).
"""

from __future__ import annotations

import re
from typing import Final

from ledgix_gateway.codes import Code, refusal

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN: Final = re.compile(rb"(?:/[A-Za-z0-9\-._~!$&'()*+,=:@%]*)+")  # RFC 3986 pchar without ";"
_ESCAPE: Final = re.compile(rb"%([0-9A-F]{2})")
_NEVER: Final = frozenset(b"/\\%;\x7f") | frozenset(range(0x20)) | frozenset(range(0x80, 0x100))


def segments_of(target: bytes) -> tuple[str, ...]:
    """The decoded segments behind each slash; `/a/` has a last one that is empty."""
    if not _PLAIN.fullmatch(target):
        raise _ambiguous("it must begin with a slash, and hold only signs that stand in a path as they are")
    raw = target.split(b"/")[1:]
    if b"" in raw[:-1]:
        raise _ambiguous("two slashes stand together")
    return tuple(_decoded(segment) for segment in raw)


def _decoded(segment: bytes) -> str:
    if b"%" in segment:
        if len(_ESCAPE.findall(segment)) != segment.count(b"%"):
            raise _ambiguous("an escape isn't % and two capital hex digits")
        segment = _ESCAPE.sub(_unescaped, segment)
    if segment and not segment.strip(b". "):
        raise _ambiguous("a segment is made of dots")
    return segment.decode("ascii")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    byte = int(escape[1], 16)
    if byte in _UNRESERVED:
        raise _ambiguous(f"{escape[0].decode()} needs no escape")
    if byte in _NEVER:
        raise _ambiguous(f"{escape[0].decode()} is not accepted in a path")
    return bytes((byte,))


def _ambiguous(why: str) -> Exception:
    return refusal(Code.PATH_AMBIGUOUS, f"The path is not accepted: {why}.")
