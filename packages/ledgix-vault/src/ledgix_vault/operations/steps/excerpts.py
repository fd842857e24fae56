"""What a judge gets to read of policies whose text stands in the way of a call."""

from __future__ import annotations

from ledgix_vault.clearance.judging import Excerpt
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.policy.open_text import OpenText
from ledgix_vault.policy.snapshot import ActivePolicy
from ledgix_vault.store.unit import Unit


def excerpts_for(
    unit: Unit, tenant_id: str, request: ClearanceRequest, open_text: OpenText
) -> tuple[Excerpt, ...] | None:
    """The text to judge by, of every policy that it stands in the way of; None when some of it can't be shown."""
    found: list[Excerpt] = []
    for verdict in open_text.verdicts:
        policy = verdict.policy
        if any(not source.settled for source in policy.document.sources):
            return None  # a judge must not decide by a document that it didn't see
        found += _sentences(policy)
    return tuple(found)


def _sentences(policy: ActivePolicy) -> list[Excerpt]:
    document = policy.document
    return [
        Excerpt(document.policy_id, policy.version_id, sentence)
        for sentence in document.uncompiled
        if sentence not in document.set_aside
    ]
