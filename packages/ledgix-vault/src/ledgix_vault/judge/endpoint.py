"""One request to where a tenant says that its model is. It leaves by the guard (`outbound`), and no more is read than
an answer may have."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid, Unavailable
from ledgix_vault.judge.answers import OddAnswer
from ledgix_vault.outbound.guard import ADDRESS_PRIVATE, Trust, guarded_client

LARGEST_ANSWER = 65_536
USER_AGENT = "ledgix-vault-judge"


async def post(url: str, headers: Mapping[str, str], body: JsonObject, trusted_hosts: frozenset[str]) -> JsonObject:
    """The JSON object that the server answers; raises `OddAnswer` for anything else. It has no deadline of its own."""
    sent = {
        **headers,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
    }
    try:
        async with (
            guarded_client(Trust(trusted_hosts)) as client,
            client.stream("POST", url, headers=sent, content=json.dumps(body)) as response,
        ):
            return await _read(response)
    except Invalid as refusal:
        why = "is not a public one" if refusal.code == ADDRESS_PRIVATE else "isn't HTTPS"
        raise OddAnswer(f"can't be reached: its address {why}, and the operator doesn't trust that host") from None
    except Unavailable:
        raise OddAnswer("can't be reached: its host isn't known") from None
    except httpx2.RequestError as error:
        raise OddAnswer("can't be reached, or dropped the connection") from error


async def _read(response: httpx2.Response) -> JsonObject:
    if response.status_code != 200:
        raise OddAnswer(f"answered with HTTP status {response.status_code}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise OddAnswer("sent a compressed answer, which it wasn't asked for")
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > LARGEST_ANSWER:
            raise OddAnswer("sent more than an answer may have")
    try:
        return json.parse_object(bytes(raw))
    except JsonError:
        raise OddAnswer("sent something else than one JSON object") from None
