"""Content-Digest (RFC 9530): the header that names a body which is not read as arguments.

Exactly one digest is accepted, `sha-256=:<base64>:`, in this one spelling: it becomes the argument `content_digest`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.inbound import Inbound

_FORM: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


def content_digest(inbound: Inbound) -> str:
    """What the header says; refuses a request without it, or with another algorithm or spelling."""
    said = inbound.text("content-digest")
    if said is None:
        raise refusal(Code.DIGEST_INVALID, "The route needs a Content-Digest header with sha-256 (RFC 9530).")
    found = _FORM.fullmatch(said)
    if found is None or base64.b64encode(base64.b64decode(found[1])).decode() != found[1]:
        raise refusal(Code.DIGEST_INVALID, "Content-Digest must be one digest, written as sha-256=:<base64>:.")
    return said


def digest_of(digest: bytes) -> str:
    """How Content-Digest writes these 32 bytes of SHA-256."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


def digest_of_body(body: bytes) -> str:
    """What Content-Digest says of this body."""
    return digest_of(hashlib.sha256(body).digest())
