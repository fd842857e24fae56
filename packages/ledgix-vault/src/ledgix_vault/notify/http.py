"""One POST to an address that a tenant set. It leaves by the guard; no more is read than the delivery log shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx2

from ledgix_vault.errors import Invalid, Unavailable
from ledgix_vault.notify.reply import LONGEST_ANSWER, Reply, refusal
from ledgix_vault.outbound.guard import Trust, guarded_client

DEADLINE = 15.0
LARGEST_ANSWER = 4 * LONGEST_ANSWER
GONE = 410
USER_AGENT = "ledgix-vault"


async def post_json(url: str, body: bytes, trust: Trust, headers: Mapping[str, str] | None = None) -> Reply:
    """What the other side answered; never raises for anything that it does. 410 means: never again."""
    sent = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(DEADLINE),
            guarded_client(trust) as client,
            client.stream("POST", url, headers={**sent, **(headers or {})}, content=body) as response,
        ):
            status, answer = response.status_code, await _read(response)
    except (Invalid, Unavailable) as error:
        return refusal(error.detail)
    except TimeoutError:
        return refusal(f"There was no answer within {DEADLINE:.0f} seconds.")
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        return refusal(f"It can't be reached: {type(error).__name__}.")
    return Reply(200 <= status < 300, status, answer, over=status == GONE)


async def _read(response: httpx2.Response) -> str:
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) >= LARGEST_ANSWER:
            break
    return raw[:LARGEST_ANSWER].decode("utf-8", "replace")[:LONGEST_ANSWER]
