"""The code that docs/notifications.md gives receivers accepts what the Vault sends, and nothing else."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from ledgix_vault.notify.webhooks import new_webhook_secret, signatures

PAGE = Path(__file__).parent.parent / "docs/notifications.md"
BODY = b'{"id":"1","type":"review.requested","data":{"tool_name":"gr\xc3\xbcn"}}'


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """What the Python blocks of the page define."""
    names: dict[str, Any] = {}
    found = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(found) == 2
    for block in found:
        exec(block, names)
    return names


@pytest.fixture
def secret() -> str:
    return new_webhook_secret()


def sent(*secrets: str) -> dict[str, str]:
    return signatures("id-1", BODY, secrets, time.time_ns() // 1000)


def test_the_library(shown: dict[str, Any], secret: str) -> None:
    read_event = shown["read_event"]
    assert read_event(secret, BODY, sent(secret))["type"] == "review.requested"
    assert read_event(secret, BODY, sent(new_webhook_secret(), secret))  # during a rotation
    for wrong in (
        lambda: read_event(secret, BODY + b" ", sent(secret)),
        lambda: read_event(new_webhook_secret(), BODY, sent(secret)),
        lambda: read_event(secret, BODY, sent(secret) | {"webhook-id": "id-2"}),
        lambda: read_event(secret, BODY, sent(secret) | {"webhook-timestamp": "1"}),
    ):
        with pytest.raises(WebhookVerificationError):
            wrong()


def test_by_hand(shown: dict[str, Any], secret: str) -> None:
    headers = {name.lower(): value for name, value in sent(secret).items()}
    assert shown["is_from_ledgix"](secret, BODY, headers)
    assert not shown["is_from_ledgix"](secret, BODY + b" ", headers)
    assert not shown["is_from_ledgix"](new_webhook_secret(), BODY, headers)
