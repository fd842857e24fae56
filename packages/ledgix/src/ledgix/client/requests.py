"""Builds every HTTP request of the contract: method, path, headers and the exact bytes of the body. Pure.

- Every POST has an Idempotency-Key of its own, and a retry sends the same `Request` again, key and bytes.
- The API key goes to the Vault's API only; the token keys are asked for without it, because with it the list also
  holds ledger keys, and a token signed by one of those must not pass (contract section 3).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import quote, urlencode

from ledgix.client.errors import ArgumentsError
from ledgix.client.flow import Request
from ledgix.formats import json as exact

_AGENT = f"ledgix/{version('ledgix')} (python)"


def _new_key() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """Requests of one API key. `new_key` makes idempotency keys."""

    api_key: str
    new_key: Callable[[], str] = _new_key

    def get(self, path: str, **query: object) -> Request:
        given = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        return Request("GET", f"{path}?{urlencode(given)}" if given else path, self._headers())

    def get_open(self, path: str) -> Request:
        """Without the API key."""
        return Request("GET", path, {"Accept": "application/json", "User-Agent": _AGENT})

    def post(self, path: str, body: Mapping[str, object]) -> Request:
        """Raises JsonError, with the member's path, for a body that has no exact JSON form."""
        return Request("POST", path, {**self._headers(json=True), "Idempotency-Key": self.new_key()}, _bytes(body))

    def put(self, path: str, body: Mapping[str, object]) -> Request:
        return Request("PUT", path, self._headers(json=True), _bytes(body))

    def _headers(self, *, json: bool = False) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": _AGENT}
        if self.api_key:
            headers["X-Vault-API-Key"] = self.api_key
        if json:
            headers["Content-Type"] = "application/json"
        return headers


def segment(text: str) -> str:
    """`text` as one segment of a path, whatever it holds."""
    if not text:
        raise ArgumentsError("an id that names something in the Vault must not be empty")
    quoted = quote(text, safe="")
    # "." and ".." would be resolved away by the HTTP client, and the request would go elsewhere.
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def _bytes(body: Mapping[str, object]) -> bytes:
    return exact.dumps(exact.from_python(dict(body)))
