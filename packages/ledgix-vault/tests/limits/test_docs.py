"""What docs/limits.md shows is what a policy can say, and what a finding has."""

from __future__ import annotations

import re
from pathlib import Path

from ledgix.formats import json
from ledgix_vault.limits.findings import Finding
from ledgix_vault.policy.draft import draft_policy

PAGE = (Path(__file__).parents[4] / "docs" / "limits.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_policy_is_one() -> None:
    (text,) = blocks("yaml")
    document = draft_policy(
        policy_id="p", description="", sentences=(), tools=("stripe_refund",), definition=text, schemas={}
    )
    assert [limit.id for limit in document.limits] == ["daily-refunds", "rate"]


def test_the_finding_is_one() -> None:
    found, report = (json.parse_object(text.encode()) for text in blocks("json"))
    assert Finding.from_json(found).to_json() == found
    assert report.keys() == {"request_id", "outcome", "detail"}
