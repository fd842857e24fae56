"""Finding the clauses that a question or an action is about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.policy.globs import covers
from ledgix_vault.policy.snapshot import Snapshot
from ledgix_vault.sources.words import words_of_action, words_of_text
from ledgix_vault.store.search import Found, search_chunks
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST_FOUND = 50
LONGEST_QUESTION = 2_000


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for: free text, or a tool whose registered arguments are words too. At least one of both.

    With `policy_id` only the documents of that policy's active version are searched. With `by_tool` only those of
    policies that cover the tool.
    """

    text: str = ""
    tool_name: str = ""
    policy_id: str = ""
    by_tool: bool = False


async def search_documents(vault: Vault, caller: Caller, question: Question, *, limit: int) -> list[Found]:
    """The best clauses, best first; `limit` is clamped to 1…50."""
    caller.require(Scope.POLICY)
    if not question.text and not question.tool_name:
        raise Invalid("is required, or tool is", path="q")
    if len(question.text) > LONGEST_QUESTION or len(question.tool_name) > LONGEST_QUESTION:
        raise Invalid(f"must be at most {LONGEST_QUESTION} characters", path="q")
    snapshot = vault.store.tenant(caller.tenant_id).snapshot
    words = _words(snapshot, question)
    most = min(max(limit, 1), MOST_FOUND)
    versions = _versions(snapshot, question)
    return await vault.store.read(
        partial(search_chunks, tenant_id=caller.tenant_id, words=words, versions=versions, limit=most)
    )


def _words(snapshot: Snapshot, question: Question) -> tuple[str, ...]:
    asked = words_of_text(question.text)
    if not question.tool_name:
        return asked
    schema = snapshot.schemas.get(question.tool_name)
    declared = schema.to_json().get("properties") if schema is not None else None
    names = list(declared) if isinstance(declared, dict) else []
    return tuple(dict.fromkeys([*asked, *words_of_action(question.tool_name, names)]))


def _versions(snapshot: Snapshot, question: Question) -> list[str] | None:
    """The versions to search; None for the newest of every document."""
    policies = list(snapshot.policies)
    if question.policy_id:
        policies = [active for active in policies if active.document.policy_id == question.policy_id]
        if not policies:
            raise NotFound(f"There is no active policy {question.policy_id!r}.")
    elif not question.by_tool:
        return None
    if question.by_tool:
        policies = [active for active in policies if covers(active.document.tools, question.tool_name)]
    return sorted({source.version_id for active in policies for source in active.document.sources})
