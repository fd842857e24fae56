"""What a judge gets to read of policies whose text stands in the way of a call."""

from __future__ import annotations

from collections.abc import Sequence

from ledgix_vault.clearance.judging import Excerpt
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.policy.open_text import OpenText
from ledgix_vault.policy.parts import Source
from ledgix_vault.policy.snapshot import ActivePolicy
from ledgix_vault.sources.words import words_of_action
from ledgix_vault.store.documents import StoredChunk, load_chunks
from ledgix_vault.store.search import search_chunks
from ledgix_vault.store.unit import Unit

LONGEST_WHOLE = 20_000
"""Characters of a document that is shown whole; of a longer one the clauses that fit the action best."""
MOST_CLAUSES = 12


def excerpts_for(
    unit: Unit, tenant_id: str, request: ClearanceRequest, open_text: OpenText
) -> tuple[Excerpt, ...] | None:
    """The text to judge by, of every policy that it stands in the way of; None when some of it can't be shown."""
    found: list[Excerpt] = []
    for verdict in open_text.verdicts:
        found += _sentences(verdict.policy)
        for source in verdict.policy.document.sources:
            if source.settled:
                continue
            clauses = _clauses(unit, tenant_id, request, source)
            if not clauses:
                return None  # a judge must not decide by a document of which it saw nothing
            found += [_excerpt(verdict.policy, source, clause) for clause in clauses]
    return tuple(found)


def _sentences(policy: ActivePolicy) -> list[Excerpt]:
    document = policy.document
    return [
        Excerpt(document.policy_id, policy.version_id, sentence)
        for sentence in document.uncompiled
        if sentence not in document.set_aside
    ]


def _clauses(unit: Unit, tenant_id: str, request: ClearanceRequest, source: Source) -> Sequence[StoredChunk]:
    whole = load_chunks(unit.connection, tenant_id, source.version_id)
    if sum(len(each.text) for each in whole) <= LONGEST_WHOLE:
        return whole
    words = words_of_action(request.tool_name, list(request.tool_args), request.purpose or "")
    best = search_chunks(unit.connection, tenant_id, words, versions=[source.version_id], limit=MOST_CLAUSES)
    return [StoredChunk(found.ordinal, found.chunk, found.text) for found in best]


def _excerpt(policy: ActivePolicy, source: Source, clause: StoredChunk) -> Excerpt:
    return Excerpt(
        policy.document.policy_id,
        policy.version_id,
        clause.text,
        document=source.name,
        section=" › ".join(clause.chunk.heading),
        page=clause.chunk.page,
    )
