"""Outgoing webhooks: the exact bytes of the body are signed twice, as `X-Ledgix-Signature` and by the Standard Webhooks
specification."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import token_bytes

from standardwebhooks import Webhook

from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.notify.http import post_json
from ledgix_vault.notify.reply import Reply
from ledgix_vault.outbound.guard import Trust
from ledgix_vault.times import MICROSECONDS


def new_webhook_secret() -> str:
    """`whsec_…`: 32 random bytes, as the Standard Webhooks specification writes them."""
    return f"whsec_{b64encode(token_bytes(32)).decode()}"


async def post_event(
    url: str, delivery_id: str, event: JsonObject, secrets: Sequence[str], now: int, trust: Trust
) -> Reply:
    """Sends one event. `secrets` are those that hold, the newest first: `X-Ledgix-Signature` is made with that one,
    `webhook-signature` with each. `now` (µs) is the time of this attempt."""
    body = json.dumps(event)
    return await post_json(url, body, trust, signatures(delivery_id, body, secrets, now))


def signatures(delivery_id: str, body: bytes, secrets: Sequence[str], now: int) -> dict[str, str]:
    """The headers by which a receiver knows who sent the body, and that it is the same delivery again."""
    moment = datetime.fromtimestamp(now // MICROSECONDS, UTC)
    newest = hmac.new(secrets[0].encode(), body, hashlib.sha256).hexdigest()
    signed = [Webhook(secret).sign(delivery_id, moment, body.decode()) for secret in secrets]
    return {
        "X-Ledgix-Signature": f"sha256={newest}",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(now // MICROSECONDS),
        "webhook-signature": " ".join(signed),
    }
